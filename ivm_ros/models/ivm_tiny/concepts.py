"""Where the words meet the picture: what is asked for, as maps over the image, and their geometry."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import Features

NO_KIND = 0
"""Offset behind the kinds: the words name no kind ("the red thing")."""
STRANGER = 1
"""Offset behind the kinds: a thing outside the vocabulary is named or, for the anchor, nothing at all."""

_EPSILON = 1e-4
_SHARPNESS = 30.0


class Wanted(NamedTuple):
    """What the words ask for: logits over concepts; the last classes mean that nothing is said.

    Attributes:
        kind: (N, K + 2) the kinds, `NO_KIND`, `STRANGER`.
        color: (N, C + 1).
        material: (N, M + 1).
    """

    kind: Tensor
    color: Tensor
    material: Tensor


class ConceptReader(nn.Module):
    """Read from a text token which kind, colour and material it asks for."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.kind = nn.Linear(config.channels, len(config.kinds) + 2)
        self.color = nn.Linear(config.channels, len(config.colors) + 1)
        self.material = nn.Linear(config.channels, len(config.materials) + 1)

    def forward(self, token: Tensor) -> Wanted:
        """Read (N, channels) tokens."""
        return Wanted(self.kind(token), self.color(token), self.material(token))


class Concepts(NamedTuple):
    """Per-pixel probabilities that the encoder's heads give, at stride 4; B images."""

    kinds: Tensor  # (B, K + 1, h, w); the last is anything, not background
    colors: Tensor  # (B, C, h, w)
    materials: Tensor  # (B, M, h, w)


def concepts(features: Features) -> Concepts:
    """Turn the encoder's logits into probabilities, in float32."""
    kinds = features.kinds.float().softmax(dim=1)
    return Concepts(
        torch.cat([kinds[:, :-1], 1.0 - kinds[:, -1:]], dim=1),
        features.colors.float().softmax(dim=1),
        features.materials.float().softmax(dim=1)[:, :-1],
    )


def _weigh(logits: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mix (B, C, h, w) maps by the first C of (N, C + more) logits; N = B * K.

    Returns the (N, h, w) mix and the (N, more) weights of the other classes.
    """
    weights = logits.float().softmax(dim=-1)
    count, channels = maps.shape[:2]
    mixed = weights[:, :channels].unflatten(0, (count, -1)) @ maps.flatten(2)
    return mixed.flatten(0, 1).unflatten(-1, maps.shape[-2:]), weights[:, channels:, None, None]


def locate(wanted: Wanted, seen: Concepts) -> tuple[Tensor, Tensor, Tensor]:
    """Return (N, h, w) maps in [0, 1]: everything asked for at once, the kind alone, the colour alone."""
    kind, _ = _weigh(wanted.kind, seen.kinds)
    color, silent = _weigh(wanted.color, seen.colors)
    color = color + silent[:, 0]
    material, silent = _weigh(wanted.material, seen.materials)
    material = material + silent[:, 0]
    return kind * color * material, kind, color


def logit(probability: Tensor) -> Tensor:
    """Return the logit, at most about 9 in size."""
    return torch.logit(probability, eps=_EPSILON)


def geometry(target: Tensor, anchor: Tensor) -> Tensor:
    """Say where each pixel lies relative to what is asked for and to the anchor.

    Args:
        target: (N, h, w) map in [0, 1].
        anchor: (N, h, w) map in [0, 1].

    Returns:
        (N, 12, h, w) float32: x, y; offset and distance to the anchor's centroid, and its mass; offset to the
        target map's centroid; distances to the target map's four sides. Positions are in [-1, 1].
    """
    height, width = target.shape[-2:]
    x = torch.linspace(-1, 1, width, device=target.device)
    y = torch.linspace(-1, 1, height, device=target.device)
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])  # (2, h, w)
    anchor_weight = anchor.square() + _EPSILON**2
    target_weight = target.square() + _EPSILON**2
    to_anchor = grid - _per_axis(_mean, anchor_weight, x, y)
    to_target = grid - _per_axis(_mean, target_weight, x, y)
    low = _per_axis(_low, target_weight, x, y)
    high = _per_axis(_high, target_weight, x, y)
    mass = anchor_weight.sum(dim=(-1, -2)).log()[:, None, None, None].expand(-1, 1, height, width) / 8
    distance = to_anchor.square().sum(dim=1, keepdim=True).sqrt()
    same = grid.expand(len(target), -1, -1, -1)
    return torch.cat([same, to_anchor, distance, mass, to_target, grid - low, high - grid], dim=1)


def _per_axis(place: Callable[[Tensor, Tensor], Tensor], weight: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return (N, 2, 1, 1): a place on each axis, of (N, h, w) weights.

    All that is asked for needs only the sums of columns and rows, which are far fewer than the pixels.
    """
    places = [place(weight.sum(dim=-2), x), place(weight.sum(dim=-1), y)]
    return torch.stack(places, dim=1)[..., None, None]


def _mean(weight: Tensor, axis: Tensor) -> Tensor:
    """Return the (N,) centroids on an axis of (N, length) weights."""
    return (weight * axis).sum(dim=-1) / weight.sum(dim=-1)


def _low(weight: Tensor, axis: Tensor) -> Tensor:
    """Return the (N,) soft minima."""
    return ((weight.log() - _SHARPNESS * axis).softmax(dim=-1) * axis).sum(dim=-1)


def _high(weight: Tensor, axis: Tensor) -> Tensor:
    """Return the (N,) soft maxima."""
    return ((weight.log() + _SHARPNESS * axis).softmax(dim=-1) * axis).sum(dim=-1)
