"""COCO's segmentations: polygons and run-length encoding (RLE) to masks, through pycocotools."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ivm_ros.datasets.records import is_finite, shown
from ivm_ros.grounding import Mask

OVERHANG = 1.0
"""Pixels by which polygons and boxes may leave the image, as annotations do by rounding; that is cut off."""


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> Mask:
    """Return the mask that a COCO annotation's `segmentation` stands for.

    Args:
        segmentation: polygons [[x, y, x, y, ...], ...] in pixels; RLE {"size": [H, W], "counts": ...},
            compressed or not; or a list of RLE. Several are united.
        size: (H, W) of the image.

    Returns:
        (H, W) bool with at least one pixel.

    Raises:
        ValueError: it is something else, leaves the image, is of another size, or has no pixel.
        ImportError: pycocotools is missing.
    """
    coco = _pycocotools()
    height, width = size
    parts = segmentation if isinstance(segmentation, list) else [segmentation]
    if not parts:
        raise ValueError("expected a target, got a segmentation without polygons")
    checked: list[Any]
    if isinstance(parts[0], dict):
        checked = [{"size": [height, width], "counts": _runs(part, size)} for part in parts]
    else:
        checked = [_check_polygon(part, size) for part in parts]
    mask = np.asarray(coco.decode(coco.merge(coco.frPyObjects(checked, height, width))), bool)
    if not mask.any():
        raise ValueError("expected a target, got a segmentation without a pixel")
    return mask


def is_polygon(polygon: Any) -> bool:
    """Tell whether something is [x, y, x, y, ...] with three points or more."""
    return isinstance(polygon, list) and len(polygon) >= 6 and not len(polygon) % 2


def check_points(points: Sequence[float], size: tuple[int, int]) -> None:
    """Raise ValueError where points x, y, x, y ... are no numbers or leave an image of `size` (H, W)."""
    if not all(map(is_finite, points)):
        raise ValueError(f"expected finite numbers, got {shown(points)}")
    height, width = size
    for coordinates, side, name in ((points[0::2], width, "x"), (points[1::2], height, "y")):
        low, high = min(coordinates), max(coordinates)
        if low < -OVERHANG or high > side + OVERHANG:
            raise ValueError(f"expected {name} inside the image, 0 to {side}, got {low:g} to {high:g}")


def _check_polygon(polygon: Any, size: tuple[int, int]) -> list[float]:
    if not is_polygon(polygon):
        raise ValueError(f"expected polygons of three or more points x, y, got {shown(polygon)}")
    check_points(polygon, size)
    return polygon


def _runs(rle: Any, size: tuple[int, int]) -> list[int]:
    """Return the run lengths of an RLE, which must cover the image: pycocotools leaves the rest to chance."""
    if not isinstance(rle, dict) or not {"size", "counts"} <= rle.keys():
        raise ValueError(f'expected RLE with "size" and "counts", got {shown(rle)}')
    if not isinstance(rle["size"], (list, tuple)) or tuple(rle["size"]) != size:
        raise ValueError(f"expected RLE of the image's size {list(size)}, got {shown(rle['size'])}")
    counts = rle["counts"]
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", errors="replace")
    runs = _decompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError(f"expected run lengths, got {shown(rle['counts'])}")
    if sum(runs) != size[0] * size[1]:
        raise ValueError(f"expected run lengths of {size[0] * size[1]} pixels together, got {sum(runs)}")
    return runs


def _decompressed(counts: str) -> list[int]:
    """Return the run lengths of COCO's compressed RLE: 5 bits a character, from the third on differences."""
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"expected compressed run lengths, got the character {character!r}")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:  # the last character of this run
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _pycocotools() -> ModuleType:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise ImportError("COCO's masks need pycocotools: pip install 'ivm-ros[datasets]'") from error
    module: ModuleType = mask
    return module
