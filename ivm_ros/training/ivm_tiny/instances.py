"""The visible objects of a view as the network finds them: where each is deepest, and what covers it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
import numpy.typing as npt

_FEWEST_PIXELS = 15
"""Visible pixels at 256x192 of an object that is looked for at all."""

_SHARP = 2
"""Power of the depth by which cells are drawn."""


@dataclass(frozen=True, eq=False)
class ViewObjects:
    """N visible objects of a view.

    Attributes:
        ids: (N,) int64 their values in the instance map.
        masks: (N, H, W) bool.
        cells: (N, 2) int64 row and column of a cell of the stride 4 in each.
        heat: (H / 4, W / 4) float32: 1 deepest inside an object, 0 outside.
    """

    ids: npt.NDArray[np.int64]
    masks: npt.NDArray[np.bool_]
    cells: npt.NDArray[np.int64]
    heat: npt.NDArray[np.float32]


def view_objects(instances: npt.NDArray[np.uint8], rng: Random) -> ViewObjects:
    """Return the objects of an (H, W) instance map, without those of which hardly anything is visible."""
    height, width = instances.shape
    heat = np.zeros((height // 4, width // 4), np.float32)
    pixels = np.bincount(instances.ravel(), minlength=256)
    pixels[0] = 0
    ids = np.flatnonzero(pixels >= _FEWEST_PIXELS)
    masks = instances[None] == ids[:, None, None]
    cells = []
    for mask in masks:
        depth, row, column = _depth(mask)
        heat[row : row + depth.shape[0], column : column + depth.shape[1]] = np.maximum(
            heat[row : row + depth.shape[0], column : column + depth.shape[1]], depth
        )
        flat = np.cumsum(depth.ravel() ** _SHARP)
        drawn = min(int(np.searchsorted(flat, rng.random() * flat[-1])), len(flat) - 1)
        cells.append((row + drawn // depth.shape[1], column + drawn % depth.shape[1]))
    return ViewObjects(ids, masks, np.array(cells, np.int64).reshape(-1, 2), heat)


def _depth(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float32], int, int]:
    """Return how deep the cells of a mask are, 1 in its deepest, and the row and column where they begin."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    top, left = y // 4 * 4, x // 4 * 4
    bottom, right = -(-(y + h) // 4) * 4, -(-(x + w) // 4) * 4
    inside = np.zeros((bottom - top + 2, right - left + 2), np.uint8)
    inside[1:-1, 1:-1] = mask[top:bottom, left:right]
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    blocks = distance.reshape((bottom - top) // 4, 4, (right - left) // 4, 4).max(axis=(1, 3))
    return (blocks / blocks.max()).astype(np.float32), top // 4, left // 4
