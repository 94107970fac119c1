"""The types that everything flows through refuse what they must not hold."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import ColorGrounder, red_square

from ivm_ros.grounding import (
    MAX_INSTRUCTION_CHARS,
    Grounding,
    InvalidImageError,
    InvalidInstructionError,
    Target,
    check_image,
    check_instruction,
    combine,
)

MASK = np.zeros((4, 5), bool)
MASK[1:3, 2:4] = True
HEAT = MASK.astype(np.float32)


def test_a_target_knows_its_half_open_box_and_a_point_inside():
    target = Target.from_mask(MASK, 0.5, "cup")
    assert target.box == (2, 1, 4, 3)
    assert MASK[int(target.point[1]), int(target.point[0])]
    assert target.label == "cup"


def test_the_point_of_a_ring_lies_on_the_ring():
    ring = np.ones((5, 5), bool)
    ring[1:4, 1:4] = False
    x, y = Target.from_mask(ring, 1.0).point
    assert ring[int(y), int(x)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": (2, 1, 2, 3)}, "box"),
        ({"box": (2, 1, 6, 3)}, "box"),
        ({"box": (float("nan"), 1, 4, 3)}, "box"),
        ({"mask": MASK.astype(np.uint8)}, "mask"),
        ({"mask": MASK[None]}, "mask"),
        ({"point": (0, 0)}, "point"),
        ({"point": (9, 9)}, "point"),
        ({"score": 1.1}, "score"),
        ({"score": float("nan")}, "score"),
    ],
)
def test_a_bad_target_is_refused_by_name(change, message):
    good = {"box": (2, 1, 4, 3), "mask": MASK, "point": (2, 1), "score": 0.5}
    Target(**good)
    with pytest.raises(ValueError, match=message):
        Target(**{**good, **change})


def test_an_empty_mask_is_no_target():
    with pytest.raises(ValueError, match="at least one pixel"):
        Target.from_mask(np.zeros((3, 3), bool), 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heatmap": HEAT.astype(np.float64)}, "heatmap"),
        ({"heatmap": HEAT * 2}, "heatmap"),
        ({"heatmap": np.full((4, 5), np.nan, np.float32)}, "heatmap"),
        ({"heatmap": np.zeros((0, 5), np.float32)}, "heatmap"),
        ({"heatmap": np.zeros((8, 8), np.float32)}, "masks of shape"),
        ({"targets": (Target.from_mask(MASK, 0.1), Target.from_mask(MASK, 0.2))}, "best first"),
        ({"existence": -0.1}, "existence"),
    ],
)
def test_a_bad_grounding_is_refused_by_name(change, message):
    good = {"instruction": "cup", "heatmap": HEAT, "targets": (Target.from_mask(MASK, 0.5),), "existence": 1}
    Grounding(**good)
    with pytest.raises(ValueError, match=message):
        Grounding(**{**good, **change})


def test_groundings_are_immutable():
    grounding = Grounding("cup", HEAT.copy(), (Target.from_mask(MASK.copy(), 0.5),), 1.0)
    for array in (grounding.heatmap, grounding.mask, grounding.targets[0].mask):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    with pytest.raises(AttributeError):
        grounding.existence = 0.5


def test_combine_joins_several_instructions():
    other = np.zeros((4, 5), bool)
    other[0, 0] = True
    first = Grounding("a", HEAT * 0.5, (Target.from_mask(MASK, 0.3),), 0.4)
    second = Grounding("b", other.astype(np.float32), (Target.from_mask(other, 0.8),), 0.7)
    both = combine([first, second])
    assert both.instruction == "a; b"
    assert [target.score for target in both.targets] == [0.8, 0.3]
    assert both.existence == 0.7
    assert np.array_equal(both.mask, MASK | other)
    assert both.heatmap.max() == 1.0
    assert combine([first]) is first


def test_combine_refuses_nothing_and_mixed_sizes():
    with pytest.raises(ValueError, match="at least one"):
        combine([])
    with pytest.raises(ValueError, match="one size"):
        combine([Grounding("a", HEAT), Grounding("b", np.zeros((2, 2), np.float32))])


@pytest.mark.parametrize(
    "image",
    [
        None,
        [[1, 2, 3]],
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (4, 20000, 3)),
    ],
)
def test_unusable_images_are_refused(image):
    with pytest.raises(InvalidImageError, match="expected"):
        check_image(image)


@pytest.mark.parametrize(
    "text", ["", "  \n", "?!", None, 3, "x" * (MAX_INSTRUCTION_CHARS + 1), "r\ufffdd cup"]
)
def test_unusable_instructions_are_refused(text):
    with pytest.raises(InvalidInstructionError, match="expected"):
        check_instruction(text)


@pytest.mark.parametrize(
    ("text", "clean"),
    [("  the red\tcup \n", "the red cup"), ("红色的杯子", "红色的杯子"), ("x" * 1000, "x" * 1000)],
)
def test_white_space_is_tidied(text, clean):
    assert check_instruction(text) == clean


def test_a_grounder_is_both_halves():
    grounding = ColorGrounder()(red_square(), "the red square")
    assert grounding.targets[0].box == (3, 2, 7, 6)
