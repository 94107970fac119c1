"""The flow tracker on pictures of which every motion is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivm_ros.grounding import Grounding, Target
from ivm_ros.tracking.flow import FlowTracker
from ivm_ros.tracking.registry import UnknownTrackerError, available, load_tracker
from ivm_ros.tracking.track import Limits
from ivm_ros.tracking.tracker import LOST_RULES, Carried

HEIGHT, WIDTH, SIDE = 240, 320, 60


def texture(seed: int, height: int, width: int) -> np.ndarray:
    """Return random blobs, large and small ones as in pictures of things."""
    random, picture = np.random.default_rng(seed), np.zeros((height, width, 3), np.float32)
    for blob, weight in ((5, 0.25), (20, 0.5)):
        noise = random.integers(0, 256, (height // blob + 2, width // blob + 2, 3)).astype(np.float32)
        picture += weight * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + random.integers(0, 60, 3), 0, 255).astype(np.uint8)


GROUND, THING, OTHER = texture(0, HEIGHT, WIDTH), texture(1, SIDE, SIDE), texture(2, 120, 120)


def scene(x: int, y: int, cover: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture with a textured square at x, y, and the square's visible mask; `cover` is the x of
    something that stands before it."""
    image, mask = GROUND.copy(), np.zeros((HEIGHT, WIDTH), bool)
    left, right = max(x, 0), min(x + SIDE, WIDTH)
    if left < right:
        image[y : y + SIDE, left:right] = THING[:, left - x : right - x]
        mask[y : y + SIDE, left:right] = True
    if cover is not None:
        left, right = max(cover, 0), min(cover + 120, WIDTH)
        if left < right:
            image[y - 30 : y + 90, left:right] = OTHER[:, left - cover : right - cover]
            mask[y - 30 : y + 90, left:right] = False
    return image, mask


def grounding(*masks: np.ndarray, existence: float = 0.9, text: str = "the square") -> Grounding:
    targets = tuple(Target.from_mask(mask, 0.9 - 0.1 * index) for index, mask in enumerate(masks))
    heat = np.zeros(masks[0].shape, np.float32)
    for mask in masks:
        heat[mask] = 0.9
    return Grounding(text, heat, targets, existence)


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return np.count_nonzero(first & second) / max(1, np.count_nonzero(first | second))


def started(image: np.ndarray, *groundings: Grounding, tracker: FlowTracker | None = None) -> FlowTracker:
    tracker = tracker or FlowTracker()
    tracker.see(image)
    assert tracker.adopt(tracker.remember(), groundings)
    return tracker


def carried(tracker: FlowTracker) -> Carried:
    result = tracker.carried()
    assert result is not None
    return result


def test_a_moving_target_is_followed_with_mask_box_point_and_heat() -> None:
    image, mask = scene(100, 80)
    tracker = started(image, grounding(mask))
    for step in range(1, 16):
        image, mask = scene(100 + 2 * step, 80 + step)
        tracker.see(image)
    result = carried(tracker)
    (found,) = result.groundings[0].targets
    # Where the target was, the ground comes to light; some pixels of it are taken for the target.
    assert iou(found.mask, mask) > 0.6 > 2 * iou(scene(100, 80)[1], mask)
    np.testing.assert_allclose(found.box[2:], (190, 155), atol=2)
    np.testing.assert_allclose(found.box[:2], (130, 95), atol=15)
    assert mask[int(found.point[1]), int(found.point[0])]
    assert iou(result.groundings[0].heatmap > 0.5, mask) > 0.6
    assert (result.lost, result.key) == (0, 0) and result.trust[0][0] > 0.8
    assert (found.score, result.groundings[0].existence) == (0.9, 0.9)


def test_the_frame_itself_gives_back_what_was_adopted() -> None:
    image, mask = scene(100, 80)
    answer = grounding(mask)
    result = carried(started(image, answer))
    assert result.groundings == (answer,) and result.trust == ((1.0,),) and result.lost == 0


def test_a_late_answer_is_carried_through_the_frames_since() -> None:
    tracker = FlowTracker()
    image, old = scene(60, 80)
    tracker.see(image)
    number = tracker.remember()
    for step in range(1, 31):
        image, new = scene(60 + 2 * step, 80)
        tracker.see(image)
    assert tracker.carried() is None
    assert tracker.adopt(number, [grounding(old)])
    (found,) = carried(tracker).groundings[0].targets
    assert iou(old, new) == 0 and iou(found.mask, new) > 0.5


def test_what_stands_before_a_target_is_not_of_it_and_it_is_whole_again_afterwards() -> None:
    image, mask = scene(130, 90, cover=-120)
    tracker = started(image, grounding(mask))
    overlaps = []
    for cover in range(-117, 321, 3):
        image, mask = scene(130, 90, cover)
        tracker.see(image)
        if cover == 48:  # at 130..190 it hides the left 38 of 60 columns
            assert np.count_nonzero(mask) == SIDE * 22
            overlaps.append(iou(carried(tracker).groundings[0].mask, mask))
            break
    assert overlaps[0] > 0.5
    for cover in range(45, -121, -3):
        image, mask = scene(130, 90, cover)
        tracker.see(image)
    assert iou(carried(tracker).groundings[0].mask, mask) > 0.9


@pytest.mark.parametrize("rule", LOST_RULES)
def test_a_target_that_leaves_the_image_is_lost_and_dropped_or_held(rule: str) -> None:
    image, mask = scene(200, 80)
    stays = np.zeros_like(mask)
    stays[150:220, 40:110] = True
    tracker = started(image, grounding(mask), grounding(stays), tracker=FlowTracker(rule))
    sizes = []
    for x in range(203, 345, 3):
        tracker.see(scene(x, 80)[0])
        result = carried(tracker)
        sizes.append(np.count_nonzero(result.groundings[0].mask))
    assert result.lost == 1 and len(result.groundings[1].targets) == 1
    assert iou(result.groundings[1].mask, stays) > 0.9
    if rule == "drop":
        assert result.groundings[0].targets == () and result.trust[0] == ()
        assert result.groundings[0].existence == 0.0
        assert result.groundings[0].heatmap.max() < 0.1
    else:
        assert sizes[-1] == sizes[-2] > 0 and result.trust[0] == (0.0,)
        assert result.groundings[0].existence == 0.9
        assert result.groundings[0].heatmap[result.groundings[0].mask].min() >= 0.5


def test_a_hidden_target_is_lost_and_the_rule_can_change_at_any_time() -> None:
    image, mask = scene(130, 90, cover=-120)
    tracker = started(image, grounding(mask), tracker=FlowTracker(limits=Limits(visible=0.3)))
    for cover in range(-117, 105, 3):
        tracker.see(scene(130, 90, cover)[0])
        carried(tracker)
    assert carried(tracker).lost == 1 and carried(tracker).groundings[0].targets == ()
    tracker.lost_rule = "hold"
    assert carried(tracker).trust == ((0.0,),)


@pytest.mark.parametrize("rule", LOST_RULES)
def test_after_a_cut_everything_is_lost_also_of_an_answer_that_comes_later(rule: str) -> None:
    image, mask = scene(130, 90)
    tracker = started(image, grounding(mask), tracker=FlowTracker(rule))
    number = tracker.remember()
    tracker.see(texture(7, HEIGHT, WIDTH))
    assert carried(tracker).lost == 1
    assert tracker.adopt(number, [grounding(mask, scene(10, 10)[1])])
    result = carried(tracker)
    assert result.lost == 2 and len(result.groundings[0].targets) == (0 if rule == "drop" else 2)
    if rule == "drop":
        assert result.groundings[0].heatmap.max() == 0


def test_a_shadow_does_not_lose_a_target() -> None:
    image, mask = scene(130, 90)
    tracker = started(image, grounding(mask))
    for light in np.linspace(1, 0.5, 8):
        tracker.see((image * light).astype(np.uint8))
    assert carried(tracker).lost == 0 and iou(carried(tracker).groundings[0].mask, mask) > 0.9


def test_one_of_two_targets_lost_lowers_existence_by_what_is_left() -> None:
    image, mask = scene(200, 80)
    stays = np.zeros_like(mask)
    stays[150:220, 40:110] = True
    tracker = started(image, grounding(mask, stays))
    for x in range(203, 345, 3):
        tracker.see(scene(x, 80)[0])
        carried(tracker)
    result = carried(tracker)
    assert len(result.groundings[0].targets) == 1
    assert result.groundings[0].existence == pytest.approx(0.9 * 0.8 / 0.9)


def test_frames_that_are_no_longer_known_are_not_adopted() -> None:
    tracker, (image, mask) = FlowTracker(), scene(100, 80)
    with pytest.raises(RuntimeError, match="none was seen"):
        tracker.remember()
    assert not tracker.adopt(0, [grounding(mask)])
    tracker.see(image)
    first = tracker.remember()
    tracker.see(image)
    tracker.remember()
    assert not tracker.adopt(first, [grounding(mask)])
    assert tracker.carried() is None
    with pytest.raises(ValueError, match="expected groundings of shape"):
        tracker.adopt(first + 1, [grounding(mask[:100])])


def test_another_size_begins_anew_and_numbers_go_on() -> None:
    image, mask = scene(100, 80)
    tracker = started(image, grounding(mask))
    number = tracker.remember()
    assert tracker.see(image[:200]) == number + 1
    assert tracker.carried() is None and not tracker.adopt(number, [grounding(mask)])


def test_no_targets_and_no_instructions_are_carried_too() -> None:
    image, mask = scene(100, 80)
    nothing = Grounding("the moon", np.full(mask.shape, 0.1, np.float32), (), 0.05)
    tracker = started(image, nothing)
    tracker.see(image)
    result = carried(tracker)
    assert result.groundings[0].targets == () and result.groundings[0].existence == 0.05 and result.lost == 0
    assert 0 < result.groundings[0].heatmap.max() <= 0.1 + 1e-6
    tracker = started(image)
    tracker.see(image)
    assert carried(tracker).groundings == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 2**16),
    rule=st.sampled_from(LOST_RULES),
    wild=st.booleans(),
    targets=st.integers(0, 3),
)
def test_whatever_comes_the_answer_is_valid(size, seed, rule, wild, targets) -> None:
    random = np.random.default_rng(seed)
    height, width = size
    base = texture(seed, height, width)
    masks = []
    for _ in range(targets):
        mask = np.zeros(size, bool)
        y, x = random.integers(0, height), random.integers(0, width)
        mask[y : y + random.integers(1, 40), x : x + random.integers(1, 40)] = True
        masks.append(mask)
    heat = random.random(size, dtype=np.float32)
    scores = sorted(random.random(targets), reverse=True)
    found = tuple(Target.from_mask(mask, score) for mask, score in zip(masks, scores, strict=True))
    answer = Grounding("it", heat, found, 0.7)
    tracker = FlowTracker(rule, limits=Limits(0.3, 0.3))
    tracker.see(base)
    number, adopted = tracker.remember(), False
    lost = 0
    for step in range(6):
        image = texture(seed + step, height, width) if wild else np.roll(base, (step, 3 * step), (0, 1))
        tracker.see(np.ascontiguousarray(image))
        if not adopted and random.random() < 0.5:
            adopted = tracker.adopt(number, [answer])
            assert adopted
        if not adopted:
            continue
        result = carried(tracker)  # Target and Grounding check themselves when they are made
        assert result is tracker.carried()
        (one,) = result.groundings
        assert one.heatmap.shape == size and one.existence <= 0.7
        assert result.lost >= lost
        lost = result.lost
        assert len(one.targets) == (targets - lost if rule == "drop" else targets)
        assert all(0 <= trust <= 1 for trust in result.trust[0])
        for target in one.targets:
            ys, xs = np.nonzero(target.mask)
            assert target.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_the_registry_makes_a_fresh_tracker_for_each_camera() -> None:
    make = load_tracker("flow", lost_rule="hold", side="256", visible=0.2)
    one, two = make(), make()
    assert one is not two and isinstance(one, FlowTracker) and one.lost_rule == "hold"
    assert [entry.name for entry in available()] == ["flow", "video"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"name": "magic"}, UnknownTrackerError, "flow, video; got 'magic'"),
        ({"name": "flow", "lost_rule": "cry"}, ValueError, "drop, hold; got 'cry'"),
        ({"name": "flow", "checkpoint": "x"}, ValueError, "expected no checkpoint"),
        ({"name": "flow", "side": "big"}, ValueError, "'side'"),
        ({"name": "flow", "side": 8}, ValueError, "at least 64"),
        ({"name": "flow", "speed": 1}, ValueError, "side, visible, inside; got 'speed'"),
    ],
)
def test_what_cannot_be_loaded_is_refused_with_a_reason(arguments, error, words) -> None:
    with pytest.raises(error, match=words):
        load_tracker(**arguments)
