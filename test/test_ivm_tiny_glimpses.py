"""ivm-tiny's closer look: windows lie where objects are, and what is seen there is what is there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_scenes import SMALL

from ivm_ros.models.ivm_tiny.glimpses import SIDE, Closer, Outliner, cut, places, through, windows
from ivm_ros.models.ivm_tiny.model import Found, IvmTiny
from ivm_ros.models.ivm_tiny.network import TorchEngine, look_at

EXAMPLES = settings(max_examples=150, deadline=None)
SHARE = st.floats(0, 1)
SIDES, FEW = st.integers(1, 700), st.integers(1, 250)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def boxes(height: int, width: int, *at: tuple[int, int, int, int]) -> torch.Tensor:
    """(N, height, width) masks that are 1 in boxes: first and last row, first and last column, outside."""
    masks = torch.zeros(len(at), height, width)
    for mask, (top, bottom, left, right) in zip(masks, at, strict=True):
        mask[top:bottom, left:right] = 1
    return masks


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


# Windows


@pytest.mark.parametrize(
    ("box", "size", "expected"),
    [
        ((2, 6, 3, 7), (120, 80), [24, 14, 76, 66]),  # 40 pixels -> 52, round (50, 40)
        ((4, 5, 6, 7), (120, 80), [45, 25, 85, 65]),  # one cell -> four
        ((0, 2, 0, 2), (120, 80), [0, 0, 40, 40]),  # at a corner it is moved, not made smaller
        ((6, 8, 10, 12), (120, 80), [80, 40, 120, 80]),
        ((0, 8, 0, 12), (120, 80), [0, 0, 120, 80]),  # everything
        ((0, 8, 2, 4), (120, 80), [0, 0, 104, 80]),  # 104, which is higher than the picture
        ((2, 8, 4, 10), (12, 8), [3, 0, 11, 8]),  # 7.8 -> 8
        ((4, 5, 6, 7), (1200, 80), [450, 0, 850, 80]),  # the larger side of a cell counts
    ],
)
def test_windows_by_hand(box, size, expected):
    assert windows(boxes(8, 12, box), size).tolist() == [expected]


def test_a_window_is_where_the_mask_is_strongest_where_it_is_faint():
    faint = boxes(8, 12, (2, 6, 3, 7)) * 0.2
    faint[0, 0, 11] = 0.1  # under nine tenths of the highest
    assert windows(faint, (120, 80)).tolist() == windows(boxes(8, 12, (2, 6, 3, 7)), (120, 80)).tolist()
    sure = boxes(8, 12, (2, 6, 3, 7))
    sure[0, 7, 11] = 0.6  # from a half on it belongs to the object
    assert windows(sure, (120, 80)).tolist() != windows(boxes(8, 12, (2, 6, 3, 7)), (120, 80)).tolist()


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (3, 5), (1, 400), (256, 192), (4000, 3000)])
@pytest.mark.parametrize("value", [0.0, 1e-9, 1.0])
def test_a_mask_of_nothing_and_one_of_everything_are_seen_through_the_whole_picture(size, value):
    assert windows(torch.full((2, 8, 12), value), size).tolist() == [[0, 0, *size]] * 2


@st.composite
def masks_and_sizes(draw, sides):
    """(1, h, w) masks with one box, soft or hard, and a picture's size."""
    height, width = draw(st.integers(1, 48)), draw(st.integers(1, 64))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    mask = boxes(height, width, (top, bottom, left, right)) * draw(st.sampled_from([0.05, 0.5, 1.0]))
    return mask, (top, bottom, left, right), (draw(sides), draw(sides))


@EXAMPLES
@given(masks_and_sizes(SIDES))
def test_windows_lie_in_the_picture_are_square_and_hold_the_object(drawn):
    mask, (top, bottom, left, right), (width, height) = drawn
    ((x0, y0, x1, y1),) = windows(mask, (width, height)).tolist()
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    if x1 - x0 < width and y1 - y0 < height:
        assert x1 - x0 == y1 - y0
    elif x1 - x0 != y1 - y0:  # cut off by the shorter side of the picture alone
        assert min(x1 - x0, y1 - y0) == min(width, height)
    across, down = width / mask.shape[2], height / mask.shape[1]
    slack = 1e-6 if min(across, down) >= 2 else 1  # pixels; cells may be smaller than these
    assert x0 <= left * across + slack and x1 >= right * across - slack
    assert y0 <= top * down + slack and y1 >= bottom * down - slack


def test_each_object_has_the_window_it_has_alone():
    masks = boxes(8, 12, (2, 7, 3, 8), (0, 1, 0, 1), (0, 8, 0, 12))
    alone = [windows(mask[None], (300, 200)) for mask in masks]
    assert (windows(masks, (300, 200)) == np.concatenate(alone)).all()


def test_no_objects_have_no_windows():
    seen = windows(torch.zeros(0, 8, 12), (120, 80))
    assert seen.shape == (0, 4)
    assert cut(noise(80, 120), seen).shape == (0, SIDE, SIDE, 3)
    assert places(seen, (120, 80)).shape == (0, 4)


# What is seen there


@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 2), (4, 2), (5, 1), (4, 4), (8, 8)])
def test_a_large_window_is_seen_by_the_mean_of_what_is_there(across, down):
    picture = noise(SIDE * down + 8, SIDE * across + 16)
    (glimpse,) = cut(picture, np.array([[16, 8, 16 + SIDE * across, 8 + SIDE * down]]))
    means = picture[8:, 16:].reshape(SIDE, down, SIDE, across, 3).mean(axis=(1, 3))
    assert glimpse.dtype == torch.uint8
    roundings = 1 + int(np.log2(min(across, down)))  # of each halving, and of the rest
    np.testing.assert_allclose(glimpse.numpy(), means, atol=0.51 * roundings)


@given(st.integers(1, 900), st.integers(1, 700), SHARE, SHARE, SHARE, SHARE)
@EXAMPLES
def test_what_is_read_at_a_half_or_less_is_what_the_picture_shows(width, height, x, y, w, h):
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1) / max(width, height)
    picture = (
        127 + 120 * np.sin(2 * np.pi * np.concatenate([places, places[..., :1] + 0.3], axis=-1))
    ).astype(np.uint8)
    wide, high = max(1, round(w * width)), max(1, round(h * height))
    left, top = round(x * (width - wide)), round(y * (height - high))
    (glimpse,) = cut(picture, np.array([[left, top, left + wide, top + high]]))
    shrinks = min(wide, high) >= SIDE
    whole = cv2.resize(
        picture[top : top + high, left : left + wide],
        (SIDE, SIDE),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    # a glimpse's pixel at most, of a picture whose steepest slope this is
    slope = 120 * 2 * np.pi / max(width, height) * max(wide, high) / SIDE
    np.testing.assert_allclose(glimpse.numpy(), whole, atol=1.5 + slope)


def test_what_is_read_at_a_half_or_less_leans_to_no_side():
    width, height = 1279, 719
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.arange(width) * (255 / width)
    picture[..., 1] = np.arange(height)[:, None] * (255 / height)
    rng = np.random.default_rng(0)
    sides = rng.integers(SIDE, 600, 200)
    first = (rng.random((200, 2)) * (np.array([width, height]) - sides[:, None])).astype(np.int64)
    seen = np.concatenate([first, first + sides[:, None]], axis=1)
    shown = cut(picture, seen).numpy().mean(axis=(1, 2))[:, :2]
    middle = (seen[:, :2] + seen[:, 2:] - 1) / 2 * (255 / np.array([width, height]))
    leaning = (shown - middle + 0.5) / (
        255 / np.array([width, height])
    )  # in pixels; colours are rounded down
    assert np.abs(leaning.mean(axis=0)).max() < 0.25
    assert np.abs(leaning).max() < 600 / SIDE


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 300), (300, 1), (17, 90), (30, 30)])
def test_a_smaller_window_shows_nothing_that_is_not_there(shape):
    height, width = shape
    picture = noise(height, width)
    (glimpse,) = cut(picture, np.array([[0, 0, width, height]]))
    assert (glimpse.numpy() >= picture.min(axis=(0, 1))).all()
    assert (glimpse.numpy() <= picture.max(axis=(0, 1))).all()
    corners = glimpse[[0, 0, -1, -1], [0, -1, 0, -1]].numpy().astype(int)
    if max(shape) < SIDE:  # enlarged, so that corners are pixels
        assert (corners == picture[[0, 0, -1, -1], [0, -1, 0, -1]]).all()


def test_places_by_hand():
    seen = np.array([[0, 0, 120, 80], [30, 20, 90, 60], [90, 0, 120, 20]])
    expected = [[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0.75, -0.75, 0.25, 0.25]]
    where = places(seen, (120, 80))
    assert where.dtype == torch.float32 and where.tolist() == expected


def test_maps_of_glimpses_size_are_the_same_through_a_window_of_all():
    maps = torch.rand(3, SIDE, SIDE)
    seen = np.array([[0, 0, 500, 300]] * 3)
    torch.testing.assert_close(through(maps, places(seen, (500, 300))), maps, atol=1e-4, rtol=0)


def test_each_map_is_seen_through_its_own_window():
    maps = torch.stack([torch.full((8, 12), 2.0), torch.arange(12.0).expand(8, 12)])
    seen = np.array([[0, 0, 10, 10], [60, 0, 108, 48]])  # from column 6 to column 10.8 of 12
    first, second = through(maps, places(seen, (120, 80)))
    torch.testing.assert_close(first, torch.full((SIDE, SIDE), 2.0))
    torch.testing.assert_close(second, second[:1].expand(SIDE, -1))
    steps = (torch.arange(SIDE) + 0.5) / SIDE
    torch.testing.assert_close(second[0], 6 + 4.8 * steps - 0.5, atol=1e-4, rtol=0)


@EXAMPLES
@given(masks_and_sizes(FEW))
def test_a_map_through_a_window_is_the_same_map_cut_as_a_picture(drawn):
    """A picture whose colours are its own places, at any size and through any window that occurs."""
    mask, _, (width, height) = drawn
    seen = windows(mask, (width, height))
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0], picture[..., 1] = np.arange(width), np.arange(height)[:, None]
    glimpse = cut(picture, seen)[0].float()
    for channel in (0, 1):
        plane = torch.from_numpy(picture[None, ..., channel]).float()
        same = through(plane, places(seen, (width, height)))[0]
        inner = np.s_[1:-1, 1:-1]  # the border of a window knows nothing of what lies beyond it
        atol = 1 + max(seen[0, 2] - seen[0, 0], seen[0, 3] - seen[0, 1]) / SIDE / 2
        torch.testing.assert_close(glimpse[..., channel][inner], same[inner], atol=float(atol), rtol=0)


# What is made of it


def glimpses(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, SIDE, SIDE, 3), dtype=torch.uint8)


@pytest.mark.parametrize("training", [False, True])
def test_outlines_start_as_the_coarse_masks(training):
    coarse = 8 * torch.randn(4, SIDE, SIDE)
    fine = Outliner().train(training)(glimpses(4), coarse)
    torch.testing.assert_close(fine, coarse.clamp(-6, 6))
    assert (fine.abs() == 6).any()


@pytest.mark.parametrize("training", [False, True])
def test_a_closer_look_starts_with_nothing_to_say(training):
    said = Closer(24).train(training)(glimpses(4), torch.rand(4, SIDE, SIDE))
    assert said.shape == (4, 24) and not said.any()


def two_places() -> torch.Tensor:
    return places(np.array([[0, 0, 64, 64], [16, 16, 48, 48]]), (64, 64))


def taught() -> IvmTiny:
    """A network whose closer look says something."""
    model = IvmTiny(SMALL).eval()
    torch.nn.init.normal_(model.closer.say.weight)
    torch.nn.init.normal_(model.outliner.change.weight)
    return model


def test_what_is_said_follows_the_glimpse_and_the_mask():
    model, seen, where, masks = taught(), glimpses(2), two_places(), torch.rand(2, 16, 16)
    said = model.look_closer(seen, where, masks)
    assert not torch.allclose(said, model.look_closer(seen.flip(0), where, masks), atol=1e-2)
    assert not torch.allclose(said, model.look_closer(seen, where, masks.flip(0)), atol=1e-2)
    for index in range(2):  # in any company
        own = model.look_closer(seen[index, None], where[index, None], masks[index, None])
        torch.testing.assert_close(own[0], said[index], atol=1e-4, rtol=1e-4)


def test_outlines_differ_from_the_coarse_masks_by_what_was_learned():
    model, seen, where, masks = taught(), glimpses(2), two_places(), torch.randn(2, 16, 16)
    coarse = through(masks, where).clamp(-6, 6)
    assert (model.outline(seen, where, masks) - coarse).abs().mean() > 0.01
    torch.nn.init.zeros_(model.outliner.change.weight)
    torch.testing.assert_close(model.outline(seen, where, masks), coarse)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (64, 64), (200, 150)])
def test_objects_are_looked_at_in_the_picture_as_it_is(size):
    picture = noise(size[1], size[0])
    masks = boxes(16, 16, (2, 6, 2, 6), (8, 16, 8, 16)) * 40 - 20
    seen, shown, where = look_at(picture, Found(masks, torch.tensor([0.9, 0.8])))
    assert (seen == windows(masks.sigmoid(), size)).all()
    assert torch.equal(shown, cut(picture, seen)) and torch.equal(where, places(seen, size))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (64, 64), (200, 150)])
def test_the_chosen_objects_are_drawn_in_the_order_asked_for(size):
    engine, picture = TorchEngine(taught(), torch.device("cpu")), noise(size[1], size[0])
    seen = engine.see(noise(64, 64), picture)
    assert len(seen.found.masks) == len(seen.windows) == seen.scene.kinds.shape[1]
    masks = torch.randn(3, 16, 16) + 9 * boxes(16, 16, (0, 4, 0, 4), (9, 16, 9, 16), (2, 6, 8, 12)) - 6
    found = Found(masks, torch.ones(3))
    where, shown, at = look_at(picture, found)
    seen = seen._replace(found=found, windows=where, glimpses=shown, where=at)
    together = engine.draw(seen, [2, 0, 1, 0])
    assert together.shape == (4, SIDE, SIDE)
    for number, drawn in zip([2, 0, 1, 0], together, strict=True):
        np.testing.assert_allclose(drawn, engine.draw(seen, [number])[0], atol=1e-3)
    assert np.abs(np.diff(together, axis=0)).max(axis=(1, 2)).min() > 0.1
