"""Small blocks that several parts of the head are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Mlp(nn.Module):
    """Linear layers with ReLU between.

    Args:
        widths: of the input, the hidden layers and the output.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))

    @torch.no_grad()
    def start_bias(self, bias: Tensor) -> None:
        """Set the last layer's bias."""
        self.layers[-1].bias.copy_(bias)  # type: ignore[operator]

    def hidden(self, x: Tensor) -> Tensor:
        """Return what the last layer reads."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., widths[0]) to (..., widths[-1])."""
        return self.layers[-1](self.hidden(x))


class FeedForward(nn.Module):
    """Two linear layers with ReLU, and dropout behind each in training."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., width) to (..., width)."""
        return self.dropout(self.lin2(self.dropout(F.relu(self.lin1(x)))))


def sine_positions(height: int, width: int, channels: int) -> Tensor:
    """Return DETR's normalised 2-D sine embedding of a grid, (channels, height, width) float32.

    The first half of the channels is of y, the second of x; sines and cosines alternate.
    """
    half = channels // 2
    exponents = 2 * torch.div(torch.arange(half), 2, rounding_mode="floor") / half
    frequencies = 10000.0**exponents

    def along(count: int) -> Tensor:
        places = torch.arange(1, count + 1, dtype=torch.float32) / (count + 1e-6) * 2 * math.pi
        angles = places[:, None] / frequencies
        return torch.stack([angles[:, 0::2].sin(), angles[:, 1::2].cos()], dim=-1).flatten(1)

    rows = along(height).T[:, :, None].expand(-1, -1, width)
    columns = along(width).T[:, None, :].expand(-1, height, -1)
    return torch.cat([rows, columns])
