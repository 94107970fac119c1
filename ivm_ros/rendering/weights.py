"""From heat to how much of each pixel is kept: the three published rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Heatmap, Mask
from ivm_ros.rendering.edges import ONE, Region, Share, soft_edges

if TYPE_CHECKING:
    from ivm_ros.rendering.settings import RenderSettings


class Heat(NamedTuple):
    """The heatmap of a frame, of which only the part is held that can matter.

    Attributes:
        values: (h, w) float32 in [0, 1], of `region`.
        region: rows and columns of the frame; the rest of the frame is zero.
        shape: (H, W) of the frame.
        mask: (h, w) bool of `region`; where it is false, the heat counts as zero. None: true everywhere.
    """

    values: Heatmap
    region: Region
    shape: tuple[int, int]
    mask: Mask | None = None

    @classmethod
    def of(cls, heatmap: Heatmap) -> Heat:
        """Return the heat of a whole (H, W) heatmap."""
        height, width = heatmap.shape
        return cls(heatmap, (slice(0, height), slice(0, width)), (height, width))

    def above(self, threshold: float) -> Mask:
        """Return (h, w) of `region`: where it is hotter than `threshold`, which is not below 0."""
        hot = self.values > threshold
        return hot if self.mask is None else np.logical_and(hot, self.mask, out=hot)

    def reaches(self, threshold: float) -> bool:
        """Return whether it is as hot as `threshold` anywhere in the frame."""
        hot = self.values >= threshold
        return threshold <= 0.0 or bool((hot if self.mask is None else hot & self.mask).any())

    def whole(self) -> Heatmap:
        """Return the (H, W) heatmap, cold where none is held."""
        if self.values.shape == self.shape and self.mask is None:
            return self.values
        whole = np.zeros(self.shape, np.float32)
        np.copyto(whole[self.region], self.values, where=True if self.mask is None else self.mask)
        return whole


class Weights(NamedTuple):
    """How much of each pixel is kept, and what a crop cuts to.

    Attributes:
        share: (h, w) of `region`: float32 in [0, 1], or uint16 up to `edges.ONE`.
        region: outside of it every weight is `outside`.
        outside: 0, or 1 where the whole image is kept.
        kept: (h, w) bool of `region`; a crop cuts to the rectangle around these.
    """

    share: Share
    region: Region
    outside: float
    kept: Mask

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """(h, w) float32 in [0, 1], whatever `share` is."""
        return np.asarray(self.share if self.share.dtype == np.float32 else self.share / ONE, np.float32)


_NOTHING = Weights(np.zeros((0, 0), np.float32), (slice(0, 0), slice(0, 0)), 0.0, np.zeros((0, 0), np.bool_))
_EVERYTHING = _NOTHING._replace(outside=1.0)


def _edged(heat: Heat, threshold: float, side: int) -> Weights | None:
    """Weigh what is hotter than `threshold`, with soft edges; None where nothing is."""
    selected = heat.above(threshold).view(np.uint8)
    x, y, width, height = cv2.boundingRect(selected) if selected.size else (0, 0, 0, 0)
    if width == 0:
        return None
    top, left = heat.region[0].start + y, heat.region[1].start + x
    share, region = soft_edges(selected[y : y + height, x : x + width], (top, left), heat.shape, side)
    return Weights(share, region, 0.0, np.ones(share.shape, np.bool_))


def dilated(heat: Heat, settings: RenderSettings) -> Weights:
    """IVM's current rule (IVM spec 2.1): threshold, dilate and blur by a share of the height."""
    edged = _edged(heat, settings.threshold, 2 * int(heat.shape[0] * settings.dilate_rate) + 1)
    if edged is None and not heat.reaches(settings.threshold):  # IVM's "not found": the whole image is kept
        return _EVERYTHING
    return edged or _NOTHING


def hard(heat: Heat, settings: RenderSettings) -> Weights:
    """IVM's first rule (IVM spec 2.3): threshold, dilate and blur with kernels of a fixed size."""
    return _edged(heat, settings.threshold, settings.dilate_kernel) or _NOTHING


def soft(heat: Heat, settings: RenderSettings) -> Weights:
    """IVM's legacy rule (IVM spec 2.2): grey dilation and blur of the heatmap, stretched to its range."""
    heatmap = heat.whole()
    kernel = 2 * int(heatmap.shape[1] * settings.dilate_rate) + 1
    spread = cv2.GaussianBlur(cv2.dilate(heatmap, np.ones((kernel, kernel), np.uint8)), (kernel, kernel), 0)
    low, high = float(spread.min()), float(spread.max())
    top = 1.0 - settings.min_reserved
    if high - low > settings.range_threshold:
        values = ((spread - low) / (high - low) * top).astype(np.float32)
    else:
        values = np.full(heatmap.shape, top, np.float32)
    return Weights(values, Heat.of(heatmap).region, 0.0, values > settings.box_threshold)


def soft_reserved(heat: Heat, settings: RenderSettings) -> Weights:
    """The legacy rule with the reserved share added back, as its highlight has it."""
    weights = soft(heat, settings)
    return weights._replace(share=np.clip(weights.values + settings.min_reserved, 0.0, 1.0))
