"""What the model's process prints: every line to a log, the last ones kept for the message when it ends."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import deque
from collections.abc import Callable
from typing import IO

_KEPT_LINES = 12
_MAX_LINE_BYTES = 2000  # what prints without an end of line is cut into such pieces


class Output:
    """Reads a pipe on a thread of its own until it ends, so that a process that prints never waits.

    Args:
        pipe: of the process's stdout and stderr, which is closed when it ends.
        log: is told every line that is not empty, on that thread.
    """

    def __init__(self, pipe: IO[bytes], log: Callable[[str], None]) -> None:
        self._pipe = pipe
        self._log = log
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)
        self._reader = threading.Thread(target=self._read, name="model output", daemon=True)
        self._reader.start()

    def finish(self, timeout: float) -> str:
        """Wait for the end of the pipe, and return the last lines, joined by " | "."""
        self._reader.join(timeout)
        return " | ".join(list(self._last))

    def _read(self) -> None:
        rest = b""
        with self._pipe:
            while piece := self._pipe.read1(1 << 16):  # type: ignore[attr-defined]
                *lines, rest = re.split(rb"[\r\n]", rest + piece)  # a progress bar has no other end of line
                if len(rest) > _MAX_LINE_BYTES:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._keep(line)
        self._keep(rest)

    def _keep(self, line: bytes) -> None:
        for begin in range(0, len(line), _MAX_LINE_BYTES):
            text = line[begin : begin + _MAX_LINE_BYTES].decode(errors="replace").rstrip()
            if text:
                self._last.append(text)
                with contextlib.suppress(Exception):  # a log that fails must not stop the reading
                    self._log(text)
