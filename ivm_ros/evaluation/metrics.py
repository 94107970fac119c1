"""How good groundings are: masks, boxes, and saying "not there", accumulated sample by sample.

The words are the field's: gIoU and cIoU, N-acc and T-acc as in gRefCOCO's generalized referring
expression segmentation, Acc@0.5 as in referring expression comprehension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ivm_ros.grounding import Box, Grounding, Mask

ACCEPTED_BOX_IOU = 0.5


def box_iou(first: Box, second: Box) -> float:
    """Return intersection over union of two half-open (x_min, y_min, x_max, y_max) boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = ((x_max - x_min) * (y_max - y_min) for x_min, y_min, x_max, y_max in (first, second))
    return width * height / (sum(areas) - width * height)


def mask_overlap(first: Mask, second: Mask) -> tuple[int, int]:
    """Return the numbers of pixels in the intersection and in the union of two masks."""
    return int(np.count_nonzero(first & second)), int(np.count_nonzero(first | second))


@dataclass
class Metrics:
    """Sums over the samples seen so far; the properties are fractions in [0, 1], None where undefined."""

    present: int = 0  # samples with at least one target
    absent: int = 0  # samples with none
    iou_sum: float = 0.0  # of the present ones
    intersection: int = 0
    union: int = 0
    boxes_right: int = 0
    present_kept: int = 0
    absent_rejected: int = 0

    def add(self, grounding: Grounding, masks: Sequence[Mask], boxes: Sequence[Box]) -> float:
        """Add one sample; return its mask IoU (for an absent target: 1 if nothing was found, else 0).

        Args:
            grounding: the model's answer.
            masks: the targets' true (H, W) masks; none where nothing matches.
            boxes: their boxes, in the same order.
        """
        if not masks:
            self.absent += 1
            self.absent_rejected += not grounding.found
            self.union += int(np.count_nonzero(grounding.mask))
            return 0.0 if grounding.found else 1.0
        intersection, union = mask_overlap(grounding.mask, np.logical_or.reduce(list(masks)))
        iou = intersection / union if union else 0.0
        self.present += 1
        self.present_kept += grounding.found
        self.iou_sum += iou
        self.intersection += intersection
        self.union += union
        if grounding.found:
            best = grounding.targets[0].box
            self.boxes_right += any(box_iou(best, box) >= ACCEPTED_BOX_IOU for box in boxes)
        return iou

    @property
    def samples(self) -> int:
        """Return how many samples were added."""
        return self.present + self.absent

    def fractions(self) -> dict[str, float | None]:
        """Return all metrics by name.

        `giou`: mean mask IoU of the present targets. `giou_all`: the same with absent ones as 1 or 0
        (gRefCOCO's gIoU). `ciou`: summed intersection over summed union of all samples. `acc_50`: present
        samples whose best box overlaps a true one by IoU >= 0.5. `n_acc`: absent ones answered with no
        target. `t_acc`: present ones answered with some target.
        """
        return {
            "giou": _share(self.iou_sum, self.present),
            "giou_all": _share(self.iou_sum + self.absent_rejected, self.samples),
            "ciou": _share(self.intersection, self.union),
            "acc_50": _share(self.boxes_right, self.present),
            "n_acc": _share(self.absent_rejected, self.absent),
            "t_acc": _share(self.present_kept, self.present),
        }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
