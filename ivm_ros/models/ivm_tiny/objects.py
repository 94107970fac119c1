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
from ivm_ros.models.ivm_tiny.geometry import SHAPE, shape_of

REACH = 16.0
"""Cells that are one unit of distance in an object's own convolutions."""
_PLACES = 5  # x, its square, y, its square, and a constant
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
        """Run each object's own two layers over its image's (B, P, h, w) pixels.

        What the first sees besides pixels is a parabola around the object's cell, along both axes. One around
        c is another around the corner: a (x - c) + b (x - c)^2 equals (a - 2 b c) x + b x^2 + (b c - a) c. So
        all of the first layer is one product.
        """
        height, width = pixels.shape[-2:]
        first, second, bias = kernels.split([self.hidden * self.inputs, self.hidden, 1], dim=1)
        first = first.unflatten(1, (self.hidden, self.inputs))
        seen, (across, bent, down, bowed, constant) = (
            first[..., : pixels.shape[1]],
            first[..., pixels.shape[1] :].unbind(-1),
        )
        y, x = (place.float()[:, None] / REACH for place in (cells.y, cells.x))
        constant = constant + (bent * x - across) * x + (bowed * y - down) * y
        places = (across - 2 * bent * x, bent, down - 2 * bowed * y, bowed, constant)
        weights = torch.cat([seen, torch.stack(places, dim=-1)], dim=-1)
        grid = _grid(height, width, pixels.device).expand(len(pixels), -1, -1)
        hidden = F.relu(products(weights, torch.cat([pixels.flatten(2), grid], dim=1), cells.image))
        return (second[:, None] @ hidden).squeeze(1).unflatten(1, (height, width)) + bias[..., None]


def _at(level: Tensor, cells: Cells, step: int) -> Tensor:
    """Return the (N, C) features of cells in a (B, C, h, w) level that is `step` times coarser."""
    y, x = cells.y // step, cells.x // step
    if len(level) == 1:  # a graph has one operation for this
        return level.squeeze(0).flatten(1).index_select(1, y * level.shape[-1] + x).T
    return level[cells.image, :, y, x]


def _grid(height: int, width: int, device: torch.device) -> Tensor:
    """Return (5, height * width): x, its square, y, its square, and 1, of all cells."""
    x = (torch.arange(width, device=device) / REACH).expand(height, width)
    y = (torch.arange(height, device=device) / REACH)[:, None].expand(height, width)
    return torch.stack([x, x.square(), y, y.square(), torch.ones_like(x)]).flatten(1)


class LooksHead(nn.Module):
    """Say what objects are, from all that their masks cover.

    Args:
        config: sizes of the network.
    """

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        _, w4, w8, w16 = config.widths
        self.embed = nn.Sequential(
            nn.Linear(w4 + w8 + w16 + 6 + SHAPE, 2 * config.channels),
            nn.ReLU(),
            nn.Linear(2 * config.channels, config.channels),
        )
        self.kinds = nn.Linear(config.channels, len(config.kinds))
        self.colors = nn.Linear(config.channels, len(config.colors))
        self.materials = nn.Linear(config.channels, len(config.materials) + 1)

    def forward(self, features: Features, image: Tensor, masks: Tensor, closer: Tensor) -> Looks:
        """Describe N objects.

        Args:
            features: of B images.
            image: (N,) int64 which of them, ascending.
            masks: (N, h, w) float32 in [0, 1] at stride 4.
            closer: (N, channels) what a closer look says, see `glimpses`.
        """
        halves = F.avg_pool2d(masks[:, None], 2)
        quarters = F.avg_pool2d(halves, 2)
        colors = torch.cat([features.paint, features.paint.square()], dim=1)
        levels = ((features.s4, masks), (features.s8, halves[:, 0]), (features.s16, quarters[:, 0]))
        parts = [_pooled(level, image, mask) for level, mask in (*levels, (colors, masks))]
        shape = shape_of(masks)
        embedding = self.embed(torch.cat([*parts, shape], dim=1)) + closer
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
    if len(right) == 1:  # one product, in a graph as well
        return (left.flatten(0, -2) @ right.squeeze(0)).unflatten(0, left.shape[:-1])
    counts = torch.bincount(image, minlength=len(right)).tolist()
    return torch.cat([part @ matrix for part, matrix in zip(left.split(counts), right, strict=True)])
