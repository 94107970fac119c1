"""How good a model's groundings are: all metrics that a `Grounding` has, accumulated sample by sample.

What each metric is, and who published it, lies beside: masks in `masks`, boxes in `boxes`, groups in
`groups`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ivm_ros.evaluation.boxes import AveragePrecision, Grec
from ivm_ros.evaluation.groups import RRefCoco
from ivm_ros.evaluation.masks import Gres, Res
from ivm_ros.evaluation.overlap import box_iou, mask_overlap
from ivm_ros.evaluation.tally import Share, Tally
from ivm_ros.grounding import Box, Grounding, Mask

ACCEPTED_BOX_IOU = 0.5


def area_under_roc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Return the probability that a positive scores above a negative (Mann, Whitney); NaN without either."""
    difference = np.subtract.outer(np.asarray(positive), np.asarray(negative))
    return float(((difference > 0) + 0.5 * (difference == 0)).mean()) if difference.size else float("nan")


@dataclass
class Metrics(Tally):
    """Integer sums over the samples seen so far: exact in any order, however they are spread over processes.

    Memory does not grow with the samples. Masks are the unions of the targets, boxes the targets' own: what
    the model decided for. So a phrase is rejected where there is no target, and its mask is empty then.
    """

    best_box: Share = field(default_factory=Share)
    boxes: Grec = field(default_factory=Grec)
    ranked: AveragePrecision = field(default_factory=AveragePrecision)
    present: Res = field(default_factory=Res)
    masks: Gres = field(default_factory=Gres)
    groups: RRefCoco = field(default_factory=RRefCoco)

    def add(
        self,
        grounding: Grounding,
        masks: Sequence[Mask] | None,
        boxes: Sequence[Box],
        *,
        ignored: Mask | None = None,
        group: tuple[str, int] | None = None,
    ) -> float:
        """Add one sample; return its IoU (for an absent target: 1 if nothing was found, else 0).

        Args:
            grounding: the model's answer.
            masks: the targets' true (H, W) masks, none where nothing matches; None where boxes alone are
                known, then the IoU is the best box's.
            boxes: their boxes, in the same order.
            ignored: (H, W) bool, pixels that do not count for masks.
            group: name and number of samples of what the sample is measured together with, as R-RefCOCO's
                are.
        """
        best_iou = self._add_boxes(grounding, boxes)
        if masks is None:
            return best_iou
        present, rejected = bool(masks), not grounding.found
        true = np.logical_or.reduce(list(masks)) if masks else np.zeros_like(grounding.mask)
        overlap = mask_overlap(grounding.mask, true, ignored)
        self.masks.add(overlap, present, rejected)
        if present:
            self.present.add(overlap)
        if group is not None:
            self.groups.add(*group, overlap, present, rejected)
        return overlap.iou if present else float(rejected)

    def _add_boxes(self, grounding: Grounding, boxes: Sequence[Box]) -> float:
        found = [target.box for target in grounding.targets]
        self.boxes.add(found, boxes)
        self.ranked.add([(target.score, target.box) for target in grounding.targets], boxes)
        if not boxes:
            return float(not found)
        iou = max((box_iou(found[0], box) for box in boxes), default=0.0) if found else 0.0
        self.best_box.add(iou >= ACCEPTED_BOX_IOU)
        return iou

    @property
    def samples(self) -> int:
        """Return how many samples were added."""
        return self.boxes.right.samples

    def fractions(self) -> dict[str, float | None]:
        """Return all metrics by name, None where no sample defines them.

        `giou`: mean mask IoU of the present targets. `giou_all`, `ciou`: gRefCOCO's, as in `Gres`. `oiou`,
        `pr_*`: of the present targets, as in `Res`. `acc_50`: present samples whose best box overlaps a true
        one by IoU >= 0.5. `f1score`, `n_acc`, `t_acc`: as in `Grec`. `ap`, `ap_50`: as in
        `AveragePrecision`, over the targets that the model returned. `riou`, `mrr`: as in `RRefCoco`.
        """
        present, masks, groups = self.present.fractions(), self.masks.fractions(), self.groups.fractions()
        return {
            "giou": present.pop("miou"),
            "giou_all": masks["giou"],
            "ciou": masks["ciou"],
            "acc_50": self.best_box.value,
            **self.boxes.fractions(),
            **present,
            **self.ranked.fractions(),
            "riou": groups["riou"],
            "mrr": groups["mrr"],
        }
