"""The suite `overhead`: its rows and what it refuses, and both nodes on a real graph for a few frames."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from rich.progress import Progress

from ivm_ros.bench import overhead
from ivm_ros.bench.overhead import Measured
from ivm_ros.bench.results import Report
from ivm_ros.bench.runner import measure
from ivm_ros.bench.suite import DisagreementError, Options
from ivm_ros.bench.timing import Plan


def fake_run(grey_levels=1.0):
    """What a run might find: 100 frames, one of which takes ten times as long."""
    times = np.full(100, 0.002)
    times[7] = 0.02
    return Measured(
        inside={"plain": 4 * times, "grounding": times},
        trip={"plain": 8 * times, "grounding": 4 * times},
        grey_levels=grey_levels,
    )


def report(monkeypatch, plan, run):
    monkeypatch.setattr(overhead, "run_nodes", run)
    found = Report({})
    with Progress(disable=True) as progress:
        for row in measure("overhead", overhead.suite(Options()), plan, progress):
            found.add(row)
    return found.to_json()


@pytest.fixture
def with_ros(monkeypatch):
    """What the suite asks for, whether it is there or not."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


@pytest.mark.usefixtures("with_ros")
def test_rows_are_of_one_run(monkeypatch):
    runs = []
    values = report(monkeypatch, Plan(), lambda frames: runs.append(frames) or fake_run())
    assert runs == [overhead._FRAMES]
    expected = {
        "overhead.p50_ms": 2.0,
        "overhead.p99_ms": np.percentile(fake_run().inside["grounding"], 99) * 1000,
        "overhead.ms": 2.0,
        "overhead.speedup": 4.0,
        "overhead.rounds": 100,
        "overhead.plain_node_p50_ms": 8.0,
        "overhead.round_trip_p50_ms": 8.0,
        "overhead.round_trip_speedup": 2.0,
        "overhead.plain_round_trip_p50_ms": 16.0,
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert values["overhead.p99_ms"] > values["overhead.p50_ms"]


@pytest.mark.usefixtures("with_ros")
def test_runs_are_added_until_the_ratio_is_precise_or_time_is_up(monkeypatch):
    rng = np.random.default_rng(0)

    def restless(frames):
        runs.append(frames)
        run = fake_run()
        noise = {"plain": run.inside["plain"] * rng.uniform(1, 2, 100), "grounding": run.inside["grounding"]}
        return Measured(noise, noise, 1.0)

    runs = []
    values = report(monkeypatch, Plan(precision=0.03, limit=60.0), restless)
    assert len(runs) > 1
    assert values["overhead.rounds"] == 100 * len(runs)
    assert (values["overhead.ratio_high"] - values["overhead.ratio_low"]) / 2 <= 0.03 * values[
        "overhead.ratio"
    ]
    runs.clear()
    report(monkeypatch, Plan(precision=1e-9, limit=0.0), restless)
    assert len(runs) == 1


@pytest.mark.usefixtures("with_ros")
def test_nodes_whose_pictures_differ_are_not_compared(monkeypatch):
    with pytest.raises(DisagreementError, match="grey levels, to differ by at most 2, got 3"):
        report(monkeypatch, Plan(), lambda frames: fake_run(grey_levels=3.0))


def test_without_ros_it_says_so(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs ROS 2.*rclpy"):
        next(overhead.suite(Options()))


@pytest.mark.parametrize("dead", ["plain", "grounding"])
def test_a_node_that_does_not_start_is_an_error_with_what_it_printed(monkeypatch, dead):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    monkeypatch.setitem(overhead._PROGRAMS, dead, "ivm_ros.nodes.no_such_node")
    with pytest.raises(OSError, match=r"could not be measured[\s\S]*no_such_node"):
        overhead.run_nodes(3)


def test_both_nodes_answer_on_a_real_graph():
    pytest.importorskip("rclpy", reason="needs ROS 2")
    found = overhead.run_nodes(20)
    assert found.grey_levels <= 2
    for node in ("plain", "grounding"):
        inside, trip = found.inside[node], found.trip[node]
        assert 0 < len(inside) == len(trip) <= 20
        assert (inside > 0).all()
        assert (trip > inside).all()  # the trip has all that is inside, and the middleware
