"""The soak's camera and its listeners, in processes of their own: the test calls services and observes.

In one Python process they would share one interpreter with the test, and reach half the camera's rate.
Each prints one JSON object a line of what it has counted since it began; see `soak_camera`, `soak_listeners`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

_PATIENCE = 30.0  # seconds until a process that was told to end is aborted


class SoakProcess:
    """A helper process that is told what to do line by line, and tells what it has counted.

    Args:
        module: in this folder, what `python -m` takes.
        arguments: of its command line.
        environment: variables that it gets on top of this process's.
    """

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "PYTHONFAULTHANDLER": "1"},
        )
        self.pid = self._process.pid
        self.said: dict[str, Any] = {}
        self._reader = threading.Thread(target=self._read, name=module, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.said = json.loads(line)  # replaced, never changed: readers need no lock

    @property
    def running(self) -> bool:
        """Return whether the process is alive."""
        return self._process.poll() is None

    def tell(self, **order: Any) -> None:
        """Send one order; raise BrokenPipeError where the process has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def end(self) -> int:
        """Close its input, which ends it, and return its exit status once its last line was read."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself; the status says how
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # its threads' stacks go to stderr
        self._reader.join(_PATIENCE)
        return self._process.wait()


class Camera:
    """Good frames at a rate, from a process of its own.

    Args:
        environment: of the graph.
        topic: of the images; those of ".../compressed" are.
        size: (width, height) in pixels.
        rate: frames a second.
    """

    def __init__(
        self, environment: Mapping[str, str], topic: str, size: tuple[int, int], rate: float
    ) -> None:
        self.topic, self.size, self.rate = topic, size, rate
        arguments = (topic, *map(str, size), str(rate))
        self._process = SoakProcess("soak_camera", arguments, environment)
        self.pid = self._process.pid

    @property
    def sent(self) -> int:
        """Return how many frames it has sent."""
        return int(self._process.said.get("sent", 0))

    @property
    def reached(self) -> float:
        """Return how many frames a second it has sent since it began; less than asked on a busy machine."""
        seconds = self._process.said.get("seconds", 0.0)
        return self.sent / seconds if seconds else 0.0

    @property
    def running(self) -> bool:
        """Return whether its process is alive."""
        return self._process.running

    def stop(self) -> None:
        """End it."""
        assert self._process.end() == 0, "the camera's process failed"


class Listeners:
    """Who listens to a node: one that always hears its masks, and others that come and go.

    Args:
        environment: of the graph.
        node: its full name.
    """

    def __init__(self, environment: Mapping[str, str], node: str) -> None:
        self._process = SoakProcess("soak_listeners", (node,), environment)
        self.pid = self._process.pid
        self._orders = 0

    @property
    def answered(self) -> int:
        """Return how many masks have come."""
        return int(self._process.said.get("answered", 0))

    @property
    def newest(self) -> int:
        """Return the latest stamp of a mask, nanoseconds; 0 before the first."""
        return int(self._process.said.get("newest", 0))

    @property
    def obeyed(self) -> bool:
        """Return whether the last `hear` has been carried out."""
        return int(self._process.said.get("orders", 0)) == self._orders

    def hear(self, topics: Sequence[str]) -> None:
        """Listen to these topics besides the masks, and no longer to those of the call before."""
        self._orders += 1
        self._process.tell(hear=list(topics))

    @property
    def running(self) -> bool:
        """Return whether their process is alive."""
        return self._process.running

    def stop(self) -> None:
        """End them."""
        assert self._process.end() == 0, "the listeners' process failed"
