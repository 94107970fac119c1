"""A grounder that needs no weights: it finds pixels by the colour that the instruction names."""

from __future__ import annotations

import time

import numpy as np

from ivm_ros.grounding import Grounder, Grounding, Target, check_image, check_instruction

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class ColorGrounder(Grounder):
    """Finds the pixels of exactly the named colour; 'explode' raises, 'slow' sleeps."""

    name = "color"

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.encoded = 0

    def encode(self, image):
        self.encoded += 1
        time.sleep(self.seconds)
        return check_image(image).copy()

    def ground(self, features, instruction):
        words = check_instruction(instruction).split()
        if "explode" in words:
            raise RuntimeError("boom")
        mask = np.zeros(features.shape[:2], bool)
        for word in words:
            if word in COLORS:
                mask |= (features == COLORS[word]).all(axis=2)
        targets = (Target.from_mask(mask, 0.9),) if mask.any() else ()
        return Grounding(instruction, mask.astype(np.float32), targets, 0.9 if targets else 0.1)


def red_square(height: int = 12, width: int = 16) -> np.ndarray:
    """(H, W, 3) uint8 gray image with a red square of 4x4 pixels at row 2, column 3."""
    image = np.full((height, width, 3), 90, np.uint8)
    image[2:6, 3:7] = COLORS["red"]
    return image
