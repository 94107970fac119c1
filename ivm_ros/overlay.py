"""The picture for people: the image with heatmap, outlines, boxes, points and words drawn on it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ivm_ros.grounding import Grounding, Image

# One colour per instruction, far apart from each other and from wood and steel.
_COLORS = ((255, 60, 160), (0, 200, 255), (255, 200, 0), (120, 255, 60), (190, 120, 255))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def overlay(image: Image, groundings: Sequence[Grounding], note: str = "") -> Image:
    """Draw groundings on a copy of the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        groundings: one per instruction, each of the image's size.
        note: a line for the lower edge, such as the age.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = image.copy()
    scale = max(0.4, image.shape[0] / 960)
    for index, grounding in enumerate(groundings):
        color = _COLORS[index % len(_COLORS)]
        _tint(picture, grounding, color)
        for target in grounding.targets:
            _outline(picture, target.mask, color)
            x_min, y_min, x_max, y_max = (round(value) for value in target.box)
            cv2.rectangle(picture, (x_min, y_min), (x_max - 1, y_max - 1), color, 1, cv2.LINE_AA)
            cv2.drawMarker(picture, _pixel(target.point), color, cv2.MARKER_CROSS, 9, 1, cv2.LINE_AA)
            _write(picture, f"{target.score:.2f}", (x_min, y_min - round(30 * scale)), scale, color)
        found = f"{grounding.existence:.2f}" if grounding.found else "not found"
        _write(picture, f"{grounding.instruction}: {found}", (4, round(4 + 30 * scale * index)), scale, color)
    if note:
        _write(picture, note, (4, image.shape[0]), scale, (255, 255, 255))
    return picture


def _pixel(point: tuple[float, float]) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _tint(picture: Image, grounding: Grounding, color: tuple[int, int, int]) -> None:
    """Colour the picture where the heatmap is warm, in place."""
    warm = grounding.heatmap > 0.1
    weight = (0.45 * grounding.heatmap[warm])[:, None]
    picture[warm] = np.rint(picture[warm] * (1 - weight) + np.array(color, np.float32) * weight)


def _outline(picture: Image, mask: np.ndarray, color: tuple[int, int, int]) -> None:
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, color, 2, cv2.LINE_AA)


def _write(
    picture: Image, text: str, corner: tuple[int, int], scale: float, color: tuple[int, int, int]
) -> None:
    """Write a line of text on a dark ground, its upper left corner at `corner` or as near as it fits."""
    text = text.encode("ascii", "replace").decode()  # OpenCV's fonts have no other characters
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, 1)
    x = max(0, min(corner[0], picture.shape[1] - width - 4))
    y = max(0, min(corner[1], picture.shape[0] - height - baseline - 2))
    cv2.rectangle(picture, (x, y), (x + width + 4, y + height + baseline + 2), (20, 20, 20), -1)
    cv2.putText(picture, text, (x + 2, y + height + 2), _FONT, scale, color, 1, cv2.LINE_AA)
