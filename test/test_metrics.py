"""Metrics on masks small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ivm_ros.evaluation.metrics import Metrics, area_under_roc
from ivm_ros.evaluation.overlap import box_iou
from ivm_ros.grounding import Grounding, Target


def strip(*columns: int) -> np.ndarray:
    """A (1, 8) mask with these columns set."""
    mask = np.zeros((1, 8), bool)
    mask[0, list(columns)] = True
    return mask


def box_of(mask):
    return Target.from_mask(mask, 1.0).box


def answer(*masks):
    targets = tuple(Target.from_mask(mask, 0.5) for mask in masks)
    return Grounding("x", np.zeros((1, 8), np.float32), targets, 0.5)


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0.0),
        ((0, 0, 4, 4), (1, 1, 3, 3), 0.25),
    ],
)
def test_box_iou(first, second, iou):
    assert box_iou(first, second) == pytest.approx(iou)
    assert box_iou(second, first) == pytest.approx(iou)


def test_all_metrics_on_four_samples():
    metrics = Metrics()
    half, right = strip(0, 1), strip(0, 1, 2, 3)
    assert metrics.add(answer(half), [right], [box_of(right)]) == pytest.approx(0.5)
    two = [strip(0), strip(4, 5)]
    assert metrics.add(answer(strip(4, 5)), two, [box_of(mask) for mask in two]) == pytest.approx(2 / 3)
    assert metrics.add(answer(), [right], [box_of(right)]) == 0.0
    assert metrics.add(answer(), [], []) == 1.0
    assert metrics.add(answer(strip(7)), [], []) == 0.0
    result = metrics.fractions()
    assert metrics.samples == 5
    assert result["giou"] == pytest.approx((0.5 + 2 / 3) / 3)
    assert result["giou_all"] == pytest.approx((0.5 + 2 / 3 + 1) / 5)
    assert result["ciou"] == pytest.approx((2 + 2) / (4 + 3 + 4 + 1))
    assert result["acc_50"] == pytest.approx(2 / 3)
    assert result["n_acc"] == 0.5
    assert result["t_acc"] == pytest.approx(2 / 3)


def test_what_was_never_asked_is_none():
    assert set(Metrics().fractions().values()) == {None}
    metrics = Metrics()
    metrics.add(answer(), [], [])
    assert metrics.fractions()["giou"] is None
    assert metrics.fractions()["n_acc"] == 1.0


@pytest.mark.parametrize(
    ("positive", "negative", "area"),
    [([2.0, 3.0], [0.0, 1.0], 1.0), ([0.0], [1.0], 0.0), ([1.0], [1.0], 0.5), ([0.0, 2.0], [1.0], 0.5)],
)
def test_area_under_roc(positive, negative, area):
    assert area_under_roc(positive, negative) == area
    assert np.isnan(area_under_roc(positive, []))
