"""Metrics over samples that belong together: R-RefCOCO's groups, and the phrases of one image.

A group's samples may come in any order and on any process. A few integers are held for each group that is
not yet complete, so memory does not grow where groups come one after the other; where they are spread over
processes, it grows by those integers until the processes' sums are put together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ivm_ros.evaluation.masks import Res
from ivm_ros.evaluation.overlap import Overlap
from ivm_ros.evaluation.tally import Mean, Tally, fixed


@dataclass
class Groups(Tally):
    """Sums of groups; those that are not complete are held one by one: samples seen, samples in all, sums."""

    open: dict[str, list[int]] = field(default_factory=dict)

    def merge_state(self, state: dict[str, Any]) -> None:
        """Add what `state` of another tally says; groups that it completes are counted."""
        super().merge_state({**state, "open": {}})
        for group, (seen, size, *sums) in state["open"].items():
            self._add(group, size, sums, seen)

    def _add(self, group: str, size: int, sums: list[int], seen: int = 1) -> None:
        seen_before, expected, *before = self.open.pop(group, [0, size] + [0] * len(sums))
        seen += seen_before
        if size != expected or seen > size:
            raise ValueError(f"expected {expected} samples in the group {group}, got {seen} of {size}")
        sums = [first + second for first, second in zip(before, sums, strict=True)]
        if seen == size:
            self._close(size, sums)
        else:
            self.open[group] = [seen, size, *sums]

    def _close(self, size: int, sums: list[int]) -> None:
        """Count a complete group."""
        raise NotImplementedError

    @property
    def incomplete(self) -> int:
        """Return how many groups lack samples: they are in no mean over groups."""
        return len(self.open)


@dataclass
class RRefCoco(Groups):
    """R-RefCOCO/+/g: for each thing a group, of phrases that are about it and of phrases about nothing.

    Wu et al., "Towards Robust Referring Image Segmentation", IEEE TIP 2024, as InstanceVG counts it. In a
    group, I and U are sums over the phrases about the thing; F is the area that is found for phrases about
    nothing:

    - `riou`: the mean over groups of I / (U + F).
    - `mrr`: the mean over groups of the share of phrases about nothing that were rejected.
    - `miou`: the mean over groups of the mean of the phrases' IoU, those about nothing left out.
    - `oiou`: the sum of I / the sum of U over all groups. `pr_50` ... `pr_90`: over all phrases about a
      thing.

    A rejected phrase about the thing keeps the mask that was drawn. A group without phrases about nothing is
    not in `mrr`, one without phrases about the thing not in `miou`; the published evaluator divides by zero
    there. Its Pr@X compares a running sum of IoU, which is not reproduced.
    """

    riou: Mean = field(default_factory=Mean)
    mrr: Mean = field(default_factory=Mean)
    miou: Mean = field(default_factory=Mean)
    positive: Res = field(default_factory=Res)

    def add(self, group: str, size: int, overlap: Overlap, present: bool, rejected: bool) -> None:
        """Count one sample.

        Args:
            group: its name, unique in the split.
            size: how many samples the group has.
            overlap: of the predicted and the true mask, even where the phrase was rejected.
            present: the phrase is about something in the image.
            rejected: the model said that it is not.
        """
        if present:
            self.positive.add(overlap)
            iou = fixed(overlap.intersection, max(overlap.union, 1))
            self._add(group, size, [*overlap, iou, 1, 0, 0])
        else:
            found = 0 if rejected else overlap.union
            self._add(group, size, [0, found, 0, 0, int(rejected), 1])

    def _close(self, size: int, sums: list[int]) -> None:
        intersection, union, iou, positives, rejected, negatives = sums
        self.riou.add(intersection, max(union, 1))
        if positives:
            self.miou.add_mean(iou, positives)
        if negatives:
            self.mrr.add(rejected, negatives)

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name, those over groups of the complete ones."""
        return {
            **self.positive.fractions(),
            "miou": self.miou.value,
            "mrr": self.mrr.value,
            "riou": self.riou.value,
        }


@dataclass
class PerImage(Groups):
    """MLLMSeg's gIoU on RefCOCO/+/g: the mean over images of the mean IoU of the image's phrases.

    So an image with many phrases weighs no more than one with few; everybody else means `Res`'s `miou` by
    gIoU. The IoU is 1 where neither the prediction nor the truth has a pixel.
    """

    iou: Mean = field(default_factory=Mean)

    def add(self, image: str, size: int, overlap: Overlap) -> None:
        """Count one phrase about `image`, for which there are `size` phrases."""
        iou = fixed(*overlap) if overlap.union else fixed(1, 1)
        self._add(image, size, [iou])

    def _close(self, size: int, sums: list[int]) -> None:
        self.iou.add_mean(sums[0], size)

    def fractions(self) -> dict[str, float | None]:
        """Return the metrics by name, of the complete images."""
        return {"giou_per_image": self.iou.value}
