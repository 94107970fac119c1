"""What other thresholds would have given: counted in one pass, from a few integers for each sample."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from ivm_ros.evaluation.tally import Tally, fixed
from ivm_ros.grounding import Heatmap, Mask

MASK_THRESHOLDS = tuple(step / 20 for step in range(1, 20))
EXISTENCE_THRESHOLDS = tuple(step / 100 for step in range(1, 100))
_HALF = MASK_THRESHOLDS.index(0.5)


@dataclass(frozen=True)
class HeatCounts:
    """How a heatmap covers the truth at each of `MASK_THRESHOLDS`: numbers of pixels.

    Attributes:
        true: in the true mask.
        found: above each threshold.
        hit: of those, in the true mask.
    """

    true: int
    found: tuple[int, ...]
    hit: tuple[int, ...]

    @classmethod
    def count(cls, heatmap: Heatmap, true: Mask, ignored: Mask | None = None) -> HeatCounts:
        """Count an (H, W) heatmap against the (H, W) union of the targets, `ignored` pixels left out."""
        if ignored is not None:
            heatmap, true = heatmap[~ignored], true[~ignored]
        return cls(int(np.count_nonzero(true)), _above(heatmap), _above(heatmap[true]))

    def overlap(self, position: int) -> tuple[int, int]:
        """Return intersection and union at a threshold; a union of 0 as 1."""
        hit = self.hit[position]
        return hit, max(self.found[position] + self.true - hit, 1)

    def state(self) -> dict[str, Any]:
        """Return it as values that JSON can hold; `HeatCounts.restore` reads them."""
        return {"true": self.true, "found": list(self.found), "hit": list(self.hit)}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> HeatCounts:
        """Make it of what `state` returned."""
        return cls(state["true"], tuple(state["found"]), tuple(state["hit"]))


def _above(heat: Heatmap) -> tuple[int, ...]:
    """Return for each of `MASK_THRESHOLDS` how many pixels are above it."""
    return tuple(int(np.count_nonzero(heat > threshold)) for threshold in MASK_THRESHOLDS)


@dataclass(frozen=True)
class Curve:
    """Three metrics over a threshold; None where no sample defines them.

    Attributes:
        threshold: where they are known.
        giou: mean IoU of the masks, where a target is present.
        n_acc: share of instructions about nothing that are answered with nothing.
        t_acc: share of instructions about something that are answered with something.
    """

    threshold: tuple[float, ...]
    giou: tuple[float | None, ...]
    n_acc: tuple[float | None, ...]
    t_acc: tuple[float | None, ...]


@dataclass
class MaskCurve(Tally):
    """Sums at each of `MASK_THRESHOLDS`, if masks were the heat above it wherever anything was found.

    Where it found nothing, the mask stays empty: whether something is there is the model's own decision.
    """

    present: int = 0
    absent: int = 0
    iou: list[int] = field(default_factory=lambda: [0] * len(MASK_THRESHOLDS))
    kept: list[int] = field(default_factory=lambda: [0] * len(MASK_THRESHOLDS))
    rejected: list[int] = field(default_factory=lambda: [0] * len(MASK_THRESHOLDS))

    def add(self, heat: HeatCounts, present: bool, found: bool) -> None:
        """Count one sample."""
        self.present += present
        self.absent += not present
        for position, pixels in enumerate(heat.found):
            answered = found and pixels > 0
            if not present:
                self.rejected[position] += not answered
            elif answered:
                self.kept[position] += 1
                self.iou[position] += fixed(*heat.overlap(position))

    @property
    def samples(self) -> int:
        """Return how many samples were added."""
        return self.present + self.absent

    def curve(self) -> Curve:
        """Return the metrics over the threshold."""
        return Curve(
            MASK_THRESHOLDS,
            _means(self.iou, self.present),
            _shares(self.rejected, self.absent),
            _shares(self.kept, self.present),
        )


_LEVELS = len(EXISTENCE_THRESHOLDS) + 1


@dataclass
class ExistenceCurve(Tally):
    """Sums for each step of existence, of which `curve` makes those at each of `EXISTENCE_THRESHOLDS`.

    Whatever has at least that existence would be answered: with the model's own mask where it found
    something, else with the heat above 0.5. Lists are over how many of the thresholds a sample reaches.

    Attributes:
        present: samples about something.
        absent: samples about nothing.
        masked: of those about something, such whose true mask is known.
        iou: of their masks, in units of 2**-64.
    """

    present: list[int] = field(default_factory=lambda: [0] * _LEVELS)
    absent: list[int] = field(default_factory=lambda: [0] * _LEVELS)
    masked: int = 0
    iou: list[int] = field(default_factory=lambda: [0] * _LEVELS)

    def add(self, existence: float, heat: HeatCounts | None, present: bool, own_iou: float | None) -> None:
        """Count one sample.

        Args:
            existence: as the model says, in [0, 1].
            heat: None where the true mask is not known.
            present: the instruction is about something.
            own_iou: of the model's own mask; None where it found nothing.
        """
        level = bisect_right(EXISTENCE_THRESHOLDS, existence)
        if not present:
            self.absent[level] += 1
            return
        self.present[level] += 1
        if heat is not None:
            self.masked += 1
            iou = heat.overlap(_HALF) if own_iou is None else own_iou.as_integer_ratio()
            self.iou[level] += fixed(*iou)

    def curve(self) -> Curve:
        """Return the metrics over the threshold."""
        absent = sum(self.absent)
        answered = _reaching(self.absent)
        return Curve(
            EXISTENCE_THRESHOLDS,
            _means(_reaching(self.iou), self.masked),
            _shares([absent - count for count in answered], absent),
            _shares(_reaching(self.present), sum(self.present)),
        )


def _reaching(levels: Sequence[int]) -> list[int]:
    """Return the sums over all samples that reach each threshold."""
    return list(accumulate(reversed(levels)))[::-1][1:]


def _shares(counts: Sequence[int], samples: int) -> tuple[float | None, ...]:
    return tuple(count / samples if samples else None for count in counts)


def _means(sums: Sequence[int], samples: int) -> tuple[float | None, ...]:
    return _shares(sums, samples * fixed(1, 1))
