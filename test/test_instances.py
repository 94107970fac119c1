"""Heatmaps to targets."""

from __future__ import annotations

import numpy as np
import pytest

from ivm_ros.models.instances import targets_from_heatmap


def heat(shape, *patches):
    heatmap = np.zeros(shape, np.float32)
    for rows, columns, value in patches:
        heatmap[rows, columns] = value
    return heatmap


def test_pieces_become_targets_best_first():
    heatmap = heat((40, 60), (slice(2, 12), slice(3, 13), 0.7), (slice(20, 30), slice(30, 50), 0.9))
    targets = targets_from_heatmap(heatmap, label="cup")
    assert [target.box for target in targets] == [(30, 20, 50, 30), (3, 2, 13, 12)]
    assert [target.score for target in targets] == pytest.approx([0.9, 0.7])
    assert {target.label for target in targets} == {"cup"}
    assert targets[0].mask.sum() == 10 * 20


@pytest.mark.parametrize(
    ("patches", "threshold", "count"),
    [
        ([], 0.5, 0),
        ([(slice(0, 5), slice(0, 5), 0.4)], 0.5, 0),
        ([(slice(0, 5), slice(0, 5), 0.4)], 0.3, 1),
        ([(slice(0, 5), slice(0, 5), 0.5)], 0.5, 0),  # the threshold itself is not above it
        ([(slice(0, 20), slice(0, 20), 0.9), (slice(30, 31), slice(30, 31), 0.9)], 0.5, 1),  # a speck
        ([(slice(0, 5), slice(0, 5), 0.9), (slice(5, 9), slice(5, 9), 0.9)], 0.5, 1),  # corners touch
        ([(slice(0, 40), slice(0, 60), 1.0)], 0.5, 1),
    ],
)
def test_what_counts_as_a_piece(patches, threshold, count):
    assert len(targets_from_heatmap(heat((40, 60), *patches), threshold)) == count


def test_a_stray_piece_ranks_behind_the_thing():
    heatmap = heat((40, 60), (slice(0, 20), slice(0, 20), 0.7), (slice(30, 35), slice(30, 40), 0.9))
    targets = targets_from_heatmap(heatmap)
    assert [target.score for target in targets] == pytest.approx([0.7, 0.9 * 2 * 50 / 400])


def test_at_most_limit_targets_and_these_are_the_best():
    patches = [(slice(0, 8), slice(x, x + 8), 0.6 + x / 200) for x in range(0, 60, 12)]
    targets = targets_from_heatmap(heat((20, 60), *patches), limit=2)
    assert [target.box[0] for target in targets] == [48, 36]


def test_a_single_pixel_image():
    assert targets_from_heatmap(np.ones((1, 1), np.float32))[0].box == (0, 0, 1, 1)
