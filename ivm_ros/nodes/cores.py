"""Which processor cores a node runs on."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def keep_to_cores(text: str) -> tuple[int, ...]:
    """Let the threads of this process run on some cores alone, those that it starts later among them.

    Threads that take turns, as Python's do, wait for each other less where they share a core: on a machine
    with few, virtual ones above all, a core that has been idle is slow to wake.

    Args:
        text: which cores, counted from 0, with spaces between, such as "0 1"; not how many. Empty for no
            change.

    Returns:
        The cores that it may run on, ascending.

    Raises:
        ValueError: these are no numbers of cores that the process may use.
    """
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # only Linux knows
        if text.strip():
            raise ValueError(f"expected no cores on this system, which cannot choose, got {text!r}") from None
        return ()
    if not text.strip():
        return tuple(sorted(allowed))
    try:
        wanted = {int(word) for word in text.split()}
    except ValueError:
        wanted = set()
    if not wanted or not wanted <= allowed:
        numbers = " ".join(map(str, sorted(allowed)))
        raise ValueError(f"expected numbers of cores, of {numbers}, with spaces between, got {text!r}")
    os.sched_setaffinity(0, wanted)
    kept: set[int] = set()
    while new := {int(thread.name) for thread in Path("/proc/self/task").iterdir()} - kept:
        for thread in new:  # one that is not yet kept may start another meanwhile, so they are listed again
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setaffinity(thread, wanted)
        kept |= new
    return tuple(sorted(wanted))
