"""Which frames of a recording are worth a person's time: every so often, and no near-duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Image
from ivm_ros.sources import SourceFrame

_CELLS = (32, 24)


def chosen(frames: Iterable[SourceFrame], every: float, different: float) -> Iterator[SourceFrame]:
    """Yield frames that are at least `every` seconds apart and differ from all that were yielded.

    Args:
        frames: in order.
        every: seconds of the source's time; 0 takes every frame.
        different: grey levels by which some part of the picture, a 32nd of its sides, must differ; 0 takes
            frames that are alike, too.
    """
    due = 0.0
    thumbnails: list[npt.NDArray[np.float32]] = []
    for frame in frames:
        if frame.position < due - 1e-6:
            continue
        if different > 0:
            thumbnail = _thumbnail(frame.image)
            if any(float(np.abs(thumbnail - other).max()) < different for other in reversed(thumbnails)):
                continue
            thumbnails.append(thumbnail)
        due = frame.position + every
        yield frame


def _thumbnail(image: Image) -> npt.NDArray[np.float32]:
    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), _CELLS, interpolation=cv2.INTER_AREA)
    return np.asarray(gray, np.float32)


def block_is_for_validation(position: float, share: float, block: float) -> bool:
    """Tell whether a frame is for validation: time is cut into blocks, every n-th of which is.

    Frames next to each other are alike, so single frames by chance would measure memory.

    Args:
        position: of the frame, seconds.
        share: of the time, at most a half; every round(1 / share)-th block. 0: none.
        block: its length, seconds.
    """
    if share <= 0:
        return False
    turn = round(1 / share)
    return int(position / block) % turn == turn - 1
