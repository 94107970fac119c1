"""How far two masks or two boxes cover each other; what each metric makes of it lies beside.

Boxes are (x_min, y_min, x_max, y_max) in pixels, half-open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ivm_ros.evaluation.tally import Tally, ratio
from ivm_ros.grounding import Box, Mask

PERCENTS = (50, 60, 70, 80, 90)
"""The thresholds on an IoU at which shares are published, in percent: integers, to be met exactly."""


class Overlap(NamedTuple):
    """Numbers of pixels in the intersection and in the union of two masks."""

    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """Return intersection over union; 0 where neither mask has a pixel."""
        return self.intersection / self.union if self.union else 0.0

    def reaches(self) -> list[bool]:
        """Tell for each of `PERCENTS` whether the IoU is at least that, without rounding."""
        return [self.union > 0 and 100 * self.intersection >= percent * self.union for percent in PERCENTS]


@dataclass
class Reached(Tally):
    """How many samples reached each of `PERCENTS`."""

    counts: list[int] = field(default_factory=lambda: [0] * len(PERCENTS))

    def add(self, hits: Iterable[bool]) -> None:
        """Count one sample: for each of `PERCENTS`, whether it was reached."""
        self.counts = [count + hit for count, hit in zip(self.counts, hits, strict=True)]

    def shares(self, name: str, samples: int) -> dict[str, float | None]:
        """Return the shares of `samples` under `name`_50 ... `name`_90."""
        counted = zip(PERCENTS, self.counts, strict=True)
        return {f"{name}_{percent}": ratio(count, samples) for percent, count in counted}


def mask_overlap(first: Mask, second: Mask, ignored: Mask | None = None) -> Overlap:
    """Return the overlap of two (H, W) bool masks, without the pixels of `ignored`."""
    if first.shape != second.shape:
        raise ValueError(f"expected two masks of one size, got {first.shape} and {second.shape}")
    both, either = first & second, first | second
    if ignored is not None:
        both, either = both & ~ignored, either & ~ignored
    return Overlap(int(np.count_nonzero(both)), int(np.count_nonzero(either)))


def box_iou(first: Box, second: Box) -> float:
    """Return intersection over union of two boxes; 0 where they do not overlap."""
    intersection, union, _ = _areas(first, second)
    return intersection / union if intersection > 0 else 0.0


def box_giou(first: Box, second: Box) -> float:
    """Return the generalized IoU of two boxes in [-1, 1]: IoU - (hull - union) / hull.

    Rezatofighi et al., "Generalized Intersection over Union", CVPR 2019; without any epsilon. -1 where the
    hull has no area.
    """
    intersection, union, hull = _areas(first, second)
    if hull <= 0:
        return -1.0
    return (intersection / union if union > 0 else 0.0) - (hull - union) / hull


def pixel_box(mask: Mask) -> Box:
    """Return the first and last pixel's x and y of a mask, both inside it; (0, 0, 0, 0) where it is empty.

    MLLMSeg scores such boxes, which are a pixel smaller than `Target.from_mask`'s.
    """
    ys, xs = np.nonzero(mask)
    if not xs.size:
        return 0.0, 0.0, 0.0, 0.0
    return float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max())


def matched_by_giou(found: list[Box], true: list[Box], at_least: float = 0.5) -> int:
    """Return how many boxes pair up one to one, the best pair first, while their GIoU is high enough."""
    if not found or not true:
        return 0
    table: npt.NDArray[np.float64] = np.array([[box_giou(box, truth) for truth in true] for box in found])
    pairs = 0
    while pairs < min(table.shape):
        best = np.unravel_index(int(table.argmax()), table.shape)
        if table[best] < at_least:
            break
        table[best[0], :] = table[:, best[1]] = -np.inf
        pairs += 1
    return pairs


def _areas(first: Box, second: Box) -> tuple[float, float, float]:
    """Return the areas of the intersection, the union and the smallest box around both."""
    width = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    hull = (max(first[2], second[2]) - min(first[0], second[0])) * (
        max(first[3], second[3]) - min(first[1], second[1])
    )
    intersection = width * height
    return intersection, areas[0] + areas[1] - intersection, hull
