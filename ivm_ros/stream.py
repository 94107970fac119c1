"""One camera's frames go in, the newest grounded frame comes out. No ROS.

The newest frame wins: one that waits when a newer one comes is dropped and counted. Without a tracker every
frame that comes out was grounded by the model. With one, every frame comes out: the model grounds the newest
whenever it is free, and its answer is carried onto the frames that come until the next one.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from ivm_ros.frames import Counters, Frame, FrameError, GroundedFrame
from ivm_ros.grounding import check_instructions
from ivm_ros.model_worker import Job, ModelWorker
from ivm_ros.one_shots import OneShots
from ivm_ros.tracing import Trace
from ivm_ros.tracking.follower import Follower
from ivm_ros.tracking.tracker import Tracker


@dataclass(frozen=True, eq=False)
class _Asked:
    """A frame that the model is asked about."""

    frame: Frame
    instructions: tuple[str, ...]
    answer: Future[GroundedFrame]
    number: int = 0  # under which a tracker remembers the frame


class Stream:
    """Grounds a stream of frames.

    Args:
        worker: has the model; other streams may share it.
        on_result: called on the stream's thread with every grounded frame; what it raises is a failure.
        on_problem: called on the stream's thread with a text for every frame that could not be answered.
        tracker: carries groundings to newer frames; used by the stream's thread alone. None: no tracking.
        trace: of the stream's stages.
        name: of its row in the trace.

    Attributes:
        one_shots: requests that are answered between the frames.
        grounding_rate: with a tracker, how many frames a second the model is asked about at most; 0: as many
            as it can. When a target is lost it is asked at once.
    """

    def __init__(
        self,
        worker: ModelWorker,
        on_result: Callable[[GroundedFrame], None],
        on_problem: Callable[[str], None] = lambda reason: None,
        tracker: Tracker | None = None,
        trace: Trace | None = None,
        name: str = "camera",
    ) -> None:
        self.grounding_rate = 0.0
        self._worker = worker
        self._on_result = on_result
        self._on_problem = on_problem
        trace = Trace() if trace is None else trace
        self._follower = Follower(tracker, trace, name) if tracker is not None else None
        # What follows is guarded by the worker's lock, under which it asks for jobs.
        self._lock = worker.lock
        self._news = threading.Condition(self._lock)  # for the stream's thread
        self._rest = threading.Condition(self._lock)  # for who closes it
        self._instructions: tuple[str, ...] = ()
        self._newest: Frame | None = None
        self._waiting: Frame | None = None  # for the model; where there is a tracker, for that
        self._offered: _Asked | None = None  # a frame that the tracker has seen, for the model
        self._at_model: _Asked | None = None
        self._answered: _Asked | None = None  # for the stream's thread
        self._anew = False  # the stream's thread should forget what it follows
        self._busy = False  # the stream's thread is at work
        self._closing = self._closed = False
        self._asked_about: Frame | None = None  # the frame that the model was asked about last
        self._asked_at = -math.inf
        self._counters = Counters()
        self._unpublished = False  # the newest frame that the tracker has seen has not come out
        self.one_shots = OneShots(worker, self, lambda: self._newest)
        worker.attach(self)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def counters(self) -> Counters:
        """Return a snapshot of the counters."""
        lost = self._follower.lost if self._follower is not None else 0
        return replace(
            self._counters, lost=lost, requests=self.one_shots.answered, requests_failed=self.one_shots.failed
        )

    @property
    def instructions(self) -> tuple[str, ...]:
        """Return the current instructions."""
        return self._instructions

    def set_instructions(self, instructions: Sequence[str]) -> None:
        """Ground these from the next frame on; none at all pauses the stream.

        What is known of others is forgotten, and an answer to them that is on its way is kept back.

        Raises:
            InvalidInstructionError: one of them is unusable; then none is changed.
        """
        checked = check_instructions(instructions)
        with self._lock:
            if checked != self._instructions:
                self._instructions = checked
                self._begin_anew()
                if not checked:
                    self._give_up_waiting(unwanted=1)

    def restart(self) -> None:
        """Forget what is followed: the next frame is of another time than the last one."""
        with self._lock:
            self._count(restarts=1)
            self._begin_anew()
            self._give_up_waiting(dropped=1)

    def submit(self, frame: Frame, wanted: bool = True) -> None:
        """Hand in a frame; an unwanted one is kept for requests but not grounded. Never blocks."""
        with self._lock:
            self._newest = frame
            wanted = wanted and bool(self._instructions) and not self._closing
            replaced = wanted and self._waiting is not None
            self._count(received=1, dropped=int(replaced), unwanted=int(not wanted))
            if wanted:
                self._waiting = frame
                self._wake()

    def reject(self) -> None:
        """Count a frame that was refused before it became a `Frame`."""
        self._add(received=1, invalid=1)

    def close(self, timeout: float = 5.0) -> bool:
        """Finish the frame at work, and fail the requests that are open then.

        Returns:
            Whether the frame at work was finished within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            self._closing = True
            self._give_up_waiting(dropped=1)
            own = self._thread is threading.current_thread()
            finished = own or self._rest.wait_for(
                lambda: not (self._at_model or self._answered or self._busy), timeout
            )
            self._closed = True
            self._newest = None
            self._news.notify_all()
        self.one_shots.close()
        self._worker.detach(self)
        self._worker.forget(self)
        if not own:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return finished

    # -- called by the model's worker -------------------------------------------------------------------

    def take(self) -> Job | None:
        """Return the frame that the model should ground next; the worker's lock is held.

        One at a time, until its answer is being published: a slow listener slows the model down for this
        stream alone, and no answer is ever replaced by another.
        """
        if self._at_model is not None or self._answered is not None:
            return None
        if self._follower is not None:
            asked, self._offered = self._offered, None
        else:
            frame, self._waiting = self._waiting, None
            asked = None if frame is None else _Asked(frame, self._instructions, Future())
        if asked is None:
            return None
        self._at_model = asked
        self._asked_about, self._asked_at = asked.frame, time.monotonic()
        asked.answer.add_done_callback(self._keep_answer)
        return Job(asked.frame, asked.instructions, asked.answer, self)

    def _keep_answer(self, answer: Future[GroundedFrame]) -> None:
        with self._lock:
            self._answered, self._at_model = self._at_model, None
            self._wake()

    # -- the stream's thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait_for_news():
            with self._lock:
                answered, self._answered = self._answered, None
                frame = None
                if self._follower is not None:
                    frame, self._waiting = self._waiting, None
                instructions, anew, self._anew = self._instructions, self._anew, False
                self._worker.poke()  # it may begin with the next frame while this one is published
            if anew:
                self._forget()
            if answered is not None:
                self._settle(answered, instructions)
            if frame is not None:
                self._follow(frame, instructions)
            del answered, frame  # nothing is held while the next one is waited for
        self._forget()
        if self._follower is not None:
            self._follower.close()

    def _wait_for_news(self) -> bool:
        """Wait for an answer, or for a frame to track; return whether to go on."""
        with self._lock:
            self._busy = False
            self._rest.notify_all()
            self._news.wait_for(
                lambda: self._closed or self._answered or (self._follower is not None and self._waiting)
            )
            self._busy = not self._closed
            return not self._closed

    def _settle(self, asked: _Asked, instructions: tuple[str, ...]) -> None:
        """Publish the model's answer, or follow it from now on."""
        error = asked.answer.exception()
        if error is not None:
            self._fail(error)
            return
        if asked.instructions is not instructions:
            self._add(outdated=1)
        elif self._follower is None:
            self._publish(asked.answer.result(), grounded=1, published=1)
        else:
            self._adopt(self._follower, asked)
        if self._follower is not None:
            self._offer(self._follower)

    def _adopt(self, follower: Follower, asked: _Asked) -> None:
        try:
            known = follower.adopt(asked.number, asked.answer.result())
            # the newest frame came before there was anything to carry onto it
            result = follower.result() if known and self._unpublished else None
        except Exception as error:  # a tracker may raise anything, and the stream goes on
            self._fail(error)
            return
        self._add(grounded=int(known), outdated=int(not known))
        if result is not None:
            self._unpublished = False
            self._publish(result, published=1)

    def _follow(self, frame: Frame, instructions: tuple[str, ...]) -> None:
        """Carry what is known onto a frame, offer the frame to the model, and publish it."""
        follower = self._follower
        assert follower is not None
        self._count_early()
        try:
            follower.see(frame, time.monotonic())
            result = follower.result()
        except Exception as error:  # the frame may be broken, and a tracker may raise anything
            self._fail(error)
            return
        self._unpublished = result is None
        self._offer(follower)
        if result is not None and self._instructions is not instructions:
            self._add(outdated=1)
        elif result is not None:
            self._publish(result, published=1)

    def _offer(self, follower: Follower) -> None:
        """Offer the newest frame that was seen to the model, where it may be asked now."""
        with self._lock:
            frame = follower.newest
            if frame is None or self._at_model or self._answered or self._anew or self._closing:
                return
            if frame is self._asked_about:
                return
            period = 0.9 / self.grounding_rate if self.grounding_rate else 0.0  # cameras jitter
            if follower.needs_grounding or time.monotonic() - self._asked_at >= period:
                self._offered = _Asked(frame, self._instructions, Future(), follower.remember())
                self._worker.poke()

    def _forget(self) -> None:
        self._count_early()
        if self._follower is not None:
            self._follower.forget()

    def _count_early(self) -> None:
        """Count the newest frame that was seen if it has not come out, now that it never will."""
        self._add(early=int(self._unpublished))
        self._unpublished = False

    def _publish(self, result: GroundedFrame, **counted: int) -> None:
        try:
            self._on_result(result)
        except Exception as error:  # whoever listens may raise anything, and the stream goes on
            self._fail(error)
        else:
            self._add(**counted)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, FrameError):
            self._add(invalid=1)
            self._on_problem(f"frame dropped: {error}")
        else:
            self._add(failed=1)
            self._on_problem(f"grounding failed: {type(error).__name__}: {error}")

    # -- any thread -------------------------------------------------------------------------------------

    def _begin_anew(self) -> None:
        """Have the stream's thread forget what it follows; the caller holds the lock."""
        self._anew = True
        self._offered = self._asked_about = None
        self._asked_at = -math.inf

    def _give_up_waiting(self, **counted: int) -> None:
        """Count the frame that waits, and forget it; the caller holds the lock."""
        if self._waiting is not None:
            self._count(**counted)
        self._waiting = self._offered = None

    def _wake(self) -> None:
        """Let both threads look for work; the caller holds the lock."""
        self._news.notify_all()
        self._worker.poke()

    def _add(self, **increments: int) -> None:
        with self._lock:
            self._count(**increments)

    def _count(self, **increments: int) -> None:
        """Add to the counters; the caller holds the lock."""
        counts = {name: getattr(self._counters, name) + by for name, by in increments.items()}
        self._counters = replace(self._counters, **counts)
