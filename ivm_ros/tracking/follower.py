"""A tracker with the frames that it has seen: what it carries comes out as grounded frames."""

from __future__ import annotations

from ivm_ros.frames import Frame, GroundedFrame, Timings
from ivm_ros.tracing import Trace
from ivm_ros.tracking.tracker import Tracker


class Follower:
    """Follows what the model found in one camera's frames. Used by one thread.

    Args:
        tracker: closed with this.
        trace: of the stages.
        row: of the trace.

    Attributes:
        newest: the last frame that was seen; None if there is none.
        lost: how many targets were lost so far.
    """

    def __init__(self, tracker: Tracker, trace: Trace, row: str) -> None:
        self.newest: Frame | None = None
        self.lost = 0
        self._tracker = tracker
        self._trace, self._row = trace, row
        self._key: GroundedFrame | None = None
        self._remembered: tuple[int, Frame] | None = None
        self._timings = Timings()
        self._lost_of_key = 0
        self._asked_since_loss = True

    @property
    def needs_grounding(self) -> bool:
        """Whether a target was lost since a frame was remembered for the model."""
        return not self._asked_since_loss

    def see(self, frame: Frame, taken: float) -> None:
        """Carry everything onto the next frame.

        Args:
            frame: of the camera.
            taken: `time.monotonic()` at which it was.

        Raises:
            FrameError: it cannot be decoded; what is known stays.
            Exception: whatever a tracker can go wrong with; everything is forgotten then.
        """
        with self._trace.span("decode", self._row) as decode:
            image = frame.image()
        with self._trace.span("track", self._row) as track:
            try:
                self._tracker.see(image)
            except Exception:
                self.forget()
                raise
        self.newest = frame
        self._timings = Timings(waited=taken - frame.received, decoded=decode.seconds, tracked=track.seconds)

    def remember(self) -> int:
        """Remember the newest frame, for the model's answer to it; return its number."""
        assert self.newest is not None
        number = self._tracker.remember()
        self._asked_since_loss = True
        return number

    def adopt(self, number: int, answer: GroundedFrame) -> bool:
        """Follow the model's answer to the remembered frame; return whether that frame is still known.

        Raises:
            Exception: whatever a tracker can go wrong with; everything is forgotten then.
        """
        try:
            known = self._tracker.adopt(number, answer.groundings)
        except Exception:
            self.forget()
            raise
        if known:
            self._key, self._lost_of_key = answer, 0
        return known

    def result(self) -> GroundedFrame | None:
        """Return what is known, on the newest frame; None if nothing is.

        Raises:
            Exception: whatever a tracker can go wrong with; everything is forgotten then.
        """
        if self._key is None or self.newest is None:
            return None
        with self._trace.span("carry", self._row) as carry:
            try:
                carried = self._tracker.carried()
            except Exception:
                self.forget()
                raise
        if carried is None:
            return None
        if carried.lost > self._lost_of_key:
            self.lost += carried.lost - self._lost_of_key
            self._lost_of_key = carried.lost
            self._asked_since_loss = False
        timings, model = self._timings, self._key.timings
        return GroundedFrame(
            frame=self.newest,
            image=self.newest.image(),
            groundings=carried.groundings,
            timings=Timings(
                waited=timings.waited,
                decoded=timings.decoded,
                encoded=model.encoded,
                grounded=model.grounded,
                tracked=timings.tracked + carry.seconds,
            ),
            key=self._key.frame,
            trust=carried.trust,
            lost=carried.lost,
        )

    def forget(self) -> None:
        """Follow nothing, and forget all frames."""
        self._tracker.forget()
        self.newest = self._key = None
        self._lost_of_key, self._asked_since_loss = 0, True

    def close(self) -> None:
        """Give the tracker back."""
        self.forget()
        self._tracker.close()
