"""How the network's answer is read: scores, boxes, masks; spec section 9.

The defaults are the published rules, with their faults (spec section 16), as published numbers were measured
with them. Each fault has a repair by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ivm_ros.grounding import Heatmap, Mask
from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.pixel_decoder import upsample
from ivm_ros.models.instancevg.preprocess import resize_mask, scale_factor

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
MERGED = ("merge", "instance", "global")
"""What a merged mask is made of: the mask of all targets and those of single ones, or one of the two."""


@dataclass(frozen=True)
class Rules:
    """How an answer is read; the defaults are the published rules.

    Attributes:
        score_threshold: score above which a query is a target.
        mask_threshold: probability from which a pixel is in a mask.
        merged: of `MERGED`.
        score_weighted: whether scores are multiplied by existence.
        nms: overlap (IoU) above which the lower of two boxes is suppressed; None keeps all.
        rescale: whether boxes and masks are at the picture's size instead of the network's.
        calibrated_existence: repair. Existence is what was trained, a softmax of two logits; published is a
            sigmoid of one of them.
        smooth_masks: repair. Masks are interpolated to the picture's size before they are thresholded;
            published ones are thresholded first, which leaves stairs.
        clear_no_target: repair. The merged mask is empty where no query is a target.
        keep_pairs: repair. A box without area takes its mask with it; published masks stay, and are then
            another box's.
        rescale_nms: repair. The boxes that NMS leaves are rescaled with the others; published ones stay at
            the network's size.
    """

    score_threshold: float = 0.7
    mask_threshold: float = 0.5
    merged: str = "merge"
    score_weighted: bool = True
    nms: float | None = None
    rescale: bool = False
    calibrated_existence: bool = False
    smooth_masks: bool = False
    clear_no_target: bool = False
    keep_pairs: bool = False
    rescale_nms: bool = False

    def __post_init__(self) -> None:
        if self.merged not in MERGED:
            raise ValueError(f"expected a merged mask of {', '.join(MERGED)}; got {self.merged!r}")
        for name in ("score_threshold", "mask_threshold"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"expected {name} between 0 and 1, got {getattr(self, name)}")
        if self.nms is not None and not 0 < self.nms <= 1:
            raise ValueError(f"expected nms as an overlap in (0, 1], got {self.nms}")


PUBLISHED = Rules()

_ALL = 0  # place of the mask of all targets together; those of the queries follow


@dataclass(frozen=True, eq=False)
class Reading:
    """One text's answer.

    Attributes:
        boxes: (N, 4) x_min, y_min, x_max, y_max in pixels, in the queries' order.
        scores: (N,) in [0, 1].
        masks: (N,) indices of the boxes' instance masks.
        kept: indices of the boxes that NMS leaves, best first; all of them without NMS.
        kept_boxes: (K, 4) those boxes; of NMS, in pixels of the network's square unless `rescale_nms`.
        above: indices of the boxes that are targets, among `kept`, best first.
        mask: (H, W) merged.
        existence: in [0, 1].
    """

    boxes: npt.NDArray[np.float64]
    scores: Floats
    masks: Indices
    kept: Indices
    kept_boxes: npt.NDArray[np.float64]
    above: Indices
    mask: Mask
    existence: float

    @property
    def found(self) -> bool:
        """Whether anything is a target."""
        return len(self.above) > 0


class Answer:
    """One text's share of what the network says, at one picture's size.

    Args:
        found: of the network.
        index: of the text.
        side: of the network's square in pixels.
        size: (width, height) of the picture.
        rules: how it is read.
    """

    def __init__(
        self, found: Predictions, index: int, side: int, size: tuple[int, int], rules: Rules = PUBLISHED
    ) -> None:
        self.side, self.rules = side, rules
        self.size = size if rules.rescale else (side, side)
        self.points: Floats = found.points[index].float().cpu().numpy()
        self._planes = torch.cat([found.global_mask[index], found.instance_masks[index]]).float()
        self._enlarged: dict[tuple[int, int], dict[int, Tensor]] = {}
        self._logits = found.existence[index].float()
        self._objects = found.classes[-1, index].float().softmax(dim=-1)[:, 0]
        self._boxes = found.boxes[-1, index].float()

    @property
    def existence(self) -> float:
        """The probability that there is a target."""
        if self.rules.calibrated_existence:
            return float(self._logits.softmax(dim=-1)[0])
        return float(self._logits.sigmoid()[0])

    def read(self) -> Reading:
        """Read everything."""
        corners = _corners(self._boxes, self.side)
        scores = self._objects * self.existence if self.rules.score_weighted else self._objects
        real = ((corners[:, 2:] > corners[:, :2]).all(dim=-1)).cpu().numpy()
        squashed, values = corners.cpu().numpy()[real], scores.cpu().numpy()[real]
        masks = np.flatnonzero(real) if self.rules.keep_pairs else np.arange(real.sum())
        best = np.argsort(-values, kind="stable")
        kept = best if self.rules.nms is None else suppress(squashed, values, self.rules.nms)
        above = kept[values[kept] > self.rules.score_threshold]
        boxes = squashed.astype(np.float64) / scale_factor(self.size, self.side)
        kept_boxes = (boxes if self.rules.rescale_nms or self.rules.nms is None else squashed)[kept]
        # the merged mask asks scores alone: NMS has no say in it
        targets = masks[np.flatnonzero(values > self.rules.score_threshold)]
        return Reading(boxes, values, masks, kept, kept_boxes, above, self._merged(targets), self.existence)

    def instance_masks(self, indices: Indices) -> npt.NDArray[np.bool_]:
        """Return the (N, H, W) masks of queries."""
        return self._binary(_planes_of(indices))

    def global_mask(self) -> Mask:
        """Return the (H, W) mask of all targets together."""
        mask: Mask = self._binary([_ALL])[0]
        return mask

    def heatmap(self, indices: Indices) -> Heatmap:
        """Return (H, W) float32, each pixel's probability of being a target's, by what merged masks are of.

        Args:
            indices: of the targets' instance masks.
        """
        instances = _planes_of(indices)
        parts = {"merge": [_ALL, *instances], "instance": instances, "global": [_ALL]}
        planes = parts[self.rules.merged]
        if not planes:
            return np.zeros((self.size[1], self.size[0]), dtype=np.float32)
        hottest = self._enlarge(planes, (self.size[1], self.size[0])).amax(dim=0)
        heat: Heatmap = hottest.sigmoid().cpu().numpy()
        return heat

    def _merged(self, targets: Indices) -> Mask:
        merged: Mask = np.zeros((self.size[1], self.size[0]), dtype=np.bool_)
        if self.rules.clear_no_target and not len(targets):
            return merged
        if self.rules.merged != "global" and len(targets):
            merged |= self.instance_masks(targets).any(axis=0)
        return merged if self.rules.merged == "instance" else merged | self.global_mask()

    def _enlarge(self, planes: Sequence[int], shape: tuple[int, int]) -> Tensor:
        """Return (N, *shape) logits; each plane is enlarged once, however often it is asked for."""
        known = self._enlarged.setdefault(shape, {})
        new = [plane for plane in planes if plane not in known]
        if new:
            known.update(zip(new, upsample(self._planes[new][None], shape)[0], strict=True))
        return torch.stack([known[plane] for plane in planes])

    def _binary(self, planes: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Return (N, H, W) masks."""
        shape = (self.size[1], self.size[0])
        if not planes:
            return np.zeros((0, *shape), dtype=np.bool_)
        first = shape if self.rules.smooth_masks else (self.side, self.side)
        inside = self._enlarge(planes, first).sigmoid() >= self.rules.mask_threshold
        masks: npt.NDArray[np.bool_] = inside.cpu().numpy()
        if first == shape:
            return masks
        return np.stack([resize_mask(mask, self.size) for mask in masks])


def _planes_of(indices: Indices) -> list[int]:
    """Return where the instance masks of queries are among all masks."""
    return [_ALL + 1 + index for index in indices.tolist()]


def _corners(boxes: Tensor, side: int) -> Tensor:
    """Return (N, 4) corners in pixels of the network's square, within it, of centres and sizes as shares."""
    centres, sizes = boxes[:, :2], boxes[:, 2:]
    return (torch.cat([centres - sizes / 2, centres + sizes / 2], dim=-1) * side).clamp(0, side)


def suppress(boxes: Floats, scores: Floats, overlap: float) -> Indices:
    """Return the indices that greedy non-maximum suppression keeps, best first.

    Args:
        boxes: (N, 4) corners.
        scores: (N,).
        overlap: IoU above which the lower of two boxes is suppressed.
    """
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[left, :2])
        high = np.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        left = left[shared <= overlap * (areas[best] + areas[left] - shared)]
    return np.array(kept, dtype=np.int64)
