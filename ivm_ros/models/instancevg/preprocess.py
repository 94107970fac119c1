"""Pictures, masks and boxes squashed to the network's square, in training and use alike; spec section 2."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ivm_ros.grounding import Image, Mask

_MEAN = (123.675, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)


def scale_factor(size: tuple[int, int], side: int) -> npt.NDArray[np.float32]:
    """Return what (x_min, y_min, x_max, y_max) of a picture of `size` (width, height) is multiplied by."""
    width, height = size
    return np.array([side / width, side / height] * 2, dtype=np.float32)


def squash(image: Image, side: int) -> Image:
    """Resize an (H, W, 3) uint8 image to (side, side, 3), its aspect ratio given up; bilinear."""
    squashed: Image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    return squashed


def squash_mask(mask: Mask, side: int) -> Mask:
    """Resize an (H, W) bool mask to (side, side), as targets of training are."""
    return resize_mask(mask, (side, side))


def resize_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """Resize an (H, W) bool mask to `size` (width, height), each pixel the nearest one's."""
    return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0


def pixels(squashed: Image) -> Tensor:
    """Return the network's (3, S, S) float32 input of a squashed (S, S, 3) uint8 RGB image."""
    values = torch.from_numpy(squashed).permute(2, 0, 1).float()
    return (values - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]
