"""MUSE: questions about several things at once, each answered with one mask per thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ivm_ros.evaluation.overlap import Overlap, mask_overlap
from ivm_ros.evaluation.tally import Mean, Tally, fixed, ratio
from ivm_ros.grounding import Mask

Logits = npt.NDArray[np.floating]


@dataclass
class Muse(Tally):
    """Masks paired with true ones, question by question.

    Ren et al., "PixelLM: Pixel Reasoning with Large Multimodal Model", CVPR 2024, as UGround counts it. In a
    question, masks and true masks are paired (`paired`); what is left of either is paired with an empty
    mask. The IoU is 1 where both are empty.

    - `giou`: the sum of IoU over all pairs of all images / the sum over images of the larger of the numbers
      of its masks and of its true masks.
    - `ciou`: the sum of I / the sum of U over all pairs.
    """

    iou: int = 0
    pairs: int = 0
    intersection: int = 0
    union: int = 0

    def add(self, questions: Sequence[tuple[Logits, Sequence[Mask]]]) -> None:
        """Count one image: for each question (P, H, W) logits, a mask where > 0, and the true masks."""
        for logits, true in questions:
            for overlap in _overlaps(logits, true):
                self.iou += fixed(*overlap) if overlap.union else fixed(1, 1)
                self.intersection += overlap.intersection
                self.union += overlap.union
        self.pairs += max(
            sum(len(logits) for logits, _ in questions), sum(len(true) for _, true in questions)
        )

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        mean = Mean()
        if self.pairs:
            mean.add_mean(self.iou, self.pairs)
        return {"giou": mean.value, "ciou": ratio(self.intersection, self.union)}


def paired(logits: Logits, true: Sequence[Mask]) -> list[tuple[int, int]]:
    """Pair masks with true ones at the least cost: mean binary cross entropy + dice loss (smoothed by 1).

    The published evaluator takes both from 12,544 random points; here every pixel counts, so that the same
    masks always have the same score.

    Args:
        logits: (P, H, W).
        true: (H, W) bool each.

    Returns:
        (index of the mask, index of the true mask), min(P, number of true masks) times.

    Raises:
        ImportError: scipy is not installed.
    """
    if not len(logits) or not len(true):
        return []
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise ImportError("pairing masks needs scipy: pip install 'ivm-ros[train]'") from error
    flat = logits.reshape(len(logits), -1).astype(np.float64)
    truth = np.stack(true).reshape(len(true), -1).astype(np.float64)
    # -log(sigmoid(x)) where true and -log(1 - sigmoid(x)) = x - log(sigmoid(x)) elsewhere.
    cross_entropy = (np.logaddexp(0.0, flat).sum(1)[:, None] - flat @ truth.T) / flat.shape[1]
    probability = 0.5 * (1.0 + np.tanh(0.5 * flat))
    dice = 1.0 - (2.0 * probability @ truth.T + 1.0) / (
        probability.sum(1)[:, None] + truth.sum(1)[None] + 1.0
    )
    rows, columns = linear_sum_assignment(cross_entropy + dice)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]


def _overlaps(logits: Logits, true: Sequence[Mask]) -> list[Overlap]:
    pairs = paired(logits, true)
    found, known = {row for row, _ in pairs}, {column for _, column in pairs}
    return [
        *(mask_overlap(logits[row] > 0, true[column]) for row, column in pairs),
        *(Overlap(0, int((mask > 0).sum())) for row, mask in enumerate(logits) if row not in found),
        *(Overlap(0, int(mask.sum())) for column, mask in enumerate(true) if column not in known),
    ]
