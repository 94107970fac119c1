"""Spans of time become a file in the Trace Event Format."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from ivm_ros.tracing import CAPACITY, Trace


def test_spans_are_written_row_by_row(tmp_path):
    trace = Trace()
    with trace.span("encode", "model") as span:
        pass
    assert span.seconds > 0
    trace.add("publish", "camera", 2.0, 0.5)
    assert trace.save(tmp_path / "new" / "trace.json") == 2
    written = json.loads((tmp_path / "new" / "trace.json").read_text())["traceEvents"]
    rows = {event["tid"]: event["args"]["name"] for event in written if event["ph"] == "M"}
    publish = next(event for event in written if event["name"] == "publish")
    assert rows[publish["tid"]] == "camera"
    assert (publish["ph"], publish["ts"], publish["dur"]) == ("X", 2e6, 5e5)
    assert set(rows.values()) == {"camera", "model"}


def test_a_span_is_kept_whatever_happens_in_it():
    trace = Trace()
    with pytest.raises(ZeroDivisionError), trace.span("encode", "model"):
        _ = 1 / 0
    assert len(trace) == 1


def test_only_the_last_spans_are_kept(tmp_path):
    trace = Trace(capacity=3)
    for number in range(5):
        trace.add(str(number), "model", float(number), 0.1)
    trace.save(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [event["name"] for event in events if event["ph"] == "X"] == ["2", "3", "4"]


def test_saving_takes_little_memory(tmp_path):
    """A node at work saves it: what that took at its peak would stay with the process, in pieces."""
    trace = Trace()
    for number in range(CAPACITY):
        trace.add("encode", "model", float(number), 0.1)
    tracemalloc.start()
    try:
        trace.save(tmp_path / "trace.json")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50 * CAPACITY  # bytes; 600 for each span where all are put together first
    assert len(json.loads((tmp_path / "trace.json").read_text())["traceEvents"]) == CAPACITY + 1


def test_a_trace_without_spans_is_a_whole_file(tmp_path):
    assert Trace().save(tmp_path / "trace.json") == 0
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"] == []


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(FileExistsError):
        Trace().save(blocked / "trace.json")
