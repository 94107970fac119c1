"""The share of the image that IVM keeps, and the box around it (spec section 2.1)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden import GoldenCase, case

from ivm_ros.models.ivm.postprocess import bounding_box, heatmap, kept_ratio, one_step_heatmap


@pytest.fixture(scope="module")
def golden(golden_root) -> GoldenCase:
    return case(golden_root, "ivm", "ratio_box")


@pytest.fixture(scope="module")
def probabilities(golden) -> list[np.ndarray]:
    sizes = [tuple(size) for size in golden["in.sizes_wh"].tolist()]
    return [one_step_heatmap(golden["in.logits"][[i]], size) for i, size in enumerate(sizes)]


def test_kept_ratio(golden, probabilities):
    golden.assert_close(np.array([kept_ratio(p, 0.1) for p in probabilities]), "out.ratio_thr0.1")


def test_bounding_box(golden, probabilities):
    boxes = [bounding_box(p, 0.6) or (-1, -1, -1, -1) for p in probabilities]
    golden.assert_close(np.array(boxes), "out.box_thr0.6")


def test_the_defaults_are_those_of_the_vectors():
    assert kept_ratio.__defaults__ == (0.1,)
    assert bounding_box.__defaults__ == (0.6,)


def test_heatmap_takes_two_bilinear_steps_and_the_sigmoid_last():
    # By hand: 2 -> 4 -> 6 columns with half-pixel centres, of logits -4 and 4.
    logits = torch.tensor([[-4.0, 4.0], [-4.0, 4.0]])[None, None]
    once = np.array([-4.0, -2.0, 2.0, 4.0])
    twice = np.interp((np.arange(6) + 0.5) * 4 / 6 - 0.5, np.arange(4), once)
    expected = np.tile(1 / (1 + np.exp(-twice)), (3, 1))
    actual = heatmap(logits, 4, (6, 3))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    assert np.abs(one_step_heatmap(logits, (6, 3)) - actual).max() > 1e-3


def test_heatmap_of_half_precision_logits():
    logits = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    np.testing.assert_array_equal(heatmap(logits, 32, (40, 30)), heatmap(logits.float(), 32, (40, 30)))


def test_nothing_above_the_threshold_has_no_box():
    assert bounding_box(np.full((3, 4), 0.6, np.float32), 0.6) is None
    assert kept_ratio(np.full((3, 4), 0.1, np.float32), 0.5) == 0.0
