"""One run of the model's process, from its start to its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ivm_ros.remote.channel import BrokenMessageError, Channel
from ivm_ros.remote.errors import ModelProcessError, ModelUnavailableError, rebuild
from ivm_ros.remote.output import Output
from ivm_ros.remote.segment import Segment

_START = Path(__file__).with_name("start.py")
_GONE = 5.0  # seconds until a killed process is gone; a stuck driver can hold it longer
_READ = 1.0  # seconds until its last output is read; what it started and let go can hold the pipe longer


def find_python(python: str) -> str:
    """Return the path of an executable.

    Raises:
        ValueError: there is none of this name.
    """
    found = shutil.which(os.path.expanduser(python))
    if found is None:
        raise ValueError(
            f"expected the path of a Python to run the model with, such as ~/venv/bin/python; got {python!r}"
        )
    return found


class ModelProcess:
    """A process that runs a model under another Python.

    The thread that makes it must outlive it, because Linux ends the process with that thread; it is the one
    to call `wait`.

    Args:
        python: the executable.
        environment: variables on top of this process's; of those, PYTHONPATH and PYTHONHOME are left out, as
            they say where this Python has its modules.
        log: is told every line that the process prints.

    Attributes:
        pid: of the process.
        images: memory to hand images over.
        answers: memory that heatmaps and masks come in.
        released: numbers of images that nobody needs any more; the next call takes them along.
        ended: set once the process is gone.
        end: how it ended, in words; empty before.

    Raises:
        OSError: the executable cannot be started.
    """

    def __init__(self, python: str, environment: Mapping[str, str], log: Callable[[str], None]) -> None:
        self.images = Segment.create("ivm_ros images")
        self.answers = Segment.create("ivm_ros answers")
        self.released: deque[int] = deque()
        self.ended = threading.Event()
        self.end = ""
        self._calls = threading.RLock()  # held for a call, so that nothing is closed on the way
        self._calling = False
        self._reaping = threading.Lock()  # so that no signal goes to another process of the same number
        self._reaped = False
        self._reason = ""
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        try:
            with theirs:
                self._process = self._started(python, environment, theirs.fileno())
        except OSError:
            self._close()
            raise
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self._output = Output(self._process.stdout, log)

    def _started(self, python: str, environment: Mapping[str, str], channel: int) -> subprocess.Popen[bytes]:
        descriptors = (channel, self.images.descriptor, self.answers.descriptor)
        inherited = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")
        }
        printing = {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}  # a crash says where it was
        return subprocess.Popen(
            [python, str(_START), *map(str, descriptors), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=descriptors,
            env={**inherited, **printing, **environment},
            start_new_session=True,  # Ctrl-C is for the node, which then ends this process
        )

    @contextlib.contextmanager
    def calling(self) -> Iterator[None]:
        """Hold the process for one call: for its arguments, `exchange`, and what its answer points to.

        Raises:
            ModelProcessError: the process has ended on the way; says how.
            ModelUnavailableError: it had ended before.
        """
        with self._calls:
            if self.ended.is_set() or self._reason:
                raise ModelUnavailableError(self.end or self._unfinished())
            self._calling = True
            try:
                yield
            except ConnectionError as error:
                self.ended.wait(_GONE)
                raise ModelProcessError(self.end or self._unfinished()) from error
            finally:
                self._calling = False

    def exchange(self, message: Mapping[str, Any], timeout: float | None = None) -> Any:
        """Send a message and return the answer.

        Args:
            message: what to do.
            timeout: seconds to wait; None for ever.

        Raises:
            ConnectionError: the process has ended, or what came is no answer.
            TimeoutError: no answer came; the process is killed.
            Exception: the model's own, as `rebuild` makes it.
        """
        released = [self.released.popleft() for _ in range(len(self.released))]
        try:
            self._channel.send({**message, "released": released})
            answer = self._channel.receive(timeout)
        except (ValueError, TypeError):  # nothing was sent
            raise
        except BaseException as error:  # also Ctrl-C: the answer that is on its way belongs to no later call
            if isinstance(error, ConnectionError) and not isinstance(error, BrokenMessageError):
                self._let_end()
            else:
                self.kill(str(error) or type(error).__name__)
            raise
        if "error" in answer:
            raise rebuild(answer["error"])
        return answer.get("answer")

    def interrupt(self) -> bool:
        """Kill the process if a call waits for it; return whether one did. Any thread may call this."""
        interrupted = self._calling and self.kill("its call was interrupted")
        if interrupted:
            self._channel.hang_up()  # a driver may keep the process from ending, but not the call
        return interrupted

    def kill(self, reason: str) -> bool:
        """Kill the process and what it started; return whether it was there. Any thread may call this."""
        with self._reaping:
            if self._has_ended():
                return False
            self._reason = self._reason or reason
            self._kill_group()
            return True

    def ask_to_end(self) -> None:
        """Let the process end as soon as it waits for the next call."""
        self._channel.hang_up()

    def wait(self) -> None:
        """Wait for the process's end, and give everything back that belonged to it."""
        with contextlib.suppress(ChildProcessError):  # where this process ignores SIGCHLD
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._reaping:
            self._kill_group()  # what it had started
            status = self._process.wait()
            self._reaped = True
        self._channel.hang_up()  # what it had started may hold the other end open
        self.end = self._words(status, self._output.finish(_READ))
        self.ended.set()
        with self._calls:
            self._close()

    def _has_ended(self) -> bool:
        """Return whether the process is over; the caller holds the lock of reaping."""
        if self._reaped:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        except ChildProcessError:  # where this process ignores SIGCHLD
            return True

    def _let_end(self) -> None:
        """Wait for a process that has closed its channel, as killing it would hide how it ends."""
        until = time.monotonic() + _GONE
        while time.monotonic() < until:
            with self._reaping:
                if self._has_ended():
                    return
            time.sleep(0.01)
        self.kill("it closed its channel and went on")

    def _words(self, status: int, printed: str) -> str:
        try:
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with {status}"
        except ValueError:
            how = f"was killed by signal {-status}"
        if self._reason and -status == signal.SIGKILL:
            how = f"was killed: {self._reason}"
        elif -status == signal.SIGKILL:
            how += " from outside, as Linux does where memory is out"
        return f"the model's process {self.pid} {how}" + (f"; it printed last: {printed}" if printed else "")

    def _unfinished(self) -> str:
        return f"the model's process {self.pid} was killed: {self._reason}; it has not ended yet"

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
            os.killpg(self.pid, signal.SIGKILL)

    def _close(self) -> None:
        self._channel.close()
        self.images.close()
        self.answers.close()
