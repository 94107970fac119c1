"""The suite `live`: masks of a real graph are counted and aged, and a graph that fails says why."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from ivm_ros.bench import live
from ivm_ros.bench.suite import Options
from ivm_ros.bench.timing import Plan


def test_masks_of_a_real_graph_are_aged_from_the_cameras_stamp(monkeypatch):
    monkeypatch.setattr(live, "_WARM", 0.0)
    ages, fps = live.run_graph("cpu", ("engine=torch",), seconds=10.0)
    assert len(ages) >= 2 and fps > 0
    assert (ages > 0).all()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_the_node_is_told_to_keep_to_one_core(monkeypatch):
    started = {}

    @contextmanager
    def noted(module, arguments, environment, log):
        started[module.rsplit(".", 1)[1]] = arguments
        yield subprocess.Popen(["true"])

    monkeypatch.setattr(live, "running", noted)
    with pytest.raises(OSError, match="could not be measured"):
        live.run_graph("cpu", (), seconds=5.0, rate=live.USUAL, one_core=True)
    core = max(live.os.sched_getaffinity(0))
    assert len(started) == 3
    assert [name for name, arguments in started.items() if f"cores:={core}" in arguments] == [
        "grounding_node"
    ]


def test_a_graph_that_cannot_work_says_what_its_nodes_said(monkeypatch):
    monkeypatch.setattr(live, "_PATIENCE", 20.0)
    with pytest.raises(OSError, match="an engine of auto, torch, onnx; got 'caffe'"):
        live.run_graph("cpu", ("engine=caffe",), seconds=1.0)


@pytest.mark.parametrize("linux", [True, False])
def test_ways_are_run_in_turns_and_compared_by_as_many_masks(monkeypatch, linux):
    if linux:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
    else:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    asked = []

    def run_graph(device, options, seconds, rate, one_core):
        asked.append((options, rate, one_core))
        return np.full(10 + len(asked), 0.02 if options else 0.01), 25.0 + len(asked)

    monkeypatch.setattr(live, "run_graph", run_graph)
    (comparison,) = live.suite(Options(device="cpu"))
    times = comparison.times(Plan(precision=None), lambda: 0.0, lambda seconds: None)
    assert asked == [
        (("engine=torch",), 60.0, False),
        ((), 60.0, False),
        (("precision=bfloat16",), 60.0, False),
        *([((), 60.0, True), ((), 30.0, True)] if linux else []),
    ]
    assert {name: len(each) for name, each in times.items()} == dict.fromkeys(times, 11)
    numbers = {each.name: each.numbers for each in comparison.alternatives}
    assert {name: each["fps"] for name, each in numbers.items()} == {
        "PyTorch": 26.0,
        "default": 27.0,
        "bfloat16": 28.0,
        **({"one core": 29.0, "one core, usual camera": 30.0} if linux else {}),
    }
