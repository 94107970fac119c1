"""A frame as the flow tracker keeps it: small, in colour and in gray; and how two pictures are told apart."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Image
from ivm_ros.tracking.dense import Flow, Gray

SMALLEST = 32
"""Least side of a small picture, so that the search for flow has something to go by."""

Error = npt.NDArray[np.float32]

_MEAN = np.full((1, 3), 1 / 3, np.float32)  # of the colours
_AROUND = (7, 7)  # pixels over which brightness is compared
_DARKEST = 0.4  # a shadow leaves at least this share of the light
_FLOOR = 8.0  # grey levels under which brightness says nothing


@dataclass(frozen=True, eq=False)
class Picture:
    """A small picture of a frame.

    Attributes:
        color: (h, w, 3) uint8 RGB.
        gray: (h, w) uint8.
        scale: (x, y), its size over the frame's.
    """

    color: Image
    gray: Gray
    scale: tuple[float, float]

    @classmethod
    def of(cls, image: Image, side: int) -> Picture:
        """Make one whose longer side has at most `side` pixels of an (H, W, 3) uint8 RGB frame."""
        height, width = image.shape[:2]
        factor = min(1.0, side / max(height, width))
        w, h = max(SMALLEST, round(width * factor)), max(SMALLEST, round(height * factor))
        # Averaging a picture of 8 million pixels takes longer than all else: of large ones, take every n-th.
        step = max(1, int(0.5 / factor))
        small = cv2.resize(image[::step, ::step], (w, h), interpolation=cv2.INTER_AREA)
        return cls(small, cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (w / width, h / height))


def difference(first: Image, second: Image) -> Error:
    """Return (h, w) float32: by how many grey levels two (h, w, 3) pictures differ, over 3x3 pixels."""
    return cv2.blur(cv2.transform(cv2.absdiff(first, second), _MEAN), (3, 3)).astype(np.float32)


def difference_in_any_light(first: Image, second: Image) -> Error:
    """Return the difference of two (h, w, 3) pictures with the second lit as the first, in grey levels.

    A shadow that falls on an object, or a turn towards the lamp, then makes no difference, up to `_DARKEST`.
    """
    brightness = [
        cv2.blur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), _AROUND).astype(np.float32) + _FLOOR
        for picture in (first, second)
    ]
    light = np.clip(brightness[0] / brightness[1], _DARKEST, 1 / _DARKEST)
    lit = second.astype(np.float32) * light[..., None]
    return cv2.blur(cv2.transform(cv2.absdiff(first.astype(np.float32), lit), _MEAN), (3, 3))


def look_at_places(values: npt.NDArray, where: Flow, border: int = cv2.BORDER_REPLICATE) -> npt.NDArray:
    """Return the values of an (h, w) or (h, w, C) array at (n, m, 2) places x, y, between pixels linear."""
    return cv2.remap(values, where, None, cv2.INTER_LINEAR, borderMode=border)
