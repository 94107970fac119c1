"""IVM's augmentation: a random crop, resized to a square; spec section 8."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import PIL.Image

from ivm_ros.grounding import Heatmap, Image

AREA = (0.8, 1.0)
"""Share of the image's area that a crop has."""
ASPECT = (3 / 4, 4 / 3)
"""Width over height of a crop; drawn evenly on a logarithmic scale."""

_TRIES = 10


def random_resized_crop(image: Image, heatmap: Heatmap, side: int, random: Random) -> tuple[Image, Heatmap]:
    """Cut the same random window out of an image and its heatmap, and resize both bilinearly. No flips.

    Args:
        image: (H, W, 3) uint8 RGB.
        heatmap: (H, W) float32 in [0, 1].
        side: of the squares that come out, in pixels.
        random: decides the window.

    Returns:
        (side, side, 3) uint8 and (side, side) float32 in [0, 1].
    """
    height, width = heatmap.shape
    box = crop_window(width, height, random)
    bilinear = PIL.Image.Resampling.BILINEAR
    picture = PIL.Image.fromarray(image).resize((side, side), bilinear, box)
    heat = PIL.Image.fromarray(heatmap).resize((side, side), bilinear, box)
    return np.array(picture), np.clip(np.asarray(heat), 0.0, 1.0)


def crop_window(width: int, height: int, random: Random) -> tuple[int, int, int, int]:
    """Draw a window (x_min, y_min, x_max, y_max) of `AREA` and `ASPECT`, half-open pixels.

    After ten draws that did not fit, it is the largest centred one that an aspect in range allows.
    """
    for _ in range(_TRIES):
        area = width * height * random.uniform(*AREA)
        aspect = math.exp(random.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            x, y = random.randint(0, width - w), random.randint(0, height - h)
            return x, y, x + w, y + h
    w = min(width, max(1, round(height * ASPECT[1])))
    h = min(height, max(1, round(width / ASPECT[0])))
    x, y = (width - w) // 2, (height - h) // 2
    return x, y, x + w, y + h
