"""The crops that IVM is trained on."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from ivm_ros.training.ivm.random_crop import AREA, ASPECT, crop_window, random_resized_crop


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (500, 500)])
def test_windows_have_the_area_and_the_aspect_that_were_asked_for(width, height):
    random = Random(0)
    windows = [crop_window(width, height, random) for _ in range(200)]
    for x_min, y_min, x_max, y_max in windows:
        assert 0 <= x_min < x_max <= width and 0 <= y_min < y_max <= height
        w, h = x_max - x_min, y_max - y_min
        assert AREA[0] - 0.01 <= w * h / (width * height) <= AREA[1]
        assert ASPECT[0] - 0.01 <= w / h <= ASPECT[1] + 0.01
    assert len(set(windows)) > 100


@pytest.mark.parametrize(
    ("width", "height", "window"),
    [(1000, 100, (433, 0, 566, 100)), (90, 900, (0, 390, 90, 510)), (1, 1, (0, 0, 1, 1))],
)
def test_a_strip_gives_its_middle(width, height, window):
    assert crop_window(width, height, Random(0)) == window


def test_the_mask_is_cropped_as_the_image_is():
    heatmap = np.zeros((60, 80), np.float32)
    heatmap[20:41, 31:57] = 1.0
    heatmap[45:50, 10:15] = 0.4
    image = np.repeat(np.rint(heatmap * 255).astype(np.uint8)[..., None], 3, axis=2)
    random = Random(3)
    for _ in range(20):
        picture, heat = random_resized_crop(image, heatmap, 64, random)
        assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)
        assert (heat.shape, heat.dtype) == ((64, 64), np.float32)
        assert heat.min() >= 0.0 and heat.max() <= 1.0
        assert np.abs(picture / 255 - heat[..., None]).max() < 0.01


def test_the_seed_decides_the_crop_and_nothing_is_flipped():
    ramp = np.linspace(0, 1, 80, dtype=np.float32)[None].repeat(60, axis=0)
    image = np.repeat((ramp * 255).astype(np.uint8)[..., None], 3, axis=2)
    one, two, other = (random_resized_crop(image, ramp, 32, Random(seed))[1] for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert (np.diff(one, axis=1) > 0).all() and (np.diff(other, axis=1) > 0).all()
