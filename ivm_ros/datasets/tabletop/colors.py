"""What the named colours look like: ranges of hue, saturation and value."""

from __future__ import annotations

import colorsys

import numpy as np

RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-9, 6), (0.78, 1.0), (0.6, 1.0)),
    "orange": ((19, 32), (0.85, 1.0), (0.9, 1.0)),
    "yellow": ((48, 59), (0.75, 1.0), (0.88, 1.0)),
    "green": ((95, 148), (0.6, 1.0), (0.45, 0.9)),
    "cyan": ((170, 188), (0.6, 1.0), (0.7, 1.0)),
    "blue": ((208, 240), (0.72, 1.0), (0.5, 1.0)),
    "purple": ((264, 287), (0.55, 0.95), (0.45, 0.85)),
    "pink": ((318, 344), (0.35, 0.6), (0.92, 1.0)),
    "brown": ((16, 29), (0.55, 0.82), (0.32, 0.54)),
    "white": ((0, 360), (0.0, 0.04), (0.93, 1.0)),
    "gray": ((0, 360), (0.0, 0.06), (0.4, 0.62)),
    "black": ((0, 360), (0.0, 0.3), (0.03, 0.11)),
}
"""Name of `vocabulary.COLORS` -> hue in degrees, saturation and value in [0, 1], each (low, high)."""


def sample_rgb(name: str, random: np.random.Generator) -> tuple[float, float, float]:
    """Draw an RGB triple in [0, 1] that people would call `name`."""
    hue, saturation, value = (random.uniform(*limits) for limits in RANGES[name])
    return colorsys.hsv_to_rgb(hue / 360 % 1.0, saturation, value)
