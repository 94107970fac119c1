"""ivm-tiny's image encoder: plain convolutions and a small feature pyramid."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ConvUnit(nn.Module):
    """A 3x3 or 1x1 convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H / stride, W / stride)."""
        return F.relu(self.norm(self.conv(x)), inplace=True)

    def fold(self) -> None:
        """Fold the batch norm into the convolution; for inference only, once."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class Residual(nn.Module):
    """Two convolution units beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels)
        self.second = ConvUnit(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to the same shape."""
        return x + self.second(self.first(x))


def fold_batch_norms(module: nn.Module) -> None:
    """Fold every batch norm below `module` into its convolution; the module must be in eval mode."""
    for part in module.modules():
        if isinstance(part, ConvUnit):
            part.fold()


def double(x: Tensor) -> Tensor:
    """Map (B, C, H, W) to (B, C, 2 H, 2 W), each value four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Features(NamedTuple):
    """What the encoder knows of B images, before any words.

    Attributes:
        s4: (B, C4, H / 4, W / 4) features.
        s8: (B, C8, H / 8, W / 8) features.
        s16: (B, C16, H / 16, W / 16) features.
        heat: (B, H / 4, W / 4) logits that a cell is well inside an object.
        pixels: (B, P, H / 4, W / 4) features that masks are made of.
        paint: (B, 3, H / 4, W / 4) mean colour of the cells, as `normalise` gives it.
    """

    s4: Tensor
    s8: Tensor
    s16: Tensor
    heat: Tensor
    pixels: Tensor
    paint: Tensor


class ImageEncoder(nn.Module):
    """Encode images at strides 4, 8 and 16, and say where objects are.

    Args:
        widths: channels at strides 2, 4, 8, 16.
        pixels: channels of the features that masks are made of.
    """

    def __init__(self, widths: tuple[int, int, int, int], pixels: int) -> None:
        super().__init__()
        w2, w4, w8, w16 = widths
        self.stage4 = nn.Sequential(ConvUnit(3, w2, stride=2), ConvUnit(w2, w4, stride=2))
        self.stage8 = nn.Sequential(ConvUnit(w4, w8, stride=2), Residual(w8))
        self.stage16 = nn.Sequential(ConvUnit(w8, w16, stride=2), Residual(w16), Residual(w16), Residual(w16))
        self.down_from_16 = ConvUnit(w16, w8, kernel=1)
        self.merge8 = ConvUnit(w8, w8)
        self.down_from_8 = ConvUnit(w8, w4, kernel=1)
        self.merge4 = ConvUnit(w4, w4)
        self.heat = nn.Sequential(ConvUnit(w4, w2), nn.Conv2d(w2, 1, 1))
        self.pixels = nn.Conv2d(w4, pixels, 3, padding=1)
        nn.init.constant_(self.heat[1].bias, -3.0)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Features:
        """Encode (B, 3, H, W) images, normalised to about zero mean; H and W are multiples of 16."""
        s4, s8, s16 = self.levels(images)
        return Features(
            s4=s4,
            s8=s8,
            s16=s16,
            heat=self.heat(s4)[:, 0],
            pixels=self.pixels(s4),
            paint=F.avg_pool2d(images, 4),
        )

    def levels(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features at strides 4, 8 and 16."""
        x4 = self.stage4(images)
        x8 = self.stage8(x4)
        s16 = self.stage16(x8)
        s8 = self.merge8(x8 + double(self.down_from_16(s16)))
        return self.merge4(x4 + double(self.down_from_8(s8))), s8, s16


def normalise(images: Tensor) -> Tensor:
    """Turn (B, H, W, 3) uint8 RGB into the (B, 3, H, W) float32 that the encoder expects."""
    return (images.permute(0, 3, 1, 2).to(torch.float32) - 118.0) / 64.0
