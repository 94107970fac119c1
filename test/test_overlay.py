"""The picture for people."""

from __future__ import annotations

import numpy as np
import pytest

from ivm_ros.grounding import Grounding, Target
from ivm_ros.overlay import overlay


@pytest.fixture
def image():
    return np.full((120, 160, 3), 100, np.uint8)


def grounding(words="the cup", found=True):
    mask = np.zeros((120, 160), bool)
    mask[50:80, 60:100] = True
    heatmap = mask.astype(np.float32) * 0.9
    return Grounding(words, heatmap, (Target.from_mask(mask, 0.9),) if found else (), 0.9 if found else 0.1)


def test_targets_are_tinted_and_the_rest_is_left_alone(image):
    before = image.copy()
    picture = overlay(image, [grounding()])
    assert np.array_equal(image, before)
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8
    assert (picture[70, 90] != image[70, 90]).any()
    assert np.array_equal(picture[90:], image[90:])


def test_instructions_have_colours_of_their_own(image):
    first = overlay(image, [grounding()])[72, 92]
    second = overlay(image, [grounding(found=False), grounding()])[72, 92]
    assert (first != second).any()


@pytest.mark.parametrize("words", ["x" * 500, "红色的杯子", "the cup"])
@pytest.mark.parametrize("shape", [(120, 160), (1, 1), (7, 300)])
def test_any_words_fit_on_any_picture(words, shape):
    image = np.zeros((*shape, 3), np.uint8)
    empty = Grounding(words, np.zeros(shape, np.float32))
    assert overlay(image, [empty] * 7, note="age 12 ms").shape == (*shape, 3)


def test_the_note_is_inside_the_picture(image):
    picture = overlay(image, [], note="age 12 ms")
    written = np.flatnonzero((picture != image).any(axis=(1, 2)))
    assert written.min() > 90
    assert written.max() <= 119
    assert (picture[written.max()] == 20).any()  # the lower edge of the dark ground is there too
