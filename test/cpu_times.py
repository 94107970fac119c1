"""How long processes ran and waited for a CPU, so that a failed wait tells a busy machine from a lock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

_NANO = 1e-9


def cpu_times(pid: int) -> dict[int, tuple[float, float]]:
    """Return for each thread of a process the seconds that it has run, and has waited for a CPU.

    From `/proc/<pid>/task/<thread>/schedstat`; empty where the process has ended, or the system has none.
    """
    found = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # the thread has ended meanwhile
            ran, waited = path.read_text().split()[:2]
            found[int(path.parent.name)] = int(ran) * _NANO, int(waited) * _NANO
    return found


class CpuWatch:
    """What processes get of the CPUs from now on.

    Args:
        processes: their numbers, by name.
    """

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = dict(processes)
        self._before = {name: cpu_times(pid) for name, pid in self._processes.items()}
        self._begun = time.monotonic()

    def __str__(self) -> str:
        """Say it in a line: a thread that waited for most of the time was starved, not locked."""
        told = []
        for name, pid in self._processes.items():
            now = cpu_times(pid)
            if not now:
                told.append(f"{name} ({pid}): has ended")
                continue
            before = self._before[name]
            gained = {
                thread: [late - early for late, early in zip(now[thread], before[thread], strict=True)]
                for thread in now.keys() & before.keys()  # one that began meanwhile says little
            }
            ran = sum(thread[0] for thread in gained.values())
            main_ran, main_waited = gained.get(pid, (0.0, 0.0))
            longest = max((thread[1] for thread in gained.values()), default=0.0)
            told.append(
                f"{name} ({pid}) ran {ran:.1f} s, its main thread {main_ran:.1f} s; for a CPU waited "
                f"that one {main_waited:.1f} s, the one that waited longest {longest:.1f} s"
            )
        return f"in these {time.monotonic() - self._begun:.0f} s, " + "; ".join(told)
