"""Whether a model's numbers can be believed: of all answers with a confidence of 0.7, are 70 % right?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from ivm_ros.datasets.samples import Sample
from ivm_ros.evaluation.overlap import Overlap, box_iou, mask_overlap
from ivm_ros.evaluation.tally import Tally, fixed, ratio
from ivm_ros.grounding import Grounding, Target

BINS = 15
"""Equal parts of [0, 1] in which confidences are taken together, as many as in Guo et al."""

_ONE = fixed(1, 1)


@dataclass(frozen=True)
class Bin:
    """The answers whose confidences are near each other; at least one.

    Attributes:
        confidence: their mean confidence in [0, 1].
        right: the share of them that is right.
        samples: how many they are.
    """

    confidence: float
    right: float
    samples: int


@dataclass
class Reliability(Tally):
    """Confidences against what was right: a reliability diagram and the expected calibration error.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. A bin holds its upper end
    and not its lower one, but for 0, which is in the first. Sums are exact, in whatever order samples come.

    Attributes:
        samples: in each bin.
        right: of those.
        confidence: the sum in each bin, in units of 2**-64.
    """

    samples: list[int] = field(default_factory=lambda: [0] * BINS)
    right: list[int] = field(default_factory=lambda: [0] * BINS)
    confidence: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, confidence: float, right: bool) -> None:
        """Count one answer with a confidence in [0, 1]."""
        part, whole = confidence.as_integer_ratio()
        place = max(0, -(-part * BINS // whole) - 1)  # in integers: no bin depends on rounding
        self.samples[place] += 1
        self.right[place] += bool(right)
        self.confidence[place] += fixed(part, whole)

    @property
    def error(self) -> float | None:
        """Return the expected calibration error in [0, 1]; None without a sample.

        The mean over samples of how far the bin's mean confidence is from its share of right answers.
        """
        gaps = (
            abs(right * _ONE - confidence)
            for right, confidence in zip(self.right, self.confidence, strict=True)
        )
        return ratio(sum(gaps), sum(self.samples) * _ONE)

    def bins(self) -> tuple[Bin, ...]:
        """Return the bins that hold anything, lowest first."""
        columns = zip(self.confidence, self.right, self.samples, strict=True)
        return tuple(
            Bin(confidence / (count * _ONE), right / count, count)
            for confidence, right, count in columns
            if count
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values: `ece`, `samples`, and the `bins`."""
        return {
            "ece": self.error,
            "samples": sum(self.samples),
            "bins": [asdict(each) for each in self.bins()],
        }


class Scored(NamedTuple):
    """One target of an answer.

    Attributes:
        score: that the model gave it, in [0, 1].
        right: its IoU with one of the true targets is above 0.5.
    """

    score: float
    right: bool


def scored_targets(sample: Sample, grounding: Grounding) -> Iterator[Scored]:
    """Yield the targets of an answer; by their masks, or by their boxes where the truth has boxes alone.

    Targets that lie, by more than half, where pixels do not count are left out: nobody knows what is right.
    """
    for target in grounding.targets:
        if sample.annotated is None:
            right = any(box_iou(target.box, box) > 0.5 for box in sample.boxes)
        elif sample.ignored is not None and _unknown(target, sample):
            continue
        else:
            overlaps = (mask_overlap(target.mask, true, sample.ignored) for true in sample.annotated)
            right = any(_above_half(overlap) for overlap in overlaps)
        yield Scored(target.score, right)


def _unknown(target: Target, sample: Sample) -> bool:
    """Tell whether less than half of a target is where pixels count."""
    counted = mask_overlap(target.mask, target.mask, sample.ignored).union
    return 2 * counted < int(target.mask.sum())


def _above_half(overlap: Overlap) -> bool:
    return 2 * overlap.intersection > overlap.union
