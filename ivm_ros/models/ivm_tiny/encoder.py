"""ivm-tiny's image encoder: plain convolutions, a small feature pyramid, and dense concept heads."""

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


class Features(NamedTuple):
    """What the encoder knows of B images, before any words.

    Attributes:
        s4: (B, C4, H / 4, W / 4) features.
        s8: (B, C8, H / 8, W / 8) features.
        s16: (B, C16, H / 16, W / 16) features.
        kinds: (B, K + 1, H / 4, W / 4) logits; the last is the background.
        colors: (B, C, H / 4, W / 4) logits.
        materials: (B, M + 1, H / 4, W / 4) logits; the last is none of them.
    """

    s4: Tensor
    s8: Tensor
    s16: Tensor
    kinds: Tensor
    colors: Tensor
    materials: Tensor


class ImageEncoder(nn.Module):
    """Encode images at strides 4, 8 and 16 and say per pixel what kind, colour and material is there.

    Args:
        widths: channels at strides 2, 4, 8, 16.
        kinds: number of kinds.
        colors: number of colours.
        materials: number of materials.
    """

    def __init__(self, widths: tuple[int, int, int, int], kinds: int, colors: int, materials: int) -> None:
        super().__init__()
        w2, w4, w8, w16 = widths
        self.stage4 = nn.Sequential(ConvUnit(3, w2, stride=2), ConvUnit(w2, w4, stride=2))
        self.stage8 = nn.Sequential(ConvUnit(w4, w8, stride=2), Residual(w8))
        self.stage16 = nn.Sequential(ConvUnit(w8, w16, stride=2), Residual(w16), Residual(w16), Residual(w16))
        self.down_from_16 = ConvUnit(w16, w8, kernel=1)
        self.merge8 = ConvUnit(w8, w8)
        self.down_from_8 = ConvUnit(w8, w4, kernel=1)
        self.merge4 = ConvUnit(w4, w4)
        self.heads = nn.ModuleDict(
            {
                "kinds": nn.Conv2d(w4, kinds + 1, 1),
                "colors": nn.Conv2d(w4, colors, 1),
                "materials": nn.Conv2d(w4, materials + 1, 1),
            }
        )
        self.kinds8 = nn.Conv2d(w8, kinds + 1, 1)

    def forward(self, images: Tensor) -> Features:
        """Encode (B, 3, H, W) images, normalised to about zero mean; H and W are multiples of 16."""
        x4 = self.stage4(images)
        x8 = self.stage8(x4)
        s16 = self.stage16(x8)
        s8 = self.merge8(x8 + _double(self.down_from_16(s16)))
        s4 = self.merge4(x4 + _double(self.down_from_8(s8)))
        kinds = self.heads["kinds"](s4) + _double(self.kinds8(s8))
        return Features(s4, s8, s16, kinds, self.heads["colors"](s4), self.heads["materials"](s4))


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def normalise(images: Tensor) -> Tensor:
    """Turn (B, H, W, 3) uint8 RGB into the (B, 3, H, W) float32 that the encoder expects."""
    return (images.permute(0, 3, 1, 2).to(torch.float32) - 118.0) / 64.0
