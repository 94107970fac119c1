"""A frame on its way through the stream: as it comes, as it is answered, and how it is counted. No ROS."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from typing import Any

from ivm_ros.grounding import Grounding, Image


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture on its way in.

    Attributes:
        decode: returns the (H, W, 3) uint8 RGB image; called once, on the worker.
        context: whatever the caller wants back with the result (a message header, an encoding).
        received: `time.monotonic()` at which it came.
    """

    decode: Callable[[], Image]
    context: Any = None
    received: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Timings:
    """Seconds that each stage of one frame took."""

    waited: float = 0.0
    decoded: float = 0.0
    encoded: float = 0.0
    grounded: float = 0.0


@dataclass(frozen=True, eq=False)
class GroundedFrame:
    """A frame, its image, and one grounding per instruction."""

    frame: Frame
    image: Image
    groundings: tuple[Grounding, ...]
    timings: Timings


@dataclass(frozen=True)
class Counters:
    """What became of all frames and requests so far; nothing is lost without being counted here."""

    received: int = 0  # frames that came
    grounded: int = 0  # frames answered
    dropped: int = 0  # frames that a newer one replaced
    unwanted: int = 0  # frames that came when nobody listened, or without an instruction
    invalid: int = 0  # frames that could not be decoded
    failed: int = 0  # frames on which the model or the publishing failed
    requests: int = 0  # one-shot requests answered
    requests_failed: int = 0  # one-shot requests that failed

    def __add__(self, other: Counters) -> Counters:
        return Counters(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))
