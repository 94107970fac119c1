"""Positional encoding of image grids by random Fourier features, as in Segment Anything."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class RandomFourierEncoding(nn.Module):
    """Encode the pixel centres of a grid: [sin, cos] of a fixed random projection of (x, y).

    Args:
        channels: of the encoding; even.
        scale: standard deviation of the projection's frequencies.
    """

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, channels: int, scale: float = 1.0) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"expected an even number of channels, got {channels}")
        self.register_buffer("positional_encoding_gaussian_matrix", scale * torch.randn(2, channels // 2))

    def forward(self, height: int, width: int) -> Tensor:
        """Return the (channels, height, width) encoding of a grid."""
        matrix = self.positional_encoding_gaussian_matrix
        x = (torch.arange(width, device=matrix.device, dtype=matrix.dtype) + 0.5) / width
        y = (torch.arange(height, device=matrix.device, dtype=matrix.dtype) + 0.5) / height
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        centres = torch.stack([columns, rows], dim=-1)  # x first
        angles = 2 * math.pi * ((2 * centres - 1) @ matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).permute(2, 0, 1)
