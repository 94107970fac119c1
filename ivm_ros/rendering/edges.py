"""Soft edges around selected pixels: dilated by a square, then blurred, where that is not zero."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Mask

Region = tuple[slice, slice]
Bits = npt.NDArray[np.uint8]
Kernel = npt.NDArray[np.float32]
Share = npt.NDArray[np.float32] | npt.NDArray[np.uint16]

ONE = 32767
"""The weight 1 in 16 bits."""

_HALVED_FROM = 25
"""Side of the kernel from which the blur is done at half the resolution."""

_FITTED_TO = 401
"""Side of the kernel up to which the one at half the resolution is fitted; above, a Gaussian is as good."""

_BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16.0  # of OpenCV's pyramids, along one axis
_EXACT = 256  # stands for 1 where a pyramid's step down takes place in 16 bits: it loses nothing then


def grown(region: Region, reach: int, shape: tuple[int, int]) -> Region:
    """Return a region that reaches further by so many pixels, inside (H, W)."""
    rows, columns = region
    return (
        slice(max(0, rows.start - reach), min(shape[0], rows.stop + reach)),
        slice(max(0, columns.start - reach), min(shape[1], columns.stop + reach)),
    )


def soft_edges(
    selected: Bits, corner: tuple[int, int], shape: tuple[int, int], side: int
) -> tuple[Share, Region]:
    """Dilate with a square, then blur with a Gaussian, both of this side (IVM spec 2.1).

    Args:
        selected: (h, w) uint8 0/1, cut so that each of its four sides has a 1; nothing is selected around it.
        corner: (top, left) of it in the frame.
        shape: (H, W) of the frame.
        side: of both kernels, odd pixels. OpenCV's rule gives the Gaussian's sigma.

    Returns:
        (h', w') weights, float32 in [0, 1] or from a side of 25 uint16 up to `ONE`, and the rows and columns
        of the frame that they are for: outside of them the weight is 0. Equal to the formula on the whole
        frame; from a side of 25 up to 0.0015, from 49 up to 0.0005.
    """
    reach = side // 2
    top, left = corner
    box = (slice(top, top + selected.shape[0]), slice(left, left + selected.shape[1]))
    solid = grown(box, reach, shape)
    region = grown(solid, reach, shape)
    # One more pixel, where there is one: at the frame's border the blur mirrors, elsewhere it must see zeros.
    seen = grown(region, 1, shape)
    small = np.zeros(_size(solid), np.uint8)
    _inside(small, box, solid)[:] = selected
    if side < _HALVED_FROM:
        sharp = np.zeros(_size(seen), np.float32)
        _inside(sharp, solid, seen)[:] = cv2.dilate(small, np.ones((side, side), np.uint8))
        values = _inside(cv2.GaussianBlur(sharp, (side, side), 0), region, seen)
        return np.clip(values, 0.0, 1.0, out=values), region
    canvas = np.zeros(_size(seen), np.uint16)
    _inside(canvas, solid, seen)[:] = _dilated(small, side)
    canvas *= _EXACT
    return _inside(_blurred_by_half(canvas, seen, shape, side), region, seen), region


def _dilated(bits: Bits, side: int) -> Mask:
    """Dilate with a square whose size costs nothing: where the sum over it is not zero."""
    depth = cv2.CV_16U if side**2 < 1 << 16 else cv2.CV_32S
    count = cv2.boxFilter(bits, depth, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return count > 0


def _size(region: Region) -> tuple[int, int]:
    rows, columns = region
    return rows.stop - rows.start, columns.stop - columns.start


def _inside(array: npt.NDArray, region: Region, outer: Region) -> npt.NDArray:
    """Return the view of `region` in an array of `outer`, both regions of one frame."""
    (rows, columns), (top, left) = region, (outer[0].start, outer[1].start)
    return array[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def _blurred_by_half(
    bits: npt.NDArray[np.uint16], region: Region, shape: tuple[int, int], side: int
) -> npt.NDArray[np.uint16]:
    """Blur pixels of 0 or `_EXACT` to weights up to `ONE`, at an eighth of the cost: smooth edges need few.

    What a pyramid's steps down and up blur by themselves is taken off the Gaussian. They blur pixels in odd
    and even places alike but for their fourth moments, so the error falls with sigma's fourth power.
    """
    # The pyramid mirrors at its last sample, the published blur at the frame's last pixel, as is done here.
    margin = side // 2 + 4
    rows, columns = region
    before = [margin if edge.start == 0 else 0 for edge in (rows, columns)]
    after = [margin if edge.stop == end else 0 for edge, end in zip((rows, columns), shape, strict=True)]
    height, width = bits.shape
    if any(before + after):
        bits = cv2.copyMakeBorder(bits, before[0], after[0], before[1], after[1], cv2.BORDER_REFLECT_101)
    kernel = _half_kernel(side)
    half = cv2.sepFilter2D(cv2.pyrDown(bits).astype(np.float32), -1, kernel * (ONE / _EXACT), kernel)
    np.rint(np.clip(half, 0.0, ONE, out=half), out=half)
    full = cv2.pyrUp(half.astype(np.uint16), dstsize=(bits.shape[1], bits.shape[0]))
    return full[before[0] : before[0] + height, before[1] : before[1] + width]


@lru_cache(maxsize=8)
def _half_kernel(side: int) -> Kernel:
    """Return the kernel at half the resolution that makes of a pyramid's steps a Gaussian of this side.

    Fitted by least squares to how the Gaussian shows a straight edge, with the truncation that it has.
    """
    steps = np.convolve(_BINOMIAL, _BINOMIAL)
    half = side // 4
    if side > _FITTED_TO:
        sigma = 0.3 * ((side - 1) * 0.5 - 1) + 0.8  # OpenCV's rule; the steps have a variance of 2
        return cv2.getGaussianKernel(2 * half + 1, math.sqrt(sigma**2 - 2.0) / 2.0, cv2.CV_32F)[:, 0]
    length = max(side, 4 * half + len(steps))
    edges = []
    for tap in range(half + 1):
        taps = np.zeros(4 * half + 1)
        taps[[2 * (half - tap), 2 * (half + tap)]] = 0.5
        edges.append(_edge(np.convolve(taps, steps), length))
    goal = _edge(cv2.getGaussianKernel(side, 0)[:, 0], length)
    fitted = np.linalg.lstsq(np.stack(edges, axis=1), goal, rcond=None)[0]
    kernel = np.concatenate((fitted[:0:-1], fitted)) / 2.0
    return (kernel / kernel.sum()).astype(np.float32)


def _edge(kernel: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    """Return how a kernel of odd length shows a straight edge, over `length` (odd) pixels."""
    return np.cumsum(np.pad(kernel, (length - len(kernel)) // 2))
