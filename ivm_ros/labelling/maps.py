"""Label maps: one picture that says which target each pixel is of; 0 is none. As PNG, and by GrabCut."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Grounding, Image, Mask

LabelMap = npt.NDArray[np.uint8]
"""(H, W), values 0 to `MOST_TARGETS`."""

MOST_TARGETS = 20
MAX_PNG_BYTES = 8 << 20
_AROUND_CLICK = 0.12  # of the larger side: half the box that a click stands for
_MARGIN = 0.35  # of the box's sides, of what is looked at round it
_LONGEST = 480  # GrabCut works on a picture of at most this side
_ROUNDS = 4


class LabelError(ValueError):
    """What was sent cannot be a label of this picture; says what was expected and what came."""


def label_map(grounding: Grounding) -> LabelMap:
    """Return the map of a grounding's targets, the best is 1; where targets overlap, the better one."""
    labels = np.zeros(grounding.heatmap.shape, np.uint8)
    for number, target in reversed(list(enumerate(grounding.targets[:MOST_TARGETS], start=1))):
        labels[target.mask] = number
    return labels


def masks_of(labels: LabelMap) -> dict[int, Mask]:
    """Return number -> (H, W) bool of every target that has a pixel."""
    return {int(number): labels == number for number in np.unique(labels) if number}


def encode(labels: LabelMap) -> bytes:
    """Return a map as PNG with one 8-bit channel."""
    good, data = cv2.imencode(".png", labels)
    if not good:
        raise LabelError(f"expected a label map that OpenCV can encode, got shape {labels.shape}")
    return data.tobytes()


def decode(data: bytes, size: tuple[int, int]) -> LabelMap:
    """Read a map from PNG, of one channel, or of several of which the first counts (browsers write RGBA).

    Args:
        data: of the file.
        size: (height, width) that it must have; checked before anything is decoded.

    Raises:
        LabelError: it is no PNG, too large, of another size, or has numbers over `MOST_TARGETS`.
    """
    if len(data) > MAX_PNG_BYTES:
        raise LabelError(f"expected at most {MAX_PNG_BYTES} bytes of PNG, got {len(data)}")
    found = _png_size(data)
    if found != size:
        raise LabelError(f"expected a PNG of {size[1]}x{size[0]} pixels, got {_shown(found)}")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint8 or picture.shape[:2] != size:
        raise LabelError("expected an 8-bit PNG, got one that cannot be decoded or is cut off")
    labels = picture if picture.ndim == 2 else picture[..., 2 if picture.shape[2] >= 3 else 0]
    if int(labels.max()) > MOST_TARGETS:
        raise LabelError(f"expected target numbers up to {MOST_TARGETS}, got {int(labels.max())}")
    return np.ascontiguousarray(labels)


def cut_out(image: Image, box: Mapping[str, float] | None, point: tuple[float, float] | None) -> Mask:
    """Return the object in a box, or at a click, by GrabCut (Rother et al., 2004) on a part of the picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: "x_min", "y_min", "x_max", "y_max" in pixels, half-open; clipped to the picture.
        point: (x, y) that is surely of the object; with a box it may be left out, alone it stands for a box.

    Returns:
        (H, W) bool; empty where nothing stands out from what is round it.

    Raises:
        LabelError: there is neither, or the box has no area in the picture.
    """
    height, width = image.shape[:2]
    x_min, y_min, x_max, y_max = _corners(box, point, (width, height))
    window = _grown((x_min, y_min, x_max, y_max), (width, height))
    part = image[window[1] : window[3], window[0] : window[2]]
    scale = min(1.0, _LONGEST / max(part.shape[:2]))
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows, columns = small.shape[:2]
    state = np.full((rows, columns), cv2.GC_BGD, np.uint8)
    top, left = int((y_min - window[1]) * scale), int((x_min - window[0]) * scale)
    bottom, right = int(np.ceil((y_max - window[1]) * scale)), int(np.ceil((x_max - window[0]) * scale))
    state[top:bottom, left:right] = cv2.GC_PR_FGD
    if point is not None:
        centre = (round((point[0] - window[0]) * scale), round((point[1] - window[1]) * scale))
        cv2.circle(state, centre, max(2, min(rows, columns) // 40), int(cv2.GC_FGD), -1)
    if (state == cv2.GC_BGD).sum() < 8:  # the box is the picture: nothing is surely background
        return _full(state != cv2.GC_BGD, window, (height, width))
    cv2.setRNGSeed(0)  # the colours' clusters begin by chance
    cv2.grabCut(small, state, None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)
    return _full(_main_piece(found, state == cv2.GC_FGD), window, (height, width))


def _corners(
    box: Mapping[str, float] | None, point: tuple[float, float] | None, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    width, height = size
    if box is not None:
        left, top, right, bottom = (box[name] for name in ("x_min", "y_min", "x_max", "y_max"))
    elif point is not None:
        reach = _AROUND_CLICK * max(size)
        left, top, right, bottom = point[0] - reach, point[1] - reach, point[0] + reach, point[1] + reach
    else:
        raise LabelError("expected a box or a point, got neither")
    x_min, x_max = max(0, int(left)), min(width, int(np.ceil(right)))
    y_min, y_max = max(0, int(top)), min(height, int(np.ceil(bottom)))
    if x_max - x_min < 2 or y_max - y_min < 2:
        raise LabelError(f"expected a box with an area in the {width}x{height} picture, got {box or point}")
    return x_min, y_min, x_max, y_max


def _grown(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    x, y = int(_MARGIN * (box[2] - box[0])) + 8, int(_MARGIN * (box[3] - box[1])) + 8
    return max(0, box[0] - x), max(0, box[1] - y), min(size[0], box[2] + x), min(size[1], box[3] + y)


def _main_piece(found: Mask, sure: Mask) -> Mask:
    """Keep the pieces with a sure pixel; where none is sure, all but specks, under a tenth of the largest."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    if count == 1:
        return found
    if sure.any():
        return np.isin(pieces, np.unique(pieces[sure & found]))
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = [n for n in range(1, count) if areas[n] >= 0.1 * areas[1:].max()]
    return np.isin(pieces, kept)


def _full(part: Mask, window: tuple[int, int, int, int], shape: tuple[int, int]) -> Mask:
    mask = np.zeros(shape, np.bool_)
    size = (window[2] - window[0], window[3] - window[1])
    fine = cv2.resize(part.astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR)
    mask[window[1] : window[3], window[0] : window[2]] = fine > 127
    return mask


def _png_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24 or not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        return None
    return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")


def _shown(size: tuple[int, int] | None) -> str:
    return "something else than a PNG" if size is None else f"{size[1]}x{size[0]}"
