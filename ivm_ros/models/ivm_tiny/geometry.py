"""Where objects lie: places and sizes of masks, how two lie to each other."""

from __future__ import annotations

import torch
from torch import Tensor

SHAPE = 9
"""Numbers of `shape_of`."""
PAIR = 11
"""Numbers of `relative`."""

_EPSILON = 1e-4


def shape_of(masks: Tensor) -> Tensor:
    """Return the places and sizes of (N, h, w) masks in [0, 1].

    Returns:
        (N, 9): x, y of the centre, left, top, right, bottom in [-1, 1]; width, height, and the root of the
        area as shares of the picture.
    """
    height, width = masks.shape[-2:]
    left, right, x = _extent(masks.amax(dim=1), masks.sum(dim=1), width)
    top, bottom, y = _extent(masks.amax(dim=2), masks.sum(dim=2), height)
    area = masks.flatten(1).mean(dim=1).sqrt()
    return torch.stack([x, y, left, top, right, bottom, (right - left) / 2, (bottom - top) / 2, area], dim=1)


def _extent(highest: Tensor, total: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return where (N, length) masks begin, end, and have their centre."""
    places = (torch.arange(length, device=total.device) + 0.5) * (2 / length) - 1
    inside = highest > 0.5
    half = 1 / length
    first = torch.where(inside, places - half, 1.0).amin(dim=1)
    last = torch.where(inside, places + half, -1.0).amax(dim=1)
    centre = (total * places).sum(dim=1) / (total.sum(dim=1) + _EPSILON)
    return torch.minimum(first, last), torch.maximum(first, last), centre


def relative(shape: Tensor) -> Tensor:
    """Return (B, M, M, 11) of (B, M, 9) shapes: how the second of a pair lies to the first."""
    x, y, left, top, right, bottom, width, height, area = shape.unbind(-1)

    def gap(values: Tensor) -> Tensor:
        return values[:, None, :] - values[:, :, None]

    dx, dy = gap(x), gap(y)
    across = torch.minimum(right[:, None], right[:, :, None]) - torch.maximum(left[:, None], left[:, :, None])
    down = torch.minimum(bottom[:, None], bottom[:, :, None]) - torch.maximum(top[:, None], top[:, :, None])
    common = across.clamp(min=0) * down.clamp(min=0) / 4
    own = (width * height)[:, :, None] + _EPSILON
    others = (width * height)[:, None] + _EPSILON
    parts = [dx, dy, (dx.square() + dy.square() + _EPSILON).sqrt(), gap(bottom), gap(top)]
    parts += [gap(area) * 4, common / own, common / others, across, down]
    same = torch.eye(shape.shape[1], device=shape.device).expand_as(dx)
    return torch.stack([*parts, same], dim=-1)
