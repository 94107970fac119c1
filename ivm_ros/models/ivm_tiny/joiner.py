"""Which finds are pieces of one object: a screwdriver's grip and shaft, a hammer's head and handle."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.geometry import PAIR, relative, shape_of

_INPUTS = PAIR + 12
_HIDDEN = 48
_SURE = 8.0  # logits of a mask that are as good as any higher
_NEVER = -10.0  # logit of a joiner that was not taught
SAME = 0.9
"""Probability from which two finds are one object: to take two objects for one costs more than to leave one
in pieces."""


def pairs(masks: Tensor, sure: Tensor) -> Tensor:
    """Return (N, N, `_INPUTS`): what one find's mask says of another's, in order.

    Args:
        masks: (N, h, w) logits.
        sure: (N,) probability that each is an object.
    """
    chances = masks.sigmoid()
    inside = (masks > 0).float().flatten(1)
    area = inside.sum(dim=1).clamp(min=1)
    under = inside.T / area
    common = inside @ inside.T
    wide = _grown(_grown(masks > 0, 1), 2).float().flatten(1)
    touching = ((wide @ inside.T - common) / area).sqrt()
    believed = chances.flatten(1) @ under  # does the first take the second's cells for its own?
    logits = masks.clamp(-_SURE, _SURE).flatten(1) @ under / 4
    shared = common / area
    overlap = common / (area[:, None] + area - common)
    size = (area / inside.shape[1]).sqrt()
    first = torch.stack([sure, size], dim=1)[:, None].expand(-1, len(sure), -1)
    both = [believed, believed.T, logits, logits.T, shared, shared.T, touching, overlap]
    near = relative(shape_of(chances)[None])[0]
    return torch.cat([torch.stack(both, dim=-1), first, first.transpose(0, 1), near], dim=-1)


def _grown(masks: Tensor, axis: int) -> Tensor:
    """Return (N, h, w) bool masks, a cell longer at both ends of an axis; pooling takes far longer."""
    grown, length = masks.clone(), masks.shape[axis] - 1
    grown.narrow(axis, 1, length).logical_or_(masks.narrow(axis, 0, length))
    grown.narrow(axis, 0, length).logical_or_(masks.narrow(axis, 1, length))
    return grown


class Joiner(nn.Module):
    """Say which finds belong together, by their masks alone."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = nn.Sequential(
            nn.Linear(_INPUTS, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, 1),
        )
        last: nn.Linear = self.judge[4]  # type: ignore[assignment]
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, _NEVER / 2)

    def forward(self, masks: Tensor, sure: Tensor) -> Tensor:
        """Return (N, N) logits that two finds are of one object, the same in either order; see `pairs`."""
        judged: Tensor = self.judge(pairs(masks, sure))[..., 0]
        return judged + judged.T

    def of_pairs(self, there: Tensor, back: Tensor) -> Tensor:
        """Return the logits of (..., `_INPUTS`) pairs that are given in both orders."""
        judged: Tensor = self.judge(there) + self.judge(back)
        return judged[..., 0]

    def groups(self, masks: Tensor, sure: Tensor) -> list[list[int]]:
        """Return which finds are one object: the surest of each first, in the order in which they come."""
        same = (self(masks, sure).sigmoid() > SAME).tolist()
        found: list[list[int]] = []
        for index in range(len(same)):
            mine = next((group for group in found if same[group[0]][index]), None)
            if mine is None:
                found.append([index])
            else:
                mine.append(index)
        return found
