"""Metrics of boxes: one phrase and one true box (REC), phrases about nothing or many things (GREC), their AP.

All values are fractions in [0, 1]; None where no sample defines them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ivm_ros.evaluation.overlap import PERCENTS, Reached, box_iou, matched_by_giou
from ivm_ros.evaluation.tally import Mean, Share, Tally
from ivm_ros.grounding import Box

AP_PERCENTS = tuple(range(50, 100, 5))
AP_BOXES = 100
"""How many boxes of a sample count for AP: the best ones, as in COCO."""

_SCORE_STEPS = 1 << 16


@dataclass
class Rec(Tally):
    """Referring expression comprehension: each phrase is about one thing in the image.

    - `acc_50` ... `acc_90`: the share of samples whose best box has an IoU of at least 0.5 ... 0.9 with the
      true one. Acc@0.5 (PLVL), DetAcc@X (InstanceVG), Prec@0.5.
    - `box_iou`: the mean IoU of the best box and the true one.

    Args:
        strict: the IoU must be greater: MLLMSeg, which scores `pixel_box` of the predicted mask.
    """

    strict: bool = False
    reached: Reached = field(default_factory=Reached)
    iou: Mean = field(default_factory=Mean)

    def add(self, best: Box | None, true: Box) -> None:
        """Count one sample: the model's best box, if it has one, and the true one."""
        iou = 0.0 if best is None else box_iou(best, true)
        self.iou.add_float(iou)
        limits = (percent / 100 for percent in PERCENTS)
        self.reached.add(iou > limit if self.strict else iou >= limit for limit in limits)

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        return {**self.reached.shares("acc", self.iou.samples), "box_iou": self.iou.value}


@dataclass
class Grec(Tally):
    """Generalized referring expression comprehension: phrases about one thing, many, or nothing in the image.

    He et al., "GREC: Generalized Referring Expression Comprehension", arXiv:2308.16182, as their evaluator
    and InstanceVG's count it:

    - `f1score`: the share of samples that are perfectly right, F1 = 2 TP / (2 TP + FP + FN) = 1: every box
      found is paired with a true one, and every true one with a box. Pairs are made one to one, the highest
      generalized IoU first, while it is >= 0.5 (the paper says IoU; the evaluator takes GIoU). A phrase
      about nothing is right where there is no box. Pr@(F1=1, IoU>=0.5).
    - `n_acc`: the share of phrases about nothing for which there is no box.
    - `t_acc`: the share of phrases about something for which there is one.
    """

    right: Share = field(default_factory=Share)
    absent_rejected: Share = field(default_factory=Share)
    present_kept: Share = field(default_factory=Share)

    def add(self, found: Sequence[Box], true: Sequence[Box]) -> None:
        """Count one sample: the boxes that the model decided for, and the true ones."""
        if true:
            self.present_kept.add(bool(found))
            self.right.add(len(found) == len(true) == matched_by_giou(list(found), list(true)))
        else:
            self.absent_rejected.add(not found)
            self.right.add(not found)

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        return {
            "f1score": self.right.value,
            "n_acc": self.absent_rejected.value,
            "t_acc": self.present_kept.value,
        }


@dataclass
class AveragePrecision(Tally):
    """GREC's companion without a threshold on scores: average precision, as COCO defines it.

    - `ap_50`: the mean over the recalls 0, 0.01 ... 1 of the best precision at that recall or a higher one;
      a box is right where its IoU is >= 0.5 with a true one that no better box took. `ap`: the mean of that
      for the IoUs 0.50, 0.55 ... 0.95.

    Boxes of all samples are one list, ordered by score; boxes for phrases about nothing are wrong ones.
    Scores are counted in steps of 2**-16, and boxes of one step count together, so that memory does not grow
    with the samples and their order does not matter: the value is COCO's for the scores that are so rounded.

    Attributes:
        steps: score in steps -> number of boxes, then of right ones for each IoU.
        true: number of true boxes.
    """

    steps: dict[str, list[int]] = field(default_factory=dict)
    true: int = 0

    def add(self, found: Sequence[tuple[float, Box]], true: Sequence[Box]) -> None:
        """Count one sample: all boxes with scores in [0, 1], before any threshold, and the true ones."""
        self.true += len(true)
        best = sorted(found, key=lambda pair: -pair[0])[:AP_BOXES]
        table = np.array([[box_iou(box, truth) for truth in true] for _, box in best])
        right = [_right(table, percent / 100) for percent in AP_PERCENTS]
        for row, (score, _) in enumerate(best):
            counts = self.steps.setdefault(str(round(score * _SCORE_STEPS)), [0] * (1 + len(AP_PERCENTS)))
            counts[0] += 1
            for column, rows in enumerate(right, start=1):
                counts[column] += row in rows

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        if not self.true:
            return {"ap": None, "ap_50": None}
        order = sorted(self.steps, key=int, reverse=True)
        counts = np.cumsum([self.steps[step] for step in order] or [[0] * (1 + len(AP_PERCENTS))], axis=0)
        values = [self._average(counts[:, 0], right) for right in counts[:, 1:].T]
        return {"ap": float(np.mean(values)), "ap_50": values[0]}

    def _average(self, boxes: np.ndarray, right: np.ndarray) -> float:
        """Average the best precision at each recall or a higher one; both are counts down to each score."""
        precision = np.maximum.accumulate((right / np.maximum(boxes, 1))[::-1])[::-1]
        # In floating point, as COCO's: a recall of 29/100 need not be its 0.29.
        first = np.searchsorted(right / self.true, np.linspace(0.0, 1.0, 101))
        return float(np.append(precision, 0.0)[first].mean())


def _right(table: np.ndarray, limit: float) -> set[int]:
    """Return which boxes are right: each, the best score first, takes the true one that it overlaps most."""
    right: set[int] = set()
    free = table.copy()
    for row in range(len(free) if free.size else 0):
        column = int(free[row].argmax())
        if free[row, column] >= limit:
            right.add(row)
            free[:, column] = -1.0
    return right


@dataclass
class PointCover(Tally):
    """InstanceVG's cover accuracy of the points that its queries start from.

    - `cover_acc`: the mean over samples with a target of the share of true boxes that hold at least one
      point.
    """

    share: Mean = field(default_factory=Mean)

    def add(self, points: np.ndarray, true: Sequence[Box]) -> None:
        """Count one sample: (Q, 2) points x, y in pixels, and the true boxes."""
        if true:
            inside = [np.all((points >= box[:2]) & (points <= box[2:]), axis=1) for box in true]
            covered = sum(bool(points_inside.any()) for points_inside in inside)
            self.share.add(covered, len(true))

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        return {"cover_acc": self.share.value}
