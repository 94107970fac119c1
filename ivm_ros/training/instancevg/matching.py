"""Which query learns which target: boxes compared, pairs of least cost; InstanceVG spec section 10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

_EPS = 1e-6
DISTANCE, OVERLAP = 5.0, 2.0
"""Weights of boxes' distance and overlap, in the cost of a pair and in the loss."""

_CLASS, _POINT = 1.0, 2.0

Pairs = tuple[Tensor, Tensor]
"""(P,) int64 indices of queries, ascending, and of the targets that they learn."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What one text means in one picture.

    Attributes:
        boxes: (n, 4) float32 centre x, centre y, width, height as shares of the picture; n may be 0.
        masks: (n, S, S) bool, at the network's size.
    """

    boxes: Tensor
    masks: Tensor

    @property
    def union(self) -> Tensor:
        """(S, S) bool, true on any target."""
        return self.masks.any(dim=0)


def corners(boxes: Tensor) -> Tensor:
    """Return (..., 4) x_min, y_min, x_max, y_max of centres and sizes."""
    centres, sizes = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centres - sizes / 2, centres + sizes / 2], dim=-1)


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalised IoU (arXiv 1902.09630) of boxes by their corners, broadcast over (..., 4)."""
    low, high = torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(dim=-1) for boxes in (first, second)]
    union = areas[0] + areas[1] - shared
    low, high = torch.minimum(first[..., :2], second[..., :2]), torch.maximum(first[..., 2:], second[..., 2:])
    hull = (high - low).clamp(min=0).prod(dim=-1)
    return shared / (union + _EPS) - (hull - union) / (hull + _EPS)


@torch.no_grad()
def match(classes: Tensor, boxes: Tensor, points: Tensor, truths: Sequence[Truth]) -> list[Pairs]:
    """Pair queries with targets, one to one, so that the sum of costs is least; as many as there can be.

    The cost is 5 |box - true| - p(target) - 2 GIoU + 2 |point - true centre|, distances summed over x and y.

    Args:
        classes: (B, Q, 2) logits of target and background.
        boxes: (B, Q, 4) centres and sizes.
        points: (B, Q, 2) x and y, where the queries came from.
        truths: B of them.
    """
    probability = classes.softmax(dim=-1)[..., 0]
    pairs = []
    for index, truth in enumerate(truths):
        cost = (
            DISTANCE * torch.cdist(boxes[index], truth.boxes, p=1)
            - _CLASS * probability[index, :, None]
            - OVERLAP * giou(corners(boxes[index])[:, None], corners(truth.boxes)[None])
            + _POINT * torch.cdist(points[index], truth.boxes[:, :2], p=1)
        )
        queries, targets = linear_sum_assignment(cost.cpu().numpy())
        pairs.append((torch.as_tensor(queries).to(boxes.device), torch.as_tensor(targets).to(boxes.device)))
    return pairs
