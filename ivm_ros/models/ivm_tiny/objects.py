"""From features to objects: where they are, what covers each, and what each looks like.

Instances are made as in CondInst (Tian et al., 2020): each object has convolutions of its own, read from one
cell inside it, that tell its pixels from all others.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import Features

REACH = 16.0
"""Cells that are one unit of distance in an object's own convolutions."""
_PLACES = 5  # x, its square, y, its square, and a constant
_SHAPE = 9
_ROI, _ROI_CHANNELS, _OUTLINE = 5, 32, 8
_MARGIN = 1.15  # of an object's box that is looked at
_EPSILON = 1e-4


class Cells(NamedTuple):
    """Cells of the stride 4 that objects are read from; N in all.

    Attributes:
        image: (N,) int64 which of the B images, ascending.
        y: (N,) int64 row.
        x: (N,) int64 column.
    """

    image: Tensor
    y: Tensor
    x: Tensor


class Looks(NamedTuple):
    """What N objects look like.

    Attributes:
        embedding: (N, channels).
        kinds: (N, K) logits.
        colors: (N, C) logits.
        materials: (N, M + 1) logits; the last is none of them.
        shape: (N, 9): place and size in the picture, see `shape_of`.
    """

    embedding: Tensor
    kinds: Tensor
    colors: Tensor
    materials: Tensor
    shape: Tensor


class MaskHead(nn.Module):
    """Read from a cell the convolutions that find the rest of its object.

    Args:
        config: sizes of the network.
    """

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        _, w4, w8, w16 = config.widths
        self.hidden, self.inputs = config.hidden, config.pixels + _PLACES
        self.read = nn.Sequential(
            nn.Linear(w4 + w8 + w16, config.channels),
            nn.ReLU(),
            nn.Linear(config.channels, self.hidden * (self.inputs + 1) + 1),
        )
        last: nn.Linear = self.read[2]  # type: ignore[assignment]
        nn.init.normal_(last.weight, std=0.03)

    def forward(self, features: Features, cells: Cells) -> Tensor:
        """Return (N, h, w) float32 mask logits at stride 4."""
        return self.masks(self.kernels(features, cells), features.pixels, cells)

    def kernels(self, features: Features, cells: Cells) -> Tensor:
        """Return each object's (N, hidden * (inputs + 1) + 1) weights."""
        at = [
            _at(level, cells, step) for level, step in ((features.s4, 1), (features.s8, 2), (features.s16, 4))
        ]
        weights: Tensor = self.read(torch.cat(at, dim=1)).float()
        return weights

    def masks(self, kernels: Tensor, pixels: Tensor, cells: Cells) -> Tensor:
        """Run each object's own two layers over its image's (B, P, h, w) pixels."""
        height, width = pixels.shape[-2:]
        first, second, bias = kernels.split([self.hidden * self.inputs, self.hidden, 1], dim=1)
        first = first.unflatten(1, (self.hidden, self.inputs))
        seen, place = first.split([pixels.shape[1], _PLACES], dim=2)
        hidden = products(seen, pixels.flatten(2), cells.image)
        across = _along(width, cells.x, place[..., 0], place[..., 1])
        down = _along(height, cells.y, place[..., 2], place[..., 3]) + place[..., 4:]
        hidden = hidden.unflatten(2, (height, width)) + across[:, :, None] + down[..., None]
        return torch.einsum("nchw,nc->nhw", F.relu(hidden), second) + bias[..., None]


def _at(level: Tensor, cells: Cells, step: int) -> Tensor:
    """Return the (N, C) features of cells in a (B, C, h, w) level that is `step` times coarser."""
    y, x = cells.y // step, cells.x // step
    if len(level) == 1:  # a graph has one operation for this
        return level.squeeze(0).flatten(1).index_select(1, y * level.shape[-1] + x).T
    return level[cells.image, :, y, x]


def _along(length: int, origin: Tensor, slope: Tensor, bend: Tensor) -> Tensor:
    """Return (N, hidden, length): a parabola along an axis, around each object's cell."""
    away = (torch.arange(length, device=origin.device) - origin[:, None]).float() / REACH
    away = away[:, None]
    return slope[..., None] * away + bend[..., None] * away.square()


class LooksHead(nn.Module):
    """Say what objects are, from all that their masks cover.

    Args:
        config: sizes of the network.
    """

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        _, w4, w8, w16 = config.widths
        self.part = nn.Conv2d(w8, _ROI_CHANNELS, 1)
        layout = _ROI_CHANNELS * _ROI**2 + _OUTLINE**2
        self.embed = nn.Sequential(
            nn.Linear(w4 + w8 + w16 + 6 + _SHAPE + layout, 2 * config.channels),
            nn.ReLU(),
            nn.Linear(2 * config.channels, config.channels),
        )
        self.kinds = nn.Linear(config.channels, len(config.kinds))
        self.colors = nn.Linear(config.channels, len(config.colors))
        self.materials = nn.Linear(config.channels, len(config.materials) + 1)

    def forward(self, features: Features, image: Tensor, masks: Tensor) -> Looks:
        """Describe N objects.

        Args:
            features: of B images.
            image: (N,) int64 which of them, ascending.
            masks: (N, h, w) float32 in [0, 1] at stride 4.
        """
        halves = F.avg_pool2d(masks[:, None], 2)
        quarters = F.avg_pool2d(halves, 2)
        colors = torch.cat([features.paint, features.paint.square()], dim=1)
        levels = ((features.s4, masks), (features.s8, halves[:, 0]), (features.s16, quarters[:, 0]))
        parts = [_pooled(level, image, mask) for level, mask in (*levels, (colors, masks))]
        shape = shape_of(masks)
        outline = crops(masks[:, None], shape, _OUTLINE)
        layout = crops_of_images(self.part(features.s8), image, shape, _ROI)
        embedding = self.embed(torch.cat([*parts, shape, outline, layout], dim=1))
        said = F.relu(embedding)
        return Looks(embedding, self.kinds(said), self.colors(said), self.materials(said), shape)


def _pooled(level: Tensor, image: Tensor, masks: Tensor) -> Tensor:
    """Return the (N, C) mean of (B, C, h, w) features under each object's mask."""
    weights = masks.flatten(1)
    weights = weights / (weights.sum(dim=1, keepdim=True) + _EPSILON)
    if len(level) == 1:  # a graph then multiplies without a transposed copy
        return weights @ level.squeeze(0).flatten(1).T
    return products(weights, level.flatten(2).transpose(1, 2), image)


def products(left: Tensor, right: Tensor, image: Tensor) -> Tensor:
    """Multiply what belongs to N objects with the matrix of each one's image, which is not copied for each.

    Args:
        left: (N, ..., I).
        right: (B, I, J).
        image: (N,) int64, ascending.
    """
    if len(right) == 1:
        return left @ right.squeeze(0)
    counts = torch.bincount(image, minlength=len(right)).tolist()
    return torch.cat([part @ matrix for part, matrix in zip(left.split(counts), right, strict=True)])


def crops(maps: Tensor, shape: Tensor, side: int) -> Tensor:
    """Return (N, C * side * side): what each of (N, C, h, w) maps shows in its object's box, squashed."""
    return F.grid_sample(maps, _grid(shape, side), align_corners=False).flatten(1)


def crops_of_images(maps: Tensor, image: Tensor, shape: Tensor, side: int) -> Tensor:
    """Return (N, C * side * side): what (B, C, h, w) maps show in the boxes of N objects, squashed.

    Args:
        maps: of the images.
        image: (N,) int64 which of them, ascending.
        shape: of `shape_of`.
        side: of the squashed box.
    """
    grid = _grid(shape, side)
    counts = torch.bincount(image, minlength=len(maps)).tolist() if len(maps) > 1 else [len(image)]
    parts = []
    for index, boxes in enumerate(grid.split(counts)):
        seen = F.grid_sample(maps[index : index + 1], boxes.flatten(0, 1)[None], align_corners=False)
        parts.append(seen[0].unflatten(1, (len(boxes), side)).transpose(0, 1).flatten(1))
    return torch.cat(parts)


def _grid(shape: Tensor, side: int) -> Tensor:
    """Return (N, side, side, 2) places, x and y in [-1, 1], of a grid over each box."""
    _, _, left, top, right, bottom, width, height, _ = shape.unbind(1)
    steps = (torch.arange(side, device=shape.device) + 0.5) * (2 / side) - 1
    x = (left + right)[:, None] / 2 + steps * (width * _MARGIN)[:, None]
    y = (top + bottom)[:, None] / 2 + steps * (height * _MARGIN)[:, None]
    return torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=-1)


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


def upsample(coarse: Tensor, blend: Tensor) -> Tensor:
    """Double (N, h, w) logits; each new pixel is a learned mean of nine (Teed and Deng, 2020, RAFT).

    Args:
        coarse: logits.
        blend: (N, 9, 4, h, w) weights, or (1, 9, 4, h, w) for all.
    """
    height, width = coarse.shape[-2:]
    padded = F.pad(coarse[:, None], (1, 1, 1, 1), mode="replicate")
    total = None
    # unbind, not indexing: the gradient of each index would be a zero-filled copy of all weights
    for index, part in enumerate(blend.unbind(1)):
        y, x = divmod(index, 3)
        near = padded[:, :, y : y + height, x : x + width] * part
        total = near if total is None else total + near
    assert total is not None
    return F.pixel_shuffle(total, 2)[:, 0]
