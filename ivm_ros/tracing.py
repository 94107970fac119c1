"""What each thread did when: spans of time, kept in a ring, and written as a file that Perfetto opens."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

CAPACITY = 20_000
"""Spans that are kept; about half a minute of a camera at 30 frames a second, for 3 MB."""


class _Done(NamedTuple):
    """A span that has ended; times in seconds of `time.monotonic()`."""

    name: str
    track: str
    start: float
    seconds: float


class Span:
    """A stretch of time that is measured while it is a context: `with trace.span("encode", "model") as span`.

    Attributes:
        seconds: how long it took; 0 until it has ended.
    """

    __slots__ = ("_name", "_start", "_trace", "_track", "seconds")

    def __init__(self, trace: Trace, name: str, track: str) -> None:
        self._trace, self._name, self._track = trace, name, track
        self.seconds = 0.0

    def __enter__(self) -> Span:
        self._start = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._start
        self._trace.add(self._name, self._track, self._start, self.seconds)


class Trace:
    """The last spans of all threads; any thread may add to it.

    Args:
        capacity: spans that are kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._spans: deque[_Done] = deque(maxlen=capacity)

    def __len__(self) -> int:
        """Return how many spans there are."""
        return len(self._spans)

    def span(self, name: str, track: str) -> Span:
        """Return a span to be entered.

        Args:
            name: what is done, such as "encode".
            track: whose row it is on, such as "model".
        """
        return Span(self, name, track)

    def add(self, name: str, track: str, start: float, seconds: float) -> None:
        """Add what was measured elsewhere; `start` is of `time.monotonic()`."""
        self._spans.append(_Done(name, track, start, seconds))

    def save(self, path: Path) -> int:
        """Write the spans in the Trace Event Format, as ui.perfetto.dev and chrome://tracing read it.

        Args:
            path: of the JSON file; written whole or not at all.

        Returns:
            How many spans there are in it.

        Raises:
            OSError: it cannot be written.
        """
        spans = list(self._spans)  # a copy at once: threads go on adding
        rows = {track: row for row, track in enumerate(sorted({span.track for span in spans}), start=1)}
        names = (
            {"ph": "M", "name": "thread_name", "pid": 1, "tid": row, "args": {"name": track}}
            for track, row in rows.items()
        )
        events = (
            {
                "ph": "X",
                "name": span.name,
                "pid": 1,
                "tid": rows[span.track],
                "ts": round(span.start * 1e6, 1),  # microseconds
                "dur": round(span.seconds * 1e6, 1),
            }
            for span in spans
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("w") as file:  # one by one: 20,000 put together first take 12 MB
            file.write('{"displayTimeUnit": "ms", "traceEvents": [')
            for number, event in enumerate(chain(names, events)):
                file.write((",\n" if number else "\n") + json.dumps(event))
            file.write("\n]}\n")
        os.replace(partial, path)
        return len(spans)
