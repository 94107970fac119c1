"""Say on stderr that something takes long, for how long it has, and when it is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def announced(what: str, every: float = 15.0) -> Iterator[None]:
    """Announce work that cannot say itself how far it is.

    Lines, not a bar: a node's log shows them as well.

    Args:
        what: is done, such as "building an engine".
        every: seconds between lines.
    """
    started, done = time.monotonic(), threading.Event()

    def tick() -> None:
        while not done.wait(every):
            _say(f"{what}: {time.monotonic() - started:.0f} s so far")

    _say(what)
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    except BaseException:
        _say(f"{what}: failed after {time.monotonic() - started:.0f} s")
        raise
    else:
        _say(f"{what}: done in {time.monotonic() - started:.0f} s")
    finally:
        done.set()
        ticker.join()


def _say(line: str) -> None:
    print(f"ivm_ros: {line}", file=sys.stderr, flush=True)
