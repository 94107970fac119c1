"""InstanceVG as a grounder, at a small size: targets that agree, instructions apart, honest answers."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import pytest
import torch
from pages import DOCS, table

import ivm_ros
from ivm_ros.grounding import InvalidInstructionError
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.grounder import load
from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.preprocess import pixels, squash
from ivm_ros.models.instancevg.reading import Answer, Rules
from ivm_ros.models.instancevg.small import write_small
from ivm_ros.models.instancevg.targets import agreeing_target
from ivm_ros.models.instancevg.text import batch

PICTURE = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
WORDS = ["pick up the red cup", "the blue bowl", "hand me the mug left of the plate"]
LOW = 0.05  # a score that random weights reach


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instancevg")
    write_small(folder)
    return folder


def loaded(folder, **options):
    return ivm_ros.load("instancevg", checkpoint=folder, device="cpu", **options)


@pytest.fixture(scope="module")
def grounder(folder):
    return loaded(folder, score_threshold=LOW)


@torch.inference_mode()
def test_it_says_what_the_plain_network_says(grounder):
    """All texts padded to the longest there can be, as the reference runs them."""
    config = grounder.model.config
    ids, padding = batch([grounder.tokenizer.ids(words) for words in WORDS], config.max_tokens)
    picture = pixels(squash(PICTURE, config.image_size))[None].expand(len(WORDS), -1, -1, -1)
    plain = grounder.model(picture, ids, padding)
    for ours, theirs in zip(grounder.look(grounder.encode(PICTURE), WORDS), plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_several_instructions_are_each_as_alone(grounder):
    features = grounder.encode(PICTURE)
    for together, words in zip(grounder.ground_many(features, WORDS), WORDS, strict=True):
        alone = grounder.ground(features, words)
        assert together.instruction == alone.instruction == words
        np.testing.assert_allclose(together.heatmap, alone.heatmap, atol=1e-4)
        assert together.existence == pytest.approx(alone.existence, abs=1e-4)
        assert len(together.targets) == len(alone.targets)
    assert grounder.ground_many(features, []) == []


def test_instructions_are_told_apart(grounder):
    found = grounder.look(grounder.encode(PICTURE), WORDS[:2])
    assert (found.boxes[0, 0] - found.boxes[0, 1]).abs().max() > 1e-6


def test_encoding_is_done_once(grounder, monkeypatch):
    features = grounder.encode(PICTURE)
    monkeypatch.setattr(type(grounder.model), "encode_image", None)
    monkeypatch.setattr(type(grounder.model.backbone.vision_embed), "forward", None)
    assert grounder.ground(features, WORDS[0]).heatmap.shape == (90, 120)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 7), (480, 640)])
@pytest.mark.parametrize("targets", ["all", "best"])
def test_targets_agree_with_themselves_at_any_size(folder, shape, targets):
    grounding = loaded(folder, score_threshold=LOW, targets=targets)(
        np.zeros((*shape, 3), np.uint8), WORDS[0]
    )
    assert grounding.heatmap.shape == shape
    assert len(grounding.targets) == 1 if targets == "best" else len(grounding.targets) > 1
    for target in grounding.targets:
        (x_min, y_min, x_max, y_max), (x, y) = target.box, target.point
        assert x_min <= x < x_max and y_min <= y < y_max and target.mask[int(y), int(x)]
        ys, xs = np.nonzero(target.mask)
        assert xs.min() + 1 > x_min and xs.max() < x_max and ys.min() + 1 > y_min and ys.max() < y_max


def says(scores, exists=(3.0, -3.0), masks=None, boxes=None):
    """Return what a network might say to one text, on a grid of 4, with a query in each quarter."""
    count = len(scores)
    quarters = torch.full((1, 4, 16, 16), -9.0)
    for index, (row, column) in enumerate([(0, 0), (0, 8), (8, 0), (8, 8)]):
        quarters[0, index, row : row + 8, column : column + 8] = 9.0
    places = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
    squares = torch.cat([places, torch.full((4, 2), 0.5)], dim=1)
    probability = torch.tensor(scores).clamp(1e-6, 1 - 1e-6)
    return Predictions(
        classes=torch.stack([probability.log(), (1 - probability).log()], dim=-1)[None, None],
        boxes=(squares[:count] if boxes is None else torch.tensor(boxes))[None, None],
        instance_masks=(quarters[:, :count] if masks is None else masks),
        global_mask=torch.full((1, 1, 16, 16), -9.0),
        existence=torch.tensor([exists]),
        points=places[None, :count],
        attention=torch.zeros(1, 4, 4),
    )


def grounding_of(folder, found, monkeypatch, **options):
    grounder = loaded(folder, **options)
    monkeypatch.setattr(grounder, "look", lambda features, texts: found)
    return grounder.ground(grounder.encode(np.zeros((64, 64, 3), np.uint8)), "the cups")


def test_targets_are_those_above_the_threshold_best_first(folder, monkeypatch):
    grounding = grounding_of(folder, says([0.8, 0.3, 0.99, 0.9]), monkeypatch)
    assert [round(target.score, 2) for target in grounding.targets] == [0.99, 0.9, 0.8]
    assert [target.box for target in grounding.targets] == [(0, 32, 32, 64), (32, 32, 64, 64), (0, 0, 32, 32)]
    assert [target.point for target in grounding.targets] == [(16, 48), (48, 48), (16, 16)]
    for target in grounding.targets:
        x_min, y_min, x_max, y_max = (int(value) for value in target.box)
        inner = target.mask[y_min + 4 : y_max - 4, x_min + 4 : x_max - 4]
        assert inner.all() and target.mask.sum() <= 32 * 32
    assert grounding.heatmap[16, 48] < 0.01 < 0.99 < grounding.heatmap[48, 48]
    assert grounding.existence == pytest.approx(1 / (1 + np.exp(-6.0)))


def test_nothing_found_is_an_answer(folder, monkeypatch):
    found = says([0.9, 0.9], exists=(-4.0, 4.0))
    grounding = grounding_of(folder, found, monkeypatch)
    assert not grounding.found and grounding.existence < 0.01 and not grounding.heatmap.any()
    kept = grounding_of(folder, found._replace(global_mask=torch.full((1, 1, 16, 16), 9.0)), monkeypatch)
    assert not kept.heatmap.any()
    published = found._replace(global_mask=torch.full((1, 1, 16, 16), 9.0))
    assert grounding_of(folder, published, monkeypatch, clear_no_target=False).heatmap.min() > 0.99


def test_the_best_is_an_answer_whatever_its_score(folder, monkeypatch):
    grounding = grounding_of(folder, says([0.1, 0.3]), monkeypatch, targets="best")
    assert [target.box for target in grounding.targets] == [(32, 0, 64, 32)]


def test_one_query_is_the_best_of_itself(folder, tmp_path):
    write_small(tmp_path, InstanceVgConfig.small(queries=1))
    assert (
        loaded(tmp_path).single and not loaded(tmp_path, targets="all").single and not loaded(folder).single
    )
    assert len(loaded(tmp_path, score_threshold=0.99)(PICTURE, WORDS[0]).targets) == 1


def answer(found, size=(64, 64), **rules):
    return Answer(found, 0, 64, size, Rules(**rules))


def test_calibrated_existence_reads_both_logits():
    found = says([0.9], exists=(1.0, 1.0))
    assert answer(found).existence == pytest.approx(0.731, abs=1e-3)
    assert answer(found, calibrated_existence=True).existence == pytest.approx(0.5)
    assert answer(found, calibrated_existence=True).read().scores == pytest.approx([0.45], abs=1e-6)
    assert answer(found, score_weighted=False).read().scores == pytest.approx([0.9], abs=1e-6)


def test_smooth_masks_have_no_stairs():
    ramp = torch.linspace(-1, 1, 16)[None, :] + torch.linspace(-1, 1, 16)[:, None]
    found = says([0.99], masks=ramp[None, None])
    sizes = {"rescale": True, "size": (1000, 1000)}
    stairs = answer(found, **sizes).instance_masks(np.array([0]))[0]
    smooth = answer(found, smooth_masks=True, **sizes).instance_masks(np.array([0]))[0]
    jumps = [np.abs(np.diff(mask.sum(axis=1))).max() for mask in (stairs, smooth)]
    assert jumps[0] >= 10 and jumps[1] <= 2


def test_a_box_without_area_takes_its_mask_with_it_where_pairs_are_kept():
    boxes = [[0.25, 0.25, 0.0, 0.5], [0.75, 0.25, 0.5, 0.5]]
    found = says([0.9, 0.99], boxes=boxes)
    drifted, kept = answer(found).read(), answer(found, keep_pairs=True).read()
    assert drifted.masks.tolist() == [0] and kept.masks.tolist() == [1]
    assert drifted.mask[16, 16] and not drifted.mask[16, 48]
    assert kept.mask[16, 48] and not kept.mask[16, 16]


def test_the_merged_mask_is_what_it_is_asked_to_be():
    whole = says([0.99, 0.1])._replace(global_mask=torch.full((1, 1, 16, 16), 9.0))
    assert answer(whole).read().mask.all()
    assert answer(whole, merged="global").read().mask.all()
    instance = answer(whole, merged="instance").read().mask
    assert instance[16, 16] and not instance[48, 48]
    assert not answer(says([0.1]), merged="instance").read().mask.any()


def test_suppression_drops_the_lower_of_two_boxes_but_not_from_the_mask(folder, monkeypatch):
    found = says([0.99, 0.9], boxes=[[0.25, 0.25, 0.5, 0.5], [0.26, 0.25, 0.5, 0.5]])
    assert answer(found, nms=0.7).read().kept.tolist() == [0]
    assert answer(found, nms=0.7).read().mask[16, 48]
    assert len(grounding_of(folder, found, monkeypatch, nms=0.7).targets) == 1
    assert len(grounding_of(folder, found, monkeypatch).targets) == 2


def test_boxes_left_by_suppression_are_rescaled_where_that_is_asked_for():
    found, sizes = says([0.9, 0.99]), {"rescale": True, "size": (128, 64)}
    published, repaired = (answer(found, nms=0.7, rescale_nms=each, **sizes).read() for each in (False, True))
    assert published.kept_boxes.tolist() == [[32, 0, 64, 32], [0, 0, 32, 32]]
    assert repaired.kept_boxes.tolist() == [[64, 0, 128, 32], [0, 0, 64, 32]]
    assert np.array_equal(published.boxes, repaired.boxes)


def test_a_target_without_a_mask_in_its_box_has_the_next_one_or_the_box():
    empty, other = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    other[4, 4] = True
    box, point = np.array([2.5, 2.5, 6.0, 6.0]), np.array([0.9, 0.9], np.float32)
    target = agreeing_target(box, point, [empty, other], 0.5, "cup")
    assert np.array_equal(target.mask, other) and target.point == (4.5, 4.5)
    target = agreeing_target(box, point, [empty, empty], 0.5, "cup")
    assert target.mask.sum() == 16 and target.mask[2:6, 2:6].all() and target.point == (5.5, 5.5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"precision": "8bit"}, "precision of auto, float32, bfloat16"),
        ({"targets": "some"}, "expected targets of auto, all, best"),
        ({"score_threshold": 1.0}, "score_threshold between 0 and 1"),
        ({"mask_threshold": 0.0}, "mask_threshold between 0 and 1"),
        ({"merged": "both"}, "merge, instance, global"),
        ({"nms": 0.0}, r"overlap in \(0, 1\]"),
        ({"colour": "red"}, "one of precision, targets"),
    ],
)
def test_options_that_are_wrong_are_refused(folder, options, said):
    with pytest.raises(ValueError, match=said):
        loaded(folder, **options)


def test_every_option_is_on_its_page():
    loader = inspect.signature(load).parameters.values()
    options = {each.name: each.default for each in loader if each.kind is each.KEYWORD_ONLY}
    rows = {row["Option"]: row["Default"] for row in table(DOCS / "instancevg.md", "Use it")}
    assert rows == {name: str(value).lower() for name, value in options.items()}


def test_instructions_without_words_are_refused(grounder):
    for words in ("", "?!", "   "):
        with pytest.raises(InvalidInstructionError):
            grounder.ground(grounder.encode(PICTURE), words)


def test_a_missing_library_names_the_extra(folder, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("ivm_ros.models.instancevg.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ImportError, match=r"needs sentencepiece.*pip install 'ivm-ros\[instancevg\]'"):
        loaded(folder)
