"""The one thread that uses a model, for any number of cameras in fair turns."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from ivm_ros.frames import Frame, FrameError, GroundedFrame, Timings
from ivm_ros.grounding import Grounder, Grounding, Image, InvalidImageError, InvalidInstructionError
from ivm_ros.remote.errors import ModelUnavailableError
from ivm_ros.tracing import Trace

_TRACK = "model"
_NOT_THE_MODELS_FAULT = (FrameError, InvalidImageError, InvalidInstructionError, ModelUnavailableError)


class ModelStuckError(RuntimeError):
    """The model did not come back from a call in time."""


@dataclass(frozen=True, eq=False)
class Job:
    """Something for the model to do.

    Attributes:
        frame: to ground in.
        instructions: to ground.
        answer: is given the result, or what went wrong; its callbacks run on the worker.
        camera: that the frame is of; the features of its last frame are kept.
    """

    frame: Frame
    instructions: tuple[str, ...]
    answer: Future[GroundedFrame]
    camera: object


class Source(Protocol):
    """Where jobs come from: a camera's stream."""

    def take(self) -> Job | None:
        """Return the next job, if there is one. Called with the worker's lock held; does not block."""


@dataclass(eq=False)
class _Call:
    """What the model is doing."""

    job: Job
    started: float
    overdue: bool = False


class ModelWorker:
    """Runs a model's work on a thread of its own.

    Sources are asked in turn, one job each. Features of each camera's last frame are kept, so that another
    question about that frame need not encode it again.

    Args:
        grounder: used by the worker alone.
        on_failure: called with an error of the model and how many there have been in a row, this one counted;
            on the worker, or on the thread that calls `check`.
        trace: of the model's stages.

    Attributes:
        lock: held while sources are asked; sources may share it for their own state.
    """

    def __init__(
        self,
        grounder: Grounder,
        on_failure: Callable[[Exception, int], None] = lambda error, in_a_row: None,
        trace: Trace | None = None,
    ) -> None:
        self.lock = threading.Lock()
        self._grounder = grounder
        self._on_failure = on_failure
        self._trace = Trace() if trace is None else trace
        self._work = threading.Condition(self.lock)
        self._sources: deque[Source] = deque()
        self._encoded: dict[object, tuple[Frame, Image, Any]] = {}
        self._call: _Call | None = None
        self._failures = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=_TRACK, daemon=True)
        self._thread.start()

    def attach(self, source: Source) -> None:
        """Ask this source, too."""
        with self.lock:
            self._sources.append(source)

    def detach(self, source: Source) -> None:
        """Do not ask this source again."""
        with self.lock:
            if source in self._sources:
                self._sources.remove(source)

    def forget(self, camera: object) -> None:
        """Give back the features that are kept of a camera."""
        self._encoded.pop(camera, None)

    def poke(self) -> None:
        """Let the worker look for a job; the caller holds the lock."""
        self._work.notify()

    def check(self, deadline: float) -> None:
        """End a call that takes longer than `deadline` seconds; to be called from another thread, often.

        A grounder that can be interrupted is. Of one that cannot, the answer is given up: the caller is told,
        and the worker goes on when the model comes back, if ever.
        """
        with self.lock:
            call = self._call
            if call is None or call.overdue or time.monotonic() - call.started <= deadline:
                return
            call.overdue = True
        if self._grounder.interrupt():
            return  # the call comes back with an error now
        error = ModelStuckError(f"expected the model to answer within {deadline:g} s; it has not come back")
        with suppress(InvalidStateError):  # it has just come back
            call.job.answer.set_exception(error)
        self._failed(error)

    @property
    def stuck(self) -> bool:
        """Return whether the model has not come back from a call in time."""
        call = self._call
        return call is not None and call.overdue

    def close(self, timeout: float = 5.0) -> bool:
        """Stop the worker.

        Returns:
            Whether it stopped within `timeout` seconds; if not, it still uses the grounder.
        """
        with self.lock:
            self._closed = True
            self._work.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                result = self._ground(job)
            except Exception as error:  # a model may raise anything, and the worker goes on
                self.forget(job.camera)  # after "out of memory", its memory is wanted
                self._back()
                with suppress(InvalidStateError):  # given up meanwhile
                    job.answer.set_exception(error)
                if not isinstance(error, _NOT_THE_MODELS_FAULT):
                    self._failed(error)
            else:
                self._failures = 0
                self._back()
                with suppress(InvalidStateError):  # given up meanwhile
                    job.answer.set_result(result)
                del result
            del job  # nothing is held while the next one is waited for
        self._encoded.clear()

    def _next(self) -> Job | None:
        """Return the next job, waiting for it; None at the end."""
        with self.lock:
            while not self._closed:
                for _ in range(len(self._sources)):
                    source = self._sources[0]
                    self._sources.rotate(-1)
                    job = source.take()
                    if job is not None:
                        self._call = _Call(job, time.monotonic())
                        return job
                self._work.wait()
            return None

    def _back(self) -> None:
        with self.lock:
            self._call = None

    def _failed(self, error: Exception) -> None:
        if self._closed:
            return  # a model that comes back late says nothing of the one that took its place
        self._failures += 1
        self._on_failure(error, self._failures)

    def _ground(self, job: Job) -> GroundedFrame:
        frame, started = job.frame, time.monotonic()
        kept = self._encoded.get(job.camera)
        decode, encode = self._trace.span("decode", _TRACK), self._trace.span("encode", _TRACK)
        if kept is not None and kept[0] is frame:
            _, image, features = kept
        else:
            self.forget(job.camera)  # give the memory back before more is taken
            del kept
            with decode:
                image = frame.image()
            with encode:
                features = self._grounder.encode(image)
            self._encoded[job.camera] = frame, image, features
        with self._trace.span("ground", _TRACK) as ground:
            groundings = tuple(self._grounder.ground_many(features, job.instructions))
        _check_groundings(groundings, image, len(job.instructions))
        return GroundedFrame(
            frame=frame,
            image=image,
            groundings=groundings,
            timings=Timings(
                waited=started - frame.received,
                decoded=decode.seconds,
                encoded=encode.seconds,
                grounded=ground.seconds,
            ),
            key=frame,
            trust=tuple((1.0,) * len(grounding.targets) for grounding in groundings),
        )


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
