"""What the soak judges by: growth of memory, and what a failed wait says of the CPUs."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from cpu_times import CpuWatch, cpu_times
from soak_record import ENOUGH, growth, resident_bytes

MB = 10**6


@pytest.mark.parametrize(
    ("samples", "grown"),
    [
        ([100 * MB] * ENOUGH, 0.0),
        ([100 * MB] * 40 + [110 * MB] * 80, 10 * MB),
        ([110 * MB] * 40 + [99 * MB] * 80, -11 * MB),
        ([100 * MB] * (ENOUGH - 1) + [500 * MB], 0.0),  # a peak is no growth
        (
            [100 * MB + step * MB for step in range(150)],
            100 * MB,
        ),  # 124.5 in the first 50, 224.5 in the last
        ([100 * MB] * (ENOUGH - 1), None),
    ],
)
def test_growth(samples, grown):
    assert growth(samples) == (grown if grown is None else pytest.approx(grown))


def test_memory_of_this_process_and_of_none():
    assert resident_bytes(os.getpid()) > MB
    assert resident_bytes(_ended()) == 0


@pytest.mark.skipif(not cpu_times(os.getpid()), reason="needs a kernel with schedstat")
def test_cpu_times_of_this_process_and_of_none():
    watch = CpuWatch({"this": os.getpid()})
    before = cpu_times(os.getpid())[os.getpid()][0]
    while cpu_times(os.getpid())[os.getpid()][0] < before + 0.1:
        pass
    (ran,) = re.findall(rf"this \({os.getpid()}\) ran .*, its main thread ([0-9.]+) s", str(watch))
    assert float(ran) >= 0.1
    assert str(CpuWatch({"gone": _ended()})).endswith("has ended")


def _ended() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid
