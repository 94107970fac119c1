"""One-shot requests to a model that also works on a stream: they take their turn between the frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ivm_ros.frames import Frame, GroundedFrame
from ivm_ros.grounding import check_instruction
from ivm_ros.model_worker import Job, ModelWorker


class NoImageError(RuntimeError):
    """A request for the newest frame, when none has come yet."""


class ClosedError(RuntimeError):
    """A request to something that is closed, or was closed before it was answered."""


_CLOSED = "the node was deactivated before the answer"


@dataclass(frozen=True, eq=False)
class _Request:
    frame: Frame | None  # None: the newest one
    instructions: tuple[str, ...]
    answer: Future[GroundedFrame]


class OneShots:
    """The requests about one camera's frames, answered in order.

    Args:
        worker: has the model.
        camera: whose newest frame it is.
        newest: returns that frame; called with the worker's lock held.

    Attributes:
        answered: how many were.
        failed: how many ended with an error.
    """

    def __init__(self, worker: ModelWorker, camera: object, newest: Callable[[], Frame | None]) -> None:
        self.answered = self.failed = 0
        self._worker, self._camera, self._newest = worker, camera, newest
        self._waiting: deque[_Request] = deque()
        self._at_model: _Request | None = None
        self._closed = False
        worker.attach(self)

    def request(self, instructions: Sequence[str], frame: Frame | None = None) -> Future[GroundedFrame]:
        """Ground `instructions` on `frame`, or on the newest one.

        Returns:
            A future of the result, or of what went wrong: `InvalidInstructionError`, `NoImageError`,
            `ClosedError`, `FrameError`, or whatever the model raised. It may be cancelled while it waits.
        """
        answer: Future[GroundedFrame] = Future()
        try:
            checked = tuple(check_instruction(instruction) for instruction in instructions)
        except ValueError as error:
            answer.set_exception(error)
            return answer
        with self._worker.lock:
            if self._closed:
                answer.set_exception(ClosedError(_CLOSED))
            else:
                self._waiting.append(_Request(frame, checked, answer))
                self._worker.poke()
        return answer

    def take(self) -> Job | None:
        """Return the next request whose caller has not given up; the worker's lock is held."""
        while self._waiting:
            request = self._waiting.popleft()
            if not request.answer.set_running_or_notify_cancel():
                continue
            frame = request.frame or self._newest()
            if frame is None:
                self.failed += 1
                request.answer.set_exception(
                    NoImageError("expected a camera image to ground in, none has come yet")
                )
                continue
            self._at_model = request
            answer: Future[GroundedFrame] = Future()
            answer.add_done_callback(partial(self._respond, request))
            return Job(frame, request.instructions, answer, self._camera)
        return None

    def _respond(self, request: _Request, done: Future[GroundedFrame]) -> None:
        """Hand the model's answer on; on whichever thread gives it."""
        error = done.exception()
        with self._worker.lock:
            self._at_model = None
            if request.answer.done():
                return  # told already that it was closed
            self.answered += error is None
            self.failed += error is not None
        with suppress(InvalidStateError):  # told meanwhile that it was closed
            if error is None:
                request.answer.set_result(done.result())
            else:
                request.answer.set_exception(error)

    def close(self) -> None:
        """Fail what waits, and what the model has not finished."""
        with self._worker.lock:
            self._closed = True
            open_ = [request for request in self._waiting if request.answer.set_running_or_notify_cancel()]
            self._waiting.clear()
            if self._at_model is not None:
                open_.append(self._at_model)
            self.failed += len(open_)
        for request in open_:
            with suppress(InvalidStateError):  # answered meanwhile
                request.answer.set_exception(ClosedError(_CLOSED))
        self._worker.detach(self)
