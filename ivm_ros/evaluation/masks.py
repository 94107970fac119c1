"""Metrics of masks: phrases about one thing (RES), about nothing or many (GRES), Ref-ZOM, false premises.

A true mask is the union of a phrase's targets, a predicted one the union of what was found. All values are
fractions in [0, 1]; None where no sample defines them. The published evaluators add 1e-10 to 1e-5 to a
denominator, against a division by zero; here a sum without samples is None instead, and nothing is added.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ivm_ros.evaluation.overlap import Overlap, Reached
from ivm_ros.evaluation.tally import Mean, Share, Tally, ratio

Empty = Literal["zero", "one", "left_out"]
"""What the IoU is where neither the prediction nor the truth has a pixel.

`zero`: InstanceVG. `one`: LISA and after it UGround, MLLMSeg. `left_out`: PLVL, which divides zero by zero
there: the sample is not counted, and `left_out` says how many there were.
"""


@dataclass
class Res(Tally):
    """Referring expression segmentation: each phrase is about one thing in the image.

    - `miou`: the mean over samples of I/U, the pixels in the intersection and in the union of the predicted
      and the true mask. Called gIoU by LISA, UGround and ReasonSeg.
    - `oiou`: the sum of I over all samples / the sum of U. Called cIoU by MLLMSeg, LISA and UGround;
      InstanceVG's mean I / mean U is the same.
    - `pr_50` ... `pr_90`: the share of samples with I/U >= 0.5 ... 0.9. Pr@X or MaskAcc@X.
    """

    empty: Empty = "zero"
    iou: Mean = field(default_factory=Mean)
    reached: Reached = field(default_factory=Reached)
    intersection: int = 0
    union: int = 0
    left_out: int = 0

    def add(self, overlap: Overlap) -> None:
        """Count one sample."""
        if not overlap.union and self.empty == "left_out":
            self.left_out += 1
            return
        self.intersection += overlap.intersection
        self.union += overlap.union
        rated = overlap if overlap.union else Overlap(int(self.empty == "one"), 1)
        self.iou.add(rated.intersection, rated.union)
        self.reached.add(rated.reaches())

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        return {
            "miou": self.iou.value,
            "oiou": ratio(self.intersection, self.union),
            **self.reached.shares("pr", self.iou.samples),
        }


@dataclass
class Gres(Tally):
    """Generalized referring expression segmentation: phrases about one thing, many, or nothing in the image.

    Liu, Ding, Jiang, "GRES: Generalized Referring Expression Segmentation", CVPR 2023, as their evaluator and
    InstanceVG's count it:

    - `giou`: the mean over all samples of I/U, where a phrase about nothing has 1 if it was rejected and 0
      if not.
    - `ciou`: the sum of I / the sum of U over all samples. What is found for a phrase about nothing adds to
      U.
    - `n_acc`: the share of phrases about nothing that were rejected, TP / (TP + FN).
    - `t_acc`: the share of phrases about something that were not rejected, TN / (TN + FP).
    - `pr_50` ... `pr_90`: the share of phrases about something with I/U >= 0.5 ... 0.9.

    Args:
        rejected: what a phrase about something has that was rejected. `zero`: I = 0, as published; U stays.
            `kept`: I and U of the mask that the network drew all the same: MLLMSeg and UGround, which so do
            not punish a wrong rejection in gIoU and cIoU.
        found: what is found for a phrase about nothing. `counts`: adds to U, as published. `ignored`: does
            not: UGround on Ref-ZOM.
    """

    rejected: Literal["zero", "kept"] = "zero"
    found: Literal["counts", "ignored"] = "counts"
    iou: Mean = field(default_factory=Mean)
    reached: Reached = field(default_factory=Reached)
    intersection: int = 0
    union: int = 0
    absent_rejected: Share = field(default_factory=Share)
    present_kept: Share = field(default_factory=Share)

    def add(self, overlap: Overlap, present: bool, rejected: bool) -> None:
        """Count one sample.

        Args:
            overlap: of the predicted and the true mask, even where the phrase was rejected.
            present: the phrase is about something in the image.
            rejected: the model said that it is not.
        """
        if not present:
            self.absent_rejected.add(rejected)
            self.iou.add(int(rejected))
            self.union += 0 if rejected or self.found == "ignored" else overlap.union
            return
        if rejected and self.rejected == "zero":
            overlap = Overlap(0, overlap.union)
        self.present_kept.add(not rejected)
        self.iou.add(overlap.intersection, max(overlap.union, 1))
        self.intersection += overlap.intersection
        self.union += overlap.union
        self.reached.add(overlap.reaches())

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        return {
            "giou": self.iou.value,
            "ciou": ratio(self.intersection, self.union),
            "n_acc": self.absent_rejected.value,
            "t_acc": self.present_kept.value,
            **self.reached.shares("pr", self.present_kept.samples),
        }


@dataclass
class RefZom(Tally):
    """Ref-ZOM: phrases about one thing, many, or nothing, the last kind on its own.

    Hu et al., "Beyond One-to-One: Rethinking the Referring Image Segmentation", ICCV 2023, as InstanceVG
    counts it:

    - `acc`: the share of phrases about nothing that were rejected.
    - `miou`, `oiou`, `pr_50` ... `pr_90`: as `Res`, over the phrases about something; a rejected one keeps
      the mask that was drawn.
    """

    absent_rejected: Share = field(default_factory=Share)
    present: Res = field(default_factory=Res)

    def add(self, overlap: Overlap, present: bool, rejected: bool) -> None:
        """Count one sample; the arguments are those of `Gres.add`."""
        if present:
            self.present.add(overlap)
        else:
            self.absent_rejected.add(rejected)

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        return {"acc": self.absent_rejected.value, **self.present.fractions()}


@dataclass
class FalsePremise(Tally):
    """Phrases that may be about nothing, on the sets fpRefCOCO/+/g and fpReasonSeg.

    Wu et al., "See, Say, and Segment", CVPR 2024, as UGround counts it:

    - `see`: the share of phrases for which the model says rightly whether there is such a thing.
    - `ciou`: the sum of I / the sum of U over all phrases, also those about nothing.
    """

    see: Share = field(default_factory=Share)
    intersection: int = 0
    union: int = 0

    def add(self, overlap: Overlap, present: bool, rejected: bool) -> None:
        """Count one sample; the arguments are those of `Gres.add`."""
        self.see.add(present != rejected)
        self.intersection += overlap.intersection
        self.union += overlap.union

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        return {"see": self.see.value, "ciou": ratio(self.intersection, self.union)}
