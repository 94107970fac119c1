"""One target, followed from the key frame to the newest: where it is, how much shows, whether it is lost."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Mask, Target
from ivm_ros.tracking.anchor import Anchor
from ivm_ros.tracking.dense import DenseFlow, Flow, look_along, pixel_grid
from ivm_ros.tracking.picture import SMALLEST, Picture, difference_in_any_light, look_at_places
from ivm_ros.tracking.shape import Affine, fitted_affine, growth, mapped

Region = tuple[slice, slice]

_MARGIN = 10  # pixels of the small picture around a target in which it is looked for
_UNLIKE = 40.0  # grey levels from which on a pixel shows something else
_ALIKE = 15.0  # grey levels up to which a pixel that was lost sight of is known again
_CLEARLY = 4.0  # grey levels by which one explanation has to be better than another
_NEAR = 0.3  # of the mask's weight: where a target may be, its soft edge included
_LARGEST_GROWTH = 16.0  # of the area; beyond it a fit has gone wrong


@dataclass(frozen=True)
class Limits:
    """When a target is lost.

    Attributes:
        visible: less of it than this share of what should be in the image can be seen.
        inside: less of it than this share is in the image.
    """

    visible: float = 0.05
    inside: float = 0.1


class Track:
    """A target on its way.

    Args:
        target: on the key frame.
        anchor: the key frame, carried along.

    Attributes:
        target: on the key frame.
        small: (h, w) float32 in [0, 1], its mask on the key's picture.
        cut_out: its mask within its box on the key frame, float32, and (left, top) of that.
        region: rows and columns of the newest small picture in which it is; None before the first `update`.
        trust: share in [0, 1] of the expected pixels that were recognised.
        lost: whether it is; that is final.
    """

    def __init__(self, target: Target, anchor: Anchor) -> None:
        height, width = anchor.picture.gray.shape
        self.target = target
        self.region: Region | None = None
        self.trust, self.lost = 1.0, False
        whole = target.mask.astype(np.float32)
        self.small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        left, top, right, bottom = (int(value) for value in target.box)
        self.cut_out = (whole[top : bottom + 1, left : right + 1].copy(), (left, top))
        self._area = float(self.small.sum())
        ys, xs = np.nonzero(self.small > 0)
        x, y = (xs.min(), xs.max()), (ys.min(), ys.max())
        self._corners = np.array([(x[0], y[0]), (x[1], y[0]), (x[0], y[1]), (x[1], y[1])], np.float64)
        expected = anchor.looked_up(self.small) > 0.5
        grid = pixel_grid(height, width)
        self._affine: Affine = np.eye(2, 3)
        self._fit(grid[expected], (grid + anchor.flow)[expected])

    def lose(self) -> None:
        """Give it up."""
        self.lost, self.trust = True, 0.0

    def update(self, anchor: Anchor, newest: Picture, search: DenseFlow, limits: Limits) -> None:
        """Find it on the newest picture, and correct the anchor's flow there."""
        region = self._expected_region(newest)
        if region is None:
            self.lose()
            return
        grid = pixel_grid(*newest.gray.shape)[region]
        where, valid = grid + anchor.flow[region], anchor.valid[region] > 0.5
        color = newest.color[region]
        where, valid, guessed = self._explained(anchor, color, grid, where, valid)
        expected = look_at_places(anchor.picture.gray, where)
        rest = search(np.ascontiguousarray(newest.gray[region]), expected)
        where = look_along(rest, where)
        valid = look_along(rest, (valid | guessed).astype(np.float32)) > 0.5
        unlike = difference_in_any_light(color, look_at_places(anchor.picture.color, where))
        valid = valid & (unlike < _UNLIKE)
        anchor.flow[region], anchor.valid[region] = where - grid, valid
        shown = (look_at_places(self.small, where) > 0.5) & valid
        known = shown & ~guessed  # a guess by the fit is no proof of it
        self._fit(grid[known], where[known])
        self.region = region
        self._judge(int(np.count_nonzero(shown)), grid, limits)

    def _explained(
        self, anchor: Anchor, color: npt.NDArray, grid: Flow, where: Flow, valid: Mask
    ) -> tuple[Flow, Mask, Mask]:
        """Let pixels that the target as a whole explains better than their own way do be the target's.

        So a part of it that comes back from behind something is known again. Returns where pixels were on the
        key's picture, which of them were known before, and which of them are the target's by its fit alone.
        """
        moved = mapped(self._affine, grid)
        own = difference_in_any_light(color, look_at_places(anchor.picture.color, where))
        whole = difference_in_any_light(color, look_at_places(anchor.picture.color, moved))
        near = look_at_places(self.small, moved, cv2.BORDER_CONSTANT) > _NEAR
        better = near & ((whole + _CLEARLY < own) | (~valid & (whole < _ALIKE)))
        return np.where(better[..., None], moved, where), valid, better

    def _fit(self, now: npt.NDArray, key: npt.NDArray) -> None:
        fitted = fitted_affine(now, key)
        if fitted is not None:
            self._affine = fitted

    def _expected_region(self, newest: Picture) -> Region | None:
        """Return where it must be, with a margin; None if that is not in the picture."""
        if not 1 / _LARGEST_GROWTH < growth(self._affine) < _LARGEST_GROWTH:
            return None
        height, width = newest.gray.shape
        back = cv2.invertAffineTransform(self._affine)
        corners = self._corners @ back[:, :2].T + back[:, 2]
        low, high = corners.min(axis=0) - _MARGIN, corners.max(axis=0) + _MARGIN + 1
        if (
            high[0] <= _MARGIN
            or high[1] <= _MARGIN
            or low[0] + _MARGIN >= width
            or low[1] + _MARGIN >= height
        ):
            return None
        return _span(low[1], high[1], height), _span(low[0], high[0], width)

    def _judge(self, shown: int, grid: Flow, limits: Limits) -> None:
        moved = mapped(self._affine, grid)
        inside = float(look_at_places(self.small, moved, cv2.BORDER_CONSTANT).sum())
        whole = self._area * growth(self._affine)
        self.trust = min(1.0, shown / max(inside, 1.0))
        if shown == 0 or self.trust < limits.visible or not inside >= limits.inside * whole:
            self.lose()


def _span(low: float, high: float, size: int) -> slice:
    """Return the part of [0, size) between two places, at least `SMALLEST` long."""
    start = int(min(max(low, 0), size - SMALLEST))
    return slice(start, int(max(min(high, size), start + SMALLEST)))
