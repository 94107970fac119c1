"""What the soak sees while it goes on: memory by time, and a line of progress now and then."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SAMPLE = 1.0  # seconds between two looks at the memory, which goes up and down with each fault
ENOUGH = 30  # samples: fewer do not tell growth from chance
TELL = 15.0  # seconds between two lines
_BYTES_PER_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has, 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _BYTES_PER_PAGE
    except FileNotFoundError:
        return 0


def growth(samples: Sequence[float]) -> float | None:
    """Return how much more the last third has than the first, by their medians.

    None where there are fewer samples than `ENOUGH`.
    """
    if len(samples) < ENOUGH:
        return None
    third = len(samples) // 3
    return statistics.median(samples[-third:]) - statistics.median(samples[:third])


class Record:
    """Looks at a process on a thread, and prints lines, until it is stopped.

    Args:
        pid: of the process.
        tell: makes the rest of each line.
    """

    def __init__(self, pid: int, tell: Callable[[], str]) -> None:
        self._pid, self._tell = pid, tell
        self._begun = time.monotonic()
        self.samples: list[int] = []  # bytes, one every `SAMPLE` seconds since `sample`
        self._sampling = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._thread.start()

    @property
    def elapsed(self) -> float:
        """Return for how many seconds it has gone on."""
        return time.monotonic() - self._begun

    def sample(self) -> None:
        """Keep what the memory is from now on: all that the process ever needs has been used."""
        self._sampling.set()

    def _run(self) -> None:
        told = 0.0
        while not self._stop.wait(SAMPLE):
            size = resident_bytes(self._pid)
            if self._sampling.is_set():
                self.samples.append(size)
            if self.elapsed - told >= TELL:
                told = self.elapsed
                print(f"{told:6.0f} s  {self._tell()}  {size / 1e6:.1f} MB", flush=True)

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()
