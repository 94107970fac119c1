"""A frame on its way through the stream: as it comes, as it is answered, and how it is counted. No ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from typing import Any

from ivm_ros.grounding import Grounding, Image, check_image


class FrameError(ValueError):
    """A frame that could not be decoded; the cause says why."""


@dataclass(eq=False)
class Frame:
    """One picture on its way in.

    Attributes:
        decode: returns the (H, W, 3) uint8 RGB image; called once, on whichever thread wants it first.
        context: whatever the caller wants back with the result (a message header, an encoding).
        received: `time.monotonic()` at which it came.
    """

    decode: Callable[[], Image]
    context: Any = None
    received: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _outcome: Image | Exception | None = field(default=None, repr=False)

    def image(self) -> Image:
        """Return the image, decoded the first time.

        Raises:
            FrameError: it cannot be decoded, or is no usable image.
        """
        with self._lock:
            if self._outcome is None:
                try:
                    self._outcome = check_image(self.decode())
                except Exception as error:  # whatever a decoder meets
                    self._outcome = error
        if isinstance(self._outcome, Exception):
            raise FrameError(str(self._outcome)) from self._outcome
        return self._outcome


@dataclass(frozen=True)
class Timings:
    """Seconds that each stage of one frame took.

    Attributes:
        waited: from its arrival until it was taken.
        decoded: from message to array.
        encoded: the model's work that no instruction changes, on the frame that was grounded.
        grounded: the model's work for all instructions, on the frame that was grounded.
        tracked: carrying the groundings onto this frame; 0 where it was grounded itself.
    """

    waited: float = 0.0
    decoded: float = 0.0
    encoded: float = 0.0
    grounded: float = 0.0
    tracked: float = 0.0


@dataclass(frozen=True, eq=False)
class GroundedFrame:
    """A frame, its image, and one grounding per instruction.

    Attributes:
        frame: what was answered.
        image: (H, W, 3) uint8 RGB.
        groundings: one per instruction, of the image's size.
        timings: where the time went.
        key: the frame that the model saw: `frame` itself, or an older one whose groundings were carried on.
        trust: for each grounding one number in [0, 1] per target, see `tracking.tracker.Carried`.
        lost: targets that tracking has lost since the frame that the model saw.
    """

    frame: Frame
    image: Image
    groundings: tuple[Grounding, ...]
    timings: Timings
    key: Frame
    trust: tuple[tuple[float, ...], ...]
    lost: int = 0

    @property
    def tracked(self) -> bool:
        """Whether the groundings were made on an older frame and carried onto this one."""
        return self.key is not self.frame


@dataclass(frozen=True)
class Counters:
    """What became of all frames and requests so far; nothing is lost without being counted here."""

    received: int = 0  # frames that came
    grounded: int = 0  # frames that the model answered
    published: int = 0  # frames that came out: grounded ones, and with a tracker those that are carried onto
    early: int = 0  # frames that tracking saw before there was a grounding to carry
    dropped: int = 0  # frames that a newer one replaced
    unwanted: int = 0  # frames that came when nobody listened, over the rate, or without an instruction
    outdated: int = 0  # answers of the model to instructions that had changed meanwhile
    invalid: int = 0  # frames that could not be decoded
    failed: int = 0  # frames on which the model, the tracker or the publishing failed
    lost: int = 0  # targets that tracking lost
    restarts: int = 0  # times that the stream began anew: the stamps went back, or nobody had listened
    requests: int = 0  # one-shot requests answered
    requests_failed: int = 0  # one-shot requests that failed

    def __add__(self, other: Counters) -> Counters:
        return Counters(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))
