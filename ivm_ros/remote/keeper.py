"""Keeps a model's process running: starts it, and starts it again, ever later, when it has ended."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ivm_ros.remote.errors import ModelProcessError, ModelUnavailableError
from ivm_ros.remote.process import ModelProcess

_POLITE = 3.0  # seconds until a process that was asked to end is killed


@dataclass
class Backoff:
    """How long to wait before a process starts again: twice as long each time that it ends soon.

    Attributes:
        first: seconds before the first restart.
        most: seconds that are never exceeded.
        settled: seconds that a process has to work until its end counts as the first again.
    """

    first: float = 0.5
    most: float = 30.0
    settled: float = 60.0
    _next: float = 0.0

    def after(self, worked: float) -> float:
        """Return the seconds to wait after a process that worked so many."""
        delay = self.first if worked >= self.settled else max(self._next, self.first)
        delay = min(delay, self.most)
        self._next = 2.0 * delay
        return delay


@dataclass(frozen=True)
class ProcessStatus:
    """What there is to say of a model's process.

    Attributes:
        state: "starting" (the model loads), "ready", "waiting" (ended; starts again) or "closed".
        pid: of the process; None while there is none.
        restarts: how many times it was started again.
        restarts_in: seconds until it is started again; 0 unless waiting.
        problem: how the last one ended, or failed to load; empty if none has.
    """

    state: str
    pid: int | None
    restarts: int
    restarts_in: float
    problem: str


class Keeper:
    """Runs a model's process on a thread, from `Keeper(...)` to `close`.

    Args:
        start: starts a process.
        load: message that loads the model in it.
        timeout: seconds that starting and loading may take.
        backoff: between an end and the next start.
        log: is told when a process is ready and when it ended.
        clock: in seconds, never back.
    """

    def __init__(
        self,
        start: Callable[[], ModelProcess],
        load: Mapping[str, Any],
        timeout: float,
        backoff: Backoff,
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._load = load
        self._timeout = timeout
        self._backoff = backoff
        self._log = log
        self._clock = clock
        self._changed = threading.Condition()
        self._process: ModelProcess | None = None
        self._state = "starting"
        self._restarts = 0
        self._due = 0.0
        self._problem = ""
        self._first: Future[dict[str, Any]] = Future()
        # Every process is started from here: Linux ends it with the thread that it was started from.
        self._thread = threading.Thread(target=self._run, name="model process", daemon=True)
        self._thread.start()

    def loaded(self) -> dict[str, Any]:
        """Wait for the first process, and return what it says of its model.

        Raises:
            ModelProcessError: the process ended, or took too long.
            Exception: the loader's own, as `rebuild` makes it.
        """
        return self._first.result()

    def ready(self, timeout: float | None = 0.0) -> ModelProcess:
        """Return the process, waiting at most `timeout` seconds for one that is loaded.

        Raises:
            ModelUnavailableError: there is none; says why, and when it is started again.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._state in ("ready", "closed"), timeout)
            if self._state == "ready" and self._process is not None:
                return self._process
            raise ModelUnavailableError(self._words())

    def status(self) -> ProcessStatus:
        """Return what there is to say."""
        with self._changed:
            return ProcessStatus(
                state=self._state,
                pid=self._process.pid if self._process is not None else None,
                restarts=self._restarts,
                restarts_in=max(0.0, self._due - self._clock()) if self._state == "waiting" else 0.0,
                problem=self._problem,
            )

    def interrupt(self) -> bool:
        """Kill the process if a call waits for it; return whether one did."""
        with self._changed:
            process = self._process
        return process is not None and process.interrupt()

    def close(self) -> None:
        """End the process, at once where it is at work; any thread may call this, more than once."""
        with self._changed:
            loaded = self._state == "ready"
            self._state = "closed"
            process = self._process
            self._changed.notify_all()
        if process is not None:
            if loaded and not process.interrupt():
                process.ask_to_end()
            else:
                process.kill("closed")
        if self._thread is threading.current_thread():  # the garbage collector called, there
            return
        self._thread.join(_POLITE)
        if process is not None and process.kill("it did not end when asked to"):
            self._thread.join(_POLITE)

    def _run(self) -> None:
        while True:
            worked = 0.0
            try:
                process, answer = self._start_and_load()
            except Exception as error:
                problem = f"the model's process did not start: {error}"
                if not self._first.done():
                    self._enter("closed", error=error)
                    return
            else:
                began = self._clock()
                self._enter("ready", answer)
                process.wait()
                worked, problem = self._clock() - began, process.end
            if not self._rest(problem, worked):
                return

    def _start_and_load(self) -> tuple[ModelProcess, dict[str, Any]]:
        process = self._start()
        with self._changed:
            self._process = process
            closed = self._state == "closed"
        try:
            if closed:
                raise ModelProcessError("closed while it started")
            answer = process.exchange(self._load, self._timeout)
            if not (isinstance(answer, dict) and isinstance(answer.get("name"), str)):
                raise ModelProcessError(f"expected the name of a model, got {answer!r}")
            return process, answer
        except Exception as error:
            process.kill("its model did not load")
            process.wait()
            with self._changed:
                self._process = None
            if isinstance(error, ConnectionError | TimeoutError):
                raise ModelProcessError(process.end) from error
            raise

    def _enter(
        self, state: str, answer: dict[str, Any] | None = None, error: Exception | None = None
    ) -> None:
        """Change the state, unless closed in the meantime, and tell who waits for the first process."""
        with self._changed:
            if self._state != "closed":
                self._state = state
            self._changed.notify_all()
        if self._first.done():
            self._say("the model's process works again")
        elif error is not None:
            self._first.set_exception(error)
        elif answer is not None:
            self._first.set_result(answer)

    def _rest(self, problem: str, worked: float) -> bool:
        """Wait until the next start is due; return whether there is to be one."""
        delay = self._backoff.after(worked)
        with self._changed:
            self._process = None
            if self._state != "closed":
                self._state, self._problem, self._due = "waiting", problem, self._clock() + delay
                self._changed.notify_all()
        if self._state == "waiting":  # said without the lock: a log may take its time
            self._say(f"{problem}; it starts again in {delay:g} s")
        with self._changed:
            self._changed.wait_for(lambda: self._state == "closed", delay)
            if self._state == "closed":
                return False
            self._state = "starting"
            self._restarts += 1
            return True

    def _words(self) -> str:
        if self._state == "closed":
            return "the model's process is closed; load the model anew"
        if self._state == "starting":
            return f"the model loads again ({self._problem})" if self._problem else "the model loads"
        return f"{self._problem}; it starts again in {max(0.0, self._due - self._clock()):.1f} s"

    def _say(self, text: str) -> None:
        with contextlib.suppress(Exception):  # a log that fails must not end the restarts
            self._log(text)
