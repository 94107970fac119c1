"""A closer look at each object: what the picture itself shows of it, at the picture's own resolution.

The network sees a picture squashed to its own size, where a small thing is a dozen pixels. Once it knows
where things are, it looks at each again through a window of the picture: what it is, and where it ends.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.grounding import Image
from ivm_ros.models.ivm_tiny.encoder import ConvUnit, Residual, double, normalise

SIDE = 48
"""Pixels of a glimpse's sides."""

Windows = npt.NDArray[np.int64]
"""(N, 4) left, top, right, bottom in pixels of the picture; right and bottom are outside."""

_MARGIN = 1.3  # of an object's longer side
_LEAST = 4  # cells of a mask that the smallest window has
_QUICKER = 8  # times, at least, that halving a pixel is than another reduction
_SURE = 6.0  # logits of a mask that are as good as any higher


def windows(masks: Tensor, size: tuple[int, int]) -> Windows:
    """Return the windows through which objects are looked at: square where the picture is large enough.

    Args:
        masks: (N, h, w) in [0, 1], of the whole picture.
        size: (width, height) of the picture, pixels.
    """
    found = masks.cpu().numpy()
    inside = found >= np.minimum(0.5, 0.9 * found.max(axis=(1, 2), keepdims=True))
    spans = []
    for axis, length in ((1, size[0]), (2, size[1])):
        places = inside.any(axis=axis)
        step = length / places.shape[1]
        spans.append(
            (places.argmax(axis=1) * step, (places.shape[1] - places[:, ::-1].argmax(axis=1)) * step, step)
        )
    side = np.maximum.reduce(
        [np.maximum(_MARGIN * (end - start), _LEAST * step) for start, end, step in spans]
    )
    corners = []
    for (start, end, _), length in zip(spans, size, strict=True):
        wide = np.clip(np.rint(side), 1, length)
        first = np.clip(np.rint((start + end - wide) / 2), 0, length - wide)
        corners.append((first, first + wide))
    (left, right), (top, bottom) = corners
    return np.stack([left, top, right, bottom], axis=1).astype(np.int64)


def cut(picture: Image, seen: Windows) -> Tensor:
    """Return what an (H, W, 3) uint8 picture shows in windows: (N, `SIDE`, `SIDE`, 3) uint8.

    Many large windows are read from the picture at a half, a quarter ... of its size, made once for all:
    halving is far quicker for a pixel than any other reduction. They lie there to half a glimpse's pixel.
    """
    glimpses = np.empty((len(seen), SIDE, SIDE, 3), np.uint8)
    sides = seen[:, 2:] - seen[:, :2]
    halves = _QUICKER * sides.prod(axis=1).sum() > picture.shape[0] * picture.shape[1]
    levels = [picture]
    for glimpse, window, side in zip(glimpses, seen, sides.min(axis=1).tolist(), strict=True):
        level = max(0, (side // SIDE).bit_length() - 1) if halves else 0
        while len(levels) <= level:
            height, width = levels[-1].shape[:2]
            levels.append(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
        left, top, right, bottom = _scaled(window, picture, levels[level])
        shrinks = right - left >= SIDE and bottom - top >= SIDE
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cv2.resize(levels[level][top:bottom, left:right], (SIDE, SIDE), dst=glimpse, interpolation=how)
    return torch.from_numpy(glimpses)


def _scaled(window: npt.NDArray[np.int64], picture: Image, smaller: Image) -> list[int]:
    """Return where a window of a picture lies in a smaller one of it."""
    height, width = picture.shape[:2]
    shorter = np.array([smaller.shape[1] / width, smaller.shape[0] / height] * 2)
    places: list[int] = np.rint(window * shorter).astype(int).tolist()
    return places


def covered(masks: Iterable[npt.NDArray[np.bool_]], seen: Windows) -> Tensor:
    """Return how much of each pixel of a glimpse (H, W) bool masks cover: (N, `SIDE`, `SIDE`) float32."""
    shares = np.empty((len(seen), SIDE, SIDE), np.float32)
    for share, mask, (left, top, right, bottom) in zip(shares, masks, seen.tolist(), strict=True):
        inside = mask[top:bottom, left:right].astype(np.float32)
        cv2.resize(inside, (SIDE, SIDE), dst=share, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(shares)


def places(seen: Windows, size: tuple[int, int]) -> Tensor:
    """Return where windows lie: (N, 4) float32 x, y of the centre in [-1, 1], half the width and height."""
    left, top, right, bottom = seen.T.astype(np.float32)
    width, height = size
    across = [(left + right) / width - 1, (top + bottom) / height - 1]
    return torch.from_numpy(np.stack([*across, (right - left) / width, (bottom - top) / height], axis=1))


def through(maps: Tensor, where: Tensor) -> Tensor:
    """Return what (N, h, w) maps of the whole picture are in each one's window: (N, `SIDE`, `SIDE`)."""
    steps = (torch.arange(SIDE, device=maps.device) + 0.5) * (2 / SIDE) - 1
    x = where[:, 0, None] + steps * where[:, 2, None]
    y = where[:, 1, None] + steps * where[:, 3, None]
    grid = torch.stack([x[:, None].expand(-1, SIDE, -1), y[:, :, None].expand(-1, -1, SIDE)], dim=-1)
    return F.grid_sample(maps[:, None], grid, padding_mode="border", align_corners=False)[:, 0]


class Closer(nn.Module):
    """Say more of what objects are, from glimpses.

    Args:
        channels: of what is said.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            ConvUnit(4, 16, stride=2),
            ConvUnit(16, 40, stride=2),
            ConvUnit(40, 80, stride=2),
            ConvUnit(80, 80),
        )
        self.gather = nn.Linear(80 * (SIDE // 8) ** 2, channels)
        self.say = nn.Linear(channels, channels)
        nn.init.zeros_(self.say.weight)  # training starts from what the picture as a whole says
        nn.init.zeros_(self.say.bias)

    def forward(self, glimpses: Tensor, masks: Tensor) -> Tensor:
        """Return (N, channels).

        Args:
            glimpses: (N, `SIDE`, `SIDE`, 3) uint8 RGB.
            masks: (N, `SIDE`, `SIDE`) in [0, 1]: which object is meant.
        """
        seen = self.look(torch.cat([normalise(glimpses), 2 * masks[:, None] - 1], dim=1))
        said: Tensor = self.say(F.relu(self.gather(seen.flatten(1))))
        return said


class Outliner(nn.Module):
    """Draw the masks of objects finely, from glimpses: a small U-Net (Ronneberger et al., 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.near = ConvUnit(4, 16)
        self.halved = ConvUnit(16, 32, stride=2)
        self.quartered = nn.Sequential(ConvUnit(32, 48, stride=2), Residual(48))
        self.from_quarter, self.merge_half = ConvUnit(48, 32, kernel=1), ConvUnit(32, 32)
        self.from_half, self.merge = ConvUnit(32, 16, kernel=1), ConvUnit(16, 16)
        self.change = nn.Conv2d(16, 1, 1)
        nn.init.zeros_(self.change.weight)  # training starts from the coarse mask
        nn.init.zeros_(self.change.bias)  # type: ignore[arg-type]

    def forward(self, glimpses: Tensor, masks: Tensor) -> Tensor:
        """Return (N, `SIDE`, `SIDE`) logits in the windows.

        Args:
            glimpses: (N, `SIDE`, `SIDE`, 3) uint8 RGB.
            masks: (N, `SIDE`, `SIDE`) coarse logits there.
        """
        coarse = masks.clamp(-_SURE, _SURE)
        near = self.near(torch.cat([normalise(glimpses), coarse[:, None] / 4], dim=1))
        half = self.halved(near)
        half = self.merge_half(half + double(self.from_quarter(self.quartered(half))))
        near = self.merge(near + double(self.from_half(half)))
        return coarse + self.change(near)[:, 0]
