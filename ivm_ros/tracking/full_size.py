"""From flow on a small picture to masks, boxes, points and heat at the frame's size, where targets are."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Heatmap, Mask, Target
from ivm_ros.tracking.anchor import Anchor
from ivm_ros.tracking.dense import Flow, pixel_grid
from ivm_ros.tracking.picture import look_at_places
from ivm_ros.tracking.track import Region, Track

_HOTTEST = 1.0 - 1e-5
_SHRED = 0.1  # of the largest piece
_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class Window:
    """A region of a small picture at the frame's size.

    Args:
        anchor: with the flow.
        region: of the small picture.

    Attributes:
        rows: of the frame.
        columns: of the frame.
        valid: (n, m) bool.
    """

    def __init__(self, anchor: Anchor, region: Region) -> None:
        (height, width), (scale_x, scale_y) = anchor.shape, anchor.picture.scale
        self.rows = _scaled(region[0], scale_y, height)
        self.columns = _scaled(region[1], scale_x, width)
        size = (self.columns.stop - self.columns.start, self.rows.stop - self.rows.start)
        left, top = region[1].start, region[0].start
        # Pixels are squares: the middle of the first one is at half a pixel.
        zoom = np.array(
            [
                [scale_x, 0.0, (self.columns.start + 0.5) * scale_x - 0.5 - left],
                [0.0, scale_y, (self.rows.start + 0.5) * scale_y - 0.5 - top],
            ]
        )
        where = pixel_grid(*anchor.picture.gray.shape)[region] + anchor.flow[region]
        small = cv2.warpAffine(where, zoom, size, flags=_FLAGS, borderMode=cv2.BORDER_REPLICATE)
        self._where: Flow = (small + np.float32(0.5)) / np.array((scale_x, scale_y), np.float32) - np.float32(
            0.5
        )
        valid = cv2.warpAffine(
            anchor.valid[region], zoom, size, flags=_FLAGS, borderMode=cv2.BORDER_REPLICATE
        )
        self.valid: Mask = valid > 0.5

    def looked_up(
        self, values: npt.NDArray[np.float32], corner: tuple[int, int] = (0, 0)
    ) -> npt.NDArray[np.float32]:
        """Return (n, m) float32: values of the key frame as they lie in this window; 0 from outside of them.

        Args:
            values: of the frame or of a part of it.
            corner: (left, top) of that part.
        """
        return look_at_places(values, self._where - np.array(corner, np.float32), cv2.BORDER_CONSTANT)


def carried_target(track: Track, window: Window, shape: tuple[int, int]) -> Target | None:
    """Return a target of the key frame as it lies in a window of the newest; None if no pixel is left."""
    target = track.target
    shown = _without_shreds((window.looked_up(*track.cut_out) > 0.5) & window.valid)
    ys, xs = np.nonzero(shown)
    if xs.size == 0:
        return None
    mask = np.zeros(shape, np.bool_)
    mask[window.rows, window.columns] = shown
    nearest = int(np.argmin((xs - xs.mean()) ** 2 + (ys - ys.mean()) ** 2))
    left, top = window.columns.start, window.rows.start
    return Target(
        box=(left + xs.min(), top + ys.min(), left + xs.max() + 1, top + ys.max() + 1),
        mask=mask,
        point=(float(left + xs[nearest]), float(top + ys[nearest])),
        score=target.score,
        label=target.label,
    )


def _without_shreds(mask: Mask) -> Mask:
    """Return a mask without the pieces that are far smaller than its largest, which pull a box far out."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept: Mask = (areas >= _SHRED * areas.max()) & (areas > 0)
    return kept[labels]


def carried_heat(heat: Heatmap, small: Heatmap, anchor: Anchor, windows: list[Window]) -> Heatmap:
    """Return the key's heat on the newest frame: coarse where there is no target, exact in windows.

    Args:
        heat: (H, W) of the key frame.
        small: (h, w), the same on its small picture.
        anchor: the key frame.
        windows: around targets.
    """
    height, width = anchor.shape
    # Limited here and not at the frame's size; a little less than 1 is left to rounding in between.
    coarse = np.clip(anchor.looked_up(small) * anchor.valid, 0.0, _HOTTEST)
    carried = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    for window in windows:
        carried[window.rows, window.columns] = np.clip(window.looked_up(heat) * window.valid, 0.0, 1.0)
    return carried


def _scaled(span: slice, scale: float, size: int) -> slice:
    return slice(int(span.start / scale), min(size, math.ceil(span.stop / scale)))
