"""The cores that a node keeps to: all of its threads, and words for what cannot be."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ivm_ros.nodes.cores import keep_to_cores

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")

PROGRAM = """
import os, threading, time
from pathlib import Path
from ivm_ros.nodes.cores import keep_to_cores
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
mine = max(os.sched_getaffinity(0))
print(keep_to_cores(f" {mine} ") == (mine,))
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
"""

BREEDING = """
import os, threading, time
from pathlib import Path
from ivm_ros.nodes import cores

begun, listed, born = threading.Event(), threading.Event(), threading.Event()

def breed():
    begun.set()
    listed.wait()
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    born.set()
    time.sleep(30)

threading.Thread(target=breed, daemon=True).start()
begun.wait()

class Listing(type(Path())):
    def iterdir(self):
        found = list(super().iterdir())
        listed.set()  # the next one starts after this listing, before any of it is kept
        born.wait()
        return iter(found)

cores.Path = Listing
mine = max(os.sched_getaffinity(0))
cores.keep_to_cores(str(mine))
"""

CHECK = """
kept = []
for thread in Path("/proc/self/task").iterdir():
    try:
        kept.append(os.sched_getaffinity(int(thread.name)))
    except ProcessLookupError:  # a library's, which has ended
        continue
print(len(kept) >= 3, all(cores == {mine} for cores in kept))
"""


def test_every_thread_keeps_to_them_also_those_that_come_later() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM + CHECK], capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == ["True", "True", "True"]


def test_a_thread_that_starts_while_they_are_listed_keeps_to_them() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores, so that one that stays on both shows")
    printed = subprocess.run(
        [sys.executable, "-c", BREEDING + CHECK], capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == ["True", "True"]


def test_nothing_is_changed_where_nothing_is_said() -> None:
    before = os.sched_getaffinity(0)
    assert keep_to_cores(" ") == tuple(sorted(before))
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("text", ["one", "0,1", "-1", "99999", "0 99999", "1.0"])
def test_what_is_no_core_of_the_process_is_refused(text: str) -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ValueError, match=r"expected numbers of cores, of .*, got"):
        keep_to_cores(text)
    assert os.sched_getaffinity(0) == before
