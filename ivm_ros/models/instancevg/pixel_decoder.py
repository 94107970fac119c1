"""The pyramid to one map of fine features for the masks; spec section 8."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (B, C, h, w) to `size` (height, width), bilinear, corner pixels on corner pixels."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


class Stage(nn.Module):
    """Join a coarse map with a finer one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2 * width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor, finer: Tensor) -> Tensor:
        """Return (B, C, H, W) of a (B, C, h, w) map and a (B, C, H, W) one."""
        x = torch.cat([upsample(x, (finer.shape[2], finer.shape[3])), finer], dim=1)
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(x)))


class PixelDecoder(nn.Module):
    """A UNet's upward half over a pyramid of four levels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(Stage(width) for _ in range(3))

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Return (B, C, H, W) at the size of the finest of `levels`, finest first."""
        *finer, x = levels
        for stage, level in zip(self.stages, reversed(finer), strict=True):
            x = stage(x, level)
        return x
