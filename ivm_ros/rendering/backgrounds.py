"""What stands where nothing matters, one function per kind: (H, W, 3) uint8 or float32, writable."""

from __future__ import annotations

import array
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Image

if TYPE_CHECKING:
    from ivm_ros.rendering.settings import RenderSettings

Background = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

NAMED_FILLS = {"white": (255, 255, 255), "black": (0, 0, 0), "gray": (128, 128, 128)}


def fill_color(image: Image, fill: str) -> tuple[int, int, int]:
    """Return the RGB colour that `fill` names for this image."""
    if fill == "mean":
        red, green, blue = (round(value) for value in cv2.mean(image)[:3])
        return red, green, blue
    if fill.startswith("#"):
        return int(fill[1:3], 16), int(fill[3:5], 16), int(fill[5:7], 16)
    return NAMED_FILLS[fill]


def filled(image: Image, settings: RenderSettings) -> Background:
    """Return the fill colour everywhere."""
    height, width = image.shape[:2]
    # By the row: by the pixel it takes a hundred times as long. And as an array, which is what a ROS message
    # holds: made in one, the picture need not be copied into one.
    memory = array.array("B", bytes(fill_color(image, settings.fill)) * width) * height
    return np.frombuffer(memory, np.uint8).reshape(image.shape)


def blurred(image: Image, settings: RenderSettings) -> Background:
    """Return the image out of focus."""
    # In float32, as published: OpenCV's fixed-point blur of bytes is off by up to a grey level.
    return cv2.GaussianBlur(image.astype(np.float32), (settings.blur_kernel, settings.blur_kernel), 0)


def grayscale(image: Image, settings: RenderSettings) -> Background:
    """Return the image without its colours."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def dimmed(image: Image, settings: RenderSettings) -> Background:
    """Return the image at a quarter of its brightness."""
    return cv2.convertScaleAbs(image, alpha=0.25)
