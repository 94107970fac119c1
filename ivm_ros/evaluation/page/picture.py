"""One case as a picture: the truth's outline and the answer's, on the image, small enough for a page."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import cv2
import numpy as np

from ivm_ros.datasets.samples import Sample
from ivm_ros.grounding import Box, Grounding, Image, Mask

TRUTH = (70, 255, 90)
ANSWER = (255, 40, 170)
_DARK = (20, 20, 20)
_WIDTH, _HEIGHT = 420, 420
_HATCH = 12


def draw_case(sample: Sample, grounding: Grounding) -> Image:
    """Draw truth and answer on the sample's image, shrunk to at most 420x420 pixels.

    The answer is hatched and outlined, the truth outlined over it; colours between stay as they are, because
    instructions name them. Without true masks, boxes are drawn.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    height, width = sample.image.shape[:2]
    scale = min(_WIDTH / width, _HEIGHT / height, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA)
    answer = _shrunk(grounding.mask, size)
    diagonals = np.add.outer(np.arange(size[1]), np.arange(size[0])) % _HATCH < 2
    picture[answer & diagonals] = ANSWER
    if sample.annotated is None:
        _draw_boxes(picture, (target.box for target in grounding.targets), scale, ANSWER)
        _draw_boxes(picture, sample.boxes, scale, TRUTH)
    else:
        _draw_outlines(picture, [_shrunk(target.mask, size) for target in grounding.targets], ANSWER)
        _draw_outlines(picture, [_shrunk(mask, size) for mask in sample.annotated], TRUTH)
    return picture


def data_url(picture: Image) -> str:
    """Return an (H, W, 3) uint8 RGB picture as a JPEG in a data URL."""
    encoded, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not encoded:
        raise ValueError(f"expected a picture that OpenCV can encode, got shape {picture.shape}")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def _shrunk(mask: Mask, size: tuple[int, int]) -> Mask:
    """Return a mask at another size (width, height): pixels that it half covers, never none."""
    shares = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(shares >= min(0.5, max(float(shares.max()), 1e-6)))


def _draw_outlines(picture: Image, masks: Iterable[Mask], color: tuple[int, int, int]) -> None:
    found = [
        cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0] for mask in masks
    ]
    contours = [contour for contours in found for contour in contours]
    for shade, width in ((_DARK, 4), (color, 2)):
        cv2.drawContours(picture, contours, -1, shade, width, cv2.LINE_AA)


def _draw_boxes(picture: Image, boxes: Iterable[Box], scale: float, color: tuple[int, int, int]) -> None:
    corners = [[round(value * scale) for value in box] for box in boxes]
    for shade, width in ((_DARK, 4), (color, 2)):
        for x_min, y_min, x_max, y_max in corners:
            cv2.rectangle(picture, (x_min, y_min), (x_max - 1, y_max - 1), shade, width, cv2.LINE_AA)
