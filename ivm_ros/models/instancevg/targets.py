"""What was read to targets whose box, mask and point agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Box, Mask, Target


def agreeing_target(
    box: npt.NDArray[np.float64],
    point: npt.NDArray[np.float32],
    masks: Sequence[Mask],
    score: float,
    label: str,
) -> Target:
    """Return a target of a box, with the part of a mask that is inside it and a point of that.

    Args:
        box: (4,) corners in pixels, with an area.
        point: (2,) x and y as shares of the picture, where the model looked.
        masks: (H, W) each, best first: the first that has a pixel in the box counts. Where none has, the
            whole box is the mask, as the box is all that was found.
        score: in [0, 1].
        label: the phrase.
    """
    height, width = masks[0].shape
    x_min, y_min = (max(float(value), 0.0) for value in box[:2])
    x_max, y_max = min(float(box[2]), width), min(float(box[3]), height)
    inside = slice(math.floor(y_min), math.ceil(y_max)), slice(math.floor(x_min), math.ceil(x_max))
    mask: Mask = np.zeros((height, width), dtype=np.bool_)
    mask[inside] = next((each[inside] for each in masks if each[inside].any()), True)
    corners = x_min, y_min, x_max, y_max
    place = _point(mask, corners, inside, float(point[0]) * width, float(point[1]) * height)
    return Target(box=corners, mask=mask, point=place, score=score, label=label)


def _point(mask: Mask, box: Box, inside: tuple[slice, slice], x: float, y: float) -> tuple[float, float]:
    """Return (x, y) where mask and box have it, else the place nearest to it that they have."""
    column, row = min(int(x), mask.shape[1] - 1), min(int(y), mask.shape[0] - 1)
    if not mask[row, column]:
        rows, columns = np.nonzero(mask[inside])  # there is none outside
        rows, columns = rows + inside[0].start, columns + inside[1].start
        best = int(np.argmin((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2))
        column, row = int(columns[best]), int(rows[best])
    return _within(x, column, box[0], box[2]), _within(y, row, box[1], box[3])


def _within(place: float, pixel: int, low: float, high: float) -> float:
    """Return the place if it is in the part of a pixel that a box covers, else the middle of that part."""
    low, high = max(low, float(pixel)), min(high, float(pixel + 1))
    return place if low <= place < high else (low + high) / 2
