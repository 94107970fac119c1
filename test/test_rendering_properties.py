"""Pictures of any size, heat and settings are those of the published formulas on the whole frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ivm_ros.grounding import Grounding, Target
from ivm_ros.rendering import MODES, RenderSettings, composite, composite_logits, fill_color, render

GREY_LEVELS = 2
SIDES = st.integers(1, 90)
EXAMPLES = settings(max_examples=150, deadline=None)


@st.composite
def heatmaps(draw, height, width):
    """(H, W) float32 in [0, 1]: spots of any size, at the border too, or nothing, or one value."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    heat = np.zeros((height, width), np.float32)
    for _ in range(draw(st.integers(0, 3))):
        y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        tall, wide = draw(st.integers(1, height)), draw(st.integers(1, width))
        spot = heat[y : y + tall, x : x + wide]
        spot[:] = np.maximum(spot, rng.uniform(draw(st.sampled_from([0.0, 0.9])), 1, spot.shape))
    heat[heat == 0] = draw(st.sampled_from([0.0, 0.1, 0.5]))
    return heat


@st.composite
def all_settings(draw):
    share = st.floats(0, 1)
    return RenderSettings(
        mode=draw(st.sampled_from(sorted(MODES))),
        fill=draw(st.sampled_from(["white", "black", "mean", "#0a80ff"])),
        threshold=draw(st.one_of(share, st.sampled_from([0.0, 0.5, 1.0]))),
        crop=draw(st.booleans()),
        dilate_rate=draw(st.one_of(st.floats(0, 0.2), share)),
        dilate_kernel=draw(st.integers(0, 40).map(lambda half: 2 * half + 1)),
        blur_kernel=draw(st.integers(0, 12).map(lambda half: 2 * half + 1)),
        range_threshold=draw(share),
        box_threshold=draw(share),
        min_reserved=draw(share),
        not_found=draw(st.sampled_from(["pass_through", "blank", "hold"])),
    )


@st.composite
def scenes(draw):
    height, width = draw(SIDES), draw(SIDES)
    image = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), np.uint8)
    return image, draw(heatmaps(height, width)), draw(all_settings())


def spread(values, side):
    """Dilate and blur with squares of one side."""
    return cv2.GaussianBlur(cv2.dilate(values, np.ones((side, side), np.uint8)), (side, side), 0)


def plain_weights(heat, settings):
    """Return (H, W) weights and what a crop keeps (IVM spec 2.1 to 2.3)."""
    height, width = heat.shape
    if settings.mode.startswith("soft"):
        soft = spread(heat, 2 * int(width * settings.dilate_rate) + 1)
        low, high = float(soft.min()), float(soft.max())
        top = 1 - settings.min_reserved
        if high - low > settings.range_threshold:
            soft = ((soft - low) / (high - low) * top).astype(np.float32)
        else:
            soft = np.full(heat.shape, top, np.float32)
        reserved = settings.min_reserved if settings.mode == "soft_highlight" else 0.0
        return np.clip(soft + reserved, 0, 1), soft > settings.box_threshold
    hard = settings.mode.startswith("hard")
    if not hard and heat.max() < settings.threshold:
        return np.ones(heat.shape), np.ones(heat.shape, bool)
    side = settings.dilate_kernel if hard else 2 * int(height * settings.dilate_rate) + 1
    weights = spread((heat > settings.threshold).astype(np.float32), side)
    return weights, weights > 0


def plain_background(image, settings):
    kind = settings.mode.removeprefix("soft_").removeprefix("hard_")
    if kind == "blur":
        return cv2.GaussianBlur(image.astype(np.float32), (settings.blur_kernel, settings.blur_kernel), 0)
    if kind == "gray":
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    return image * 0.25 if kind == "dim" else np.array(fill_color(image, settings.fill))


def plain(image, heat, settings):
    """Return the (H, W, 3) or (H, W, 4) picture in floating point, not rounded."""
    weights, kept = plain_weights(heat, settings)
    if settings.mode.endswith("alpha"):
        picture = np.dstack((image, 255.0 * weights))
    else:
        picture = image * weights[..., None] + plain_background(image, settings) * (1 - weights[..., None])
    if settings.crop and kept.any():
        ys, xs = np.nonzero(kept)
        return picture[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    return picture


def assert_same_picture(got, expected):
    assert got.dtype == np.uint8
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= GREY_LEVELS


@given(scenes())
@EXAMPLES
def test_pictures_are_those_of_the_formulas(scene):
    image, heat, settings = scene
    before = image.copy()
    assert_same_picture(composite(image, heat, settings), plain(image, heat, settings))
    assert np.array_equal(image, before)


@given(scenes(), st.data())
@EXAMPLES
def test_a_grounding_is_shown_where_its_targets_are(scene, data):
    image, heat, settings = scene
    masks = [data.draw(heatmaps(*heat.shape)) > 0.3 for _ in range(data.draw(st.integers(0, 2)))]
    targets = tuple(Target.from_mask(mask, 0.9) for mask in masks if mask.any())
    grounding = Grounding("the cup", heat, targets, 0.5)
    union = np.zeros(heat.shape, bool)
    for mask in masks:
        union |= mask
    picture = render(image, grounding, settings)
    shown = heat * union
    if targets and shown.max() >= settings.threshold:
        assert_same_picture(picture, plain(image, shown, settings))
        return
    assert picture.shape == (*heat.shape, 4 if settings.mode.endswith("alpha") else 3)
    if settings.not_found != "blank":
        assert np.array_equal(picture[..., :3], image)


@given(scenes(), st.integers(1, 40), st.integers(1, 40), st.integers(1, 64), st.integers(0, 99))
@EXAMPLES
def test_logits_give_the_picture_of_their_heatmap(scene, height, width, between, seed):
    image, _, settings = scene
    logits = 3 * np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32) - 2
    square = cv2.resize(logits, (between, between), interpolation=cv2.INTER_LINEAR)
    full = cv2.resize(square, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    heat = 1 / (1 + np.exp(-full))
    assume(np.abs(heat - settings.threshold).min() > 1e-5)  # there, rounding decides what is shown
    assume(abs(np.ptp(heat) - settings.range_threshold) > 1e-3)
    settings_ = settings if not settings.mode.startswith("soft") else RenderSettings(mode=settings.mode)
    assert_same_picture(composite_logits(image, logits, settings_, between), plain(image, heat, settings_))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (480, 640), (481, 639)])
@pytest.mark.parametrize("side", [23, 25, 27, 61, 201, 403])
def test_soft_edges_at_every_border(shape, side):
    """Where the blur is done at half the resolution, it still mirrors at the frame's last pixel."""
    height, width = shape
    image = np.zeros((*shape, 3), np.uint8)
    settings = RenderSettings(mode="hard_alpha", dilate_kernel=side)
    for rows, columns in ((0, 0), (0, -1), (-1, 0), (-1, -1), (height // 2, width // 2)):
        heat = np.zeros(shape, np.float32)
        heat[rows, columns] = 1
        expected, _ = plain_weights(heat, settings)
        got = MODES["hard_alpha"].weights(heat, settings)
        found = np.zeros(shape, np.float32)
        found[got.region] = got.values
        assert np.abs(found - expected).max() < (1e-5 if side < 25 else 1.5e-3)
        assert np.abs(composite(image, heat, settings)[..., 3] - 255 * expected).max() <= 1
