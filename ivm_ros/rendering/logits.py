"""From a network's small logits to the heat of the part of the picture where it is hot."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.rendering.weights import Heat

Logits = npt.NDArray[np.float32]

_SLACK = 1e-3  # of logits, far more than float32 rounds


class _Axis(NamedTuple):
    """How n logits become N pixels along one axis: each pixel is a mean of a few logits.

    Attributes:
        sources: (T, N) index of the logits, rising along both axes.
        shares: (T, N, 1) float32, how much of each; a pixel of fewer than T logits has zeros.
    """

    sources: npt.NDArray[np.intp]
    shares: npt.NDArray[np.float32]

    def reached(self, start: int, stop: int) -> slice:
        """Return which pixels take from the logits of [start, stop)."""
        low = int(np.searchsorted(self.sources[-1], start))
        return slice(low, max(low, int(np.searchsorted(self.sources[0], stop))))

    def used(self, pixels: slice) -> slice:
        """Return all logits that these pixels take from."""
        if pixels.start == pixels.stop:
            return slice(0, 0)
        return slice(int(self.sources[0, pixels.start]), int(self.sources[-1, pixels.stop - 1]) + 1)

    def enlarged(self, values: Logits, pixels: slice) -> Logits:
        """Return (N', w) of (n', w) values: for these pixels, of the logits that they use."""
        # Not a product of matrices: that may wait for threads, for longer than all of this takes.
        total: Logits = np.zeros((pixels.stop - pixels.start, values.shape[1]), np.float32)
        start = self.used(pixels).start
        for sources, shares in zip(self.sources, self.shares, strict=True):
            part = np.take(values, sources[pixels] - start, axis=0)
            part *= shares[pixels]
            total += part
        return total


@lru_cache(maxsize=16)
def _axis(logits: int, between: int, pixels: int) -> _Axis:
    """Return how `logits` become `between`, and those `pixels`, both bilinear (IVM spec 1)."""
    square = cv2.resize(np.eye(logits, dtype=np.float32), (logits, between), interpolation=cv2.INTER_LINEAR)
    matrix = cv2.resize(square, (logits, pixels), interpolation=cv2.INTER_LINEAR)
    first = (matrix > 0).argmax(axis=1)
    last = logits - 1 - (matrix[:, ::-1] > 0).argmax(axis=1)
    taps = int((last - first).max()) + 1
    first = np.minimum(first, logits - taps)
    sources = first + np.arange(taps)[:, None]
    return _Axis(sources, matrix[np.arange(pixels), sources][..., None])


def heat_of_logits(logits: Logits, shape: tuple[int, int], between: int, above: float) -> Heat:
    """Return the probabilities of a picture where they can be above `above`; elsewhere they are not.

    Args:
        logits: (h, w) float32.
        shape: (H, W) of the picture.
        between: side of the square that logits are enlarged to first, as IVM does, bilinear both times.
        above: a probability in [0, 1]; 0 returns the whole picture.
    """
    # No pixel is hotter than the logits that it is made of.
    floor = math.log(above / (1.0 - min(above, 1.0 - 1e-9))) - _SLACK if above > 0.0 else -math.inf
    x, y, width, height = cv2.boundingRect((logits > floor).view(np.uint8))
    down, across = (_axis(size, between, pixels) for size, pixels in zip(logits.shape, shape, strict=True))
    rows, columns = down.reached(y, y + height), across.reached(x, x + width)
    hot = logits[down.used(rows), across.used(columns)]
    wide = across.enlarged(hot.T, columns)
    values = down.enlarged(np.ascontiguousarray(wide.T), rows)
    np.exp(np.negative(values, out=values), out=values)  # the sigmoid, in place
    values += 1.0
    return Heat(np.reciprocal(values, out=values), (rows, columns), shape)
