"""Frames and instructions go in, the newest grounded frame comes out: one worker thread, no ROS.

The newest frame wins: a frame that waits when a newer one comes is dropped and counted. One-shot
requests (a service call) take their turn between frames. All model work happens on the worker.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from ivm_ros.frames import Counters, Frame, GroundedFrame, Timings
from ivm_ros.grounding import Grounder, Grounding, Image, check_image, check_instruction


class FrameError(ValueError):
    """A frame that could not be decoded; the cause says why."""


class NoImageError(RuntimeError):
    """A request for the newest frame, when none has come yet."""


class StreamClosedError(RuntimeError):
    """A request to a stream that is closed, or was closed before it was answered."""


_CLOSED = "the stream was closed before the answer"


@dataclass(frozen=True, eq=False)
class _Request:
    frame: Frame | None  # None: the newest one
    instructions: tuple[str, ...]
    answer: Future[GroundedFrame]


class Stream:
    """Runs a grounder on a stream of frames.

    Args:
        grounder: used by the worker thread alone.
        on_result: called on the worker with every grounded frame; what it raises is counted as failed.
        on_problem: called on the worker with a text for every frame that could not be answered.
    """

    def __init__(
        self,
        grounder: Grounder,
        on_result: Callable[[GroundedFrame], None],
        on_problem: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._grounder = grounder
        self._on_result = on_result
        self._on_problem = on_problem
        self._instructions: tuple[str, ...] = ()
        self._waiting: Frame | None = None
        self._newest: Frame | None = None
        self._requests: deque[_Request] = deque()
        self._at_work: _Request | None = None
        self._counters = Counters()
        self._closed = False
        self._wake = threading.Condition()
        # Features of the frame encoded last: a request on the newest frame need not encode it again.
        self._encoded: tuple[Frame, Image, Any] | None = None
        self._worker = threading.Thread(target=self._run, name="grounding", daemon=True)
        self._worker.start()

    @property
    def counters(self) -> Counters:
        """Return a snapshot of the counters."""
        return self._counters

    @property
    def instructions(self) -> tuple[str, ...]:
        """Return the current instructions."""
        return self._instructions

    def set_instructions(self, instructions: Sequence[str]) -> None:
        """Ground these from the next frame on; none at all pauses the stream.

        Raises:
            InvalidInstructionError: one of them is unusable; then none is changed.
        """
        self._instructions = tuple(check_instruction(instruction) for instruction in instructions)

    def submit(self, frame: Frame, wanted: bool = True) -> None:
        """Hand in a frame; an unwanted one is kept for requests but not grounded. Never blocks."""
        with self._wake:
            self._newest = frame
            wanted = wanted and bool(self._instructions)
            replaced = wanted and self._waiting is not None
            self._count(received=1, dropped=int(replaced), unwanted=int(not wanted))
            if wanted:
                self._waiting = frame
                self._wake.notify()

    def reject(self) -> None:
        """Count a frame that was refused before it became a `Frame`."""
        with self._wake:
            self._count(received=1, invalid=1)

    def request(self, instructions: Sequence[str], frame: Frame | None = None) -> Future[GroundedFrame]:
        """Ground `instructions` on `frame`, or on the newest one, between the frames of the stream.

        Returns:
            A future of the result, or of what went wrong: `InvalidInstructionError`, `NoImageError`,
            `StreamClosedError`, `FrameError`, or whatever the model raised.
        """
        answer: Future[GroundedFrame] = Future()
        try:
            checked = tuple(check_instruction(instruction) for instruction in instructions)
        except ValueError as error:
            answer.set_exception(error)
            return answer
        with self._wake:
            if self._closed:
                answer.set_exception(StreamClosedError("expected an open stream, got a closed one"))
            else:
                self._requests.append(_Request(frame, checked, answer))
                self._wake.notify()
        return answer

    def close(self, timeout: float = 5.0) -> bool:
        """Stop the worker, and fail the requests that are not answered by then.

        Returns:
            Whether the worker stopped within `timeout` seconds; if not, it still uses the grounder.
        """
        with self._wake:
            self._closed = True
            pending = list(self._requests)
            self._requests.clear()
            self._wake.notify_all()
        for request in pending:
            if request.answer.set_running_or_notify_cancel():
                request.answer.set_exception(StreamClosedError(_CLOSED))
        if self._worker is not threading.current_thread():
            self._worker.join(timeout)
        with self._wake:
            at_work, self._at_work = self._at_work, None
        if at_work is not None:
            at_work.answer.set_exception(StreamClosedError(_CLOSED))
        return not self._worker.is_alive()

    def _count(self, **increments: int) -> None:
        """Add to the counters; the caller holds the lock."""
        counts = {name: getattr(self._counters, name) + by for name, by in increments.items()}
        self._counters = replace(self._counters, **counts)

    def _run(self) -> None:
        while self._wait_for_work():
            request = self._take_request()
            if request is not None:
                self._answer(request)
            frame = self._take_frame()  # only now: newer ones may have come while the request was answered
            if frame is not None:
                self._process(frame, self._instructions)

    def _wait_for_work(self) -> bool:
        """Wait; return whether to go on."""
        with self._wake:
            self._wake.wait_for(lambda: self._closed or self._requests or self._waiting)
            if self._closed:
                self._encoded = self._newest = self._waiting = None
            return not self._closed

    def _take_request(self) -> _Request | None:
        """Return the next request whose caller has not given up."""
        with self._wake:
            while self._requests:
                request = self._requests.popleft()
                if request.answer.set_running_or_notify_cancel():
                    self._at_work = request
                    return request
            return None

    def _take_frame(self) -> Frame | None:
        with self._wake:
            frame, self._waiting = self._waiting, None
            return None if self._closed else frame

    def _answer(self, request: _Request) -> None:
        frame = request.frame or self._newest
        try:
            if frame is None:
                raise NoImageError("expected a camera image to ground in, none has come yet")
            result = self._ground(frame, request.instructions)
        except Exception as error:  # it is the caller's answer, and must not stop the stream
            if self._finish(requests_failed=1):
                request.answer.set_exception(error)
        else:
            if self._finish(requests=1):
                request.answer.set_result(result)

    def _finish(self, **increments: int) -> bool:
        """Count a request that is done; return whether its caller was not yet told that it failed."""
        with self._wake:
            self._count(**increments)
            told, self._at_work = self._at_work is None, None
            return not told

    def _process(self, frame: Frame, instructions: tuple[str, ...]) -> None:
        if not instructions:  # cleared while the frame waited
            with self._wake:
                self._count(unwanted=1)
            return
        try:
            self._on_result(self._ground(frame, instructions))
        except FrameError as error:
            self._fail(f"frame dropped: {error}", invalid=1)
        except Exception as error:  # a model may raise anything, and the stream goes on
            self._fail(f"grounding failed: {type(error).__name__}: {error}", failed=1)
        else:
            with self._wake:
                self._count(grounded=1)

    def _fail(self, reason: str, **increments: int) -> None:
        with self._wake:
            self._count(**increments)
        self._on_problem(reason)

    def _ground(self, frame: Frame, instructions: tuple[str, ...]) -> GroundedFrame:
        started = time.monotonic()
        image, features, decoded = self._encode(frame)
        encoded = time.monotonic()
        groundings = tuple(self._grounder.ground_many(features, instructions))
        _check_groundings(groundings, image, len(instructions))
        timings = Timings(
            waited=started - frame.received,
            decoded=decoded - started,
            encoded=encoded - decoded,
            grounded=time.monotonic() - encoded,
        )
        return GroundedFrame(frame, image, groundings, timings)

    def _encode(self, frame: Frame) -> tuple[Image, Any, float]:
        """Return image, features and the moment between decoding and encoding."""
        if self._encoded is not None and self._encoded[0] is frame:
            return self._encoded[1], self._encoded[2], time.monotonic()
        self._encoded = None  # give the memory back before more is taken
        try:
            image = check_image(frame.decode())
        except Exception as error:
            raise FrameError(str(error)) from error
        decoded = time.monotonic()
        features = self._grounder.encode(image)
        self._encoded = (frame, image, features)
        return image, features, decoded


def _check_groundings(groundings: tuple[Any, ...], image: Image, count: int) -> None:
    """Raise ValueError unless a model has kept its contract, so that it is blamed and not its listeners."""
    height, width = image.shape[:2]
    if len(groundings) != count:
        raise ValueError(f"expected {count} groundings of the model, got {len(groundings)}")
    for grounding in groundings:
        if not isinstance(grounding, Grounding):
            raise ValueError(f"expected a Grounding of the model, got {type(grounding).__name__}")
        if grounding.size != (width, height):
            raise ValueError(f"expected a grounding of {width}x{height} pixels, got {grounding.size}")
