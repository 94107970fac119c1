"""Dense optical flow at a reduced size, and what can be done with flows: join them, look along them."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Flow = npt.NDArray[np.float32]
"""(h, w, 2): from each pixel of one picture, how far right and down it lies in another."""

Gray = npt.NDArray[np.uint8]


@lru_cache(maxsize=4)
def pixel_grid(height: int, width: int) -> Flow:
    """Return (height, width, 2) float32: the x and y of every pixel. Not to be written to."""
    columns = np.arange(width, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    grid.flags.writeable = False
    return grid


def places(flow: Flow) -> Flow:
    """Return (h, w, 2): the x and y in the other picture of every pixel."""
    return pixel_grid(*flow.shape[:2]) + flow


def look_along(flow: Flow, values: npt.NDArray, border: int = cv2.BORDER_REPLICATE) -> npt.NDArray:
    """Return the other picture's values, (h, w) or (h, w, C), where each pixel's flow leads."""
    return cv2.remap(values, places(flow), None, cv2.INTER_LINEAR, borderMode=border)


def joined(first: Flow, second: Flow) -> Flow:
    """Return the flow from a to c of those from a to b and from b to c."""
    return first + look_along(first, second)


class DenseFlow:
    """OpenCV's dense inverse search (Kroeger et al., ECCV 2016) without smoothing, which blurs edges.

    Args:
        finest: the search ends on pictures reduced by 2 to this power.
    """

    def __init__(self, finest: int) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._search.setFinestScale(finest)
        self._search.setPatchStride(4)
        self._search.setGradientDescentIterations(12)
        self._search.setVariationalRefinementIterations(0)

    def __call__(self, first: Gray, second: Gray) -> Flow:
        """Return the flow from the first (h, w) uint8 picture to the second, both sides at least 32."""
        flow: Flow = self._search.calc(first, second, None)
        return flow
