"""A frame that groundings are made on, and where each pixel of the newest frame was in it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.tracking.dense import DenseFlow, Flow, joined, look_along
from ivm_ros.tracking.picture import Picture


class Anchor:
    """A remembered frame, carried along.

    Args:
        number: of the frame.
        picture: of the frame.
        shape: (H, W) of the frame.

    Attributes:
        flow: from the newest picture to this frame's.
        valid: (h, w) float32 in [0, 1], how sure it is that a pixel of the newest picture can be seen in it.
        cut: whether nothing of it is left, because another scene followed.
    """

    def __init__(self, number: int, picture: Picture, shape: tuple[int, int]) -> None:
        self.number, self.picture, self.shape = number, picture, shape
        self.flow: Flow = np.zeros((*picture.gray.shape, 2), np.float32)
        self.valid: npt.NDArray[np.float32] = np.ones(picture.gray.shape, np.float32)
        self.cut = False

    def step(self, back: Flow, same: npt.NDArray[np.float32]) -> None:
        """Go on to the next picture.

        Args:
            back: flow from it to the one before.
            same: (h, w) float32, 1 where it shows the same as the one before does where `back` leads.
        """
        self.valid = look_along(back, self.valid) * same
        self.flow = joined(back, self.flow)

    def settle(self, newest: Picture, search: DenseFlow) -> None:
        """Take out what small errors of many steps add up to: look for what is left to the frame itself."""
        expected = look_along(self.flow, self.picture.gray)
        rest = search(newest.gray, expected)
        self.flow = joined(rest, self.flow)

    def looked_up(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (h, w) values of this frame on the newest picture; 0 for what was outside of it."""
        return look_along(self.flow, values, cv2.BORDER_CONSTANT)
