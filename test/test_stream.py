"""The stream: newest frame wins, nothing is lost uncounted, and nothing that fails stops it."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest
from fakes import ColorGrounder, red_square

from ivm_ros.frames import Counters, Frame
from ivm_ros.grounding import InvalidInstructionError
from ivm_ros.stream import FrameError, NoImageError, Stream, StreamClosedError

PATIENCE = 10.0  # seconds; far more than any of this takes


class Recorder:
    """Collects results and problems, and lets a test wait for them."""

    def __init__(self):
        self.results, self.problems = [], []
        self._changed = threading.Condition()

    def result(self, result):
        with self._changed:
            self.results.append(result)
            self._changed.notify_all()

    def problem(self, reason):
        with self._changed:
            self.problems.append(reason)
            self._changed.notify_all()

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(
                lambda: len(self.results) + len(self.problems) >= count, PATIENCE
            ), f"{len(self.results)} results, {self.problems}"


class GatedGrounder(ColorGrounder):
    """Encodes only when the gate is open, and says when it has begun."""

    def __init__(self):
        super().__init__()
        self.gate, self.begun = threading.Event(), threading.Event()

    def encode(self, image):
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        return super().encode(image)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def make_stream(recorder):
    streams = []

    def make(grounder):
        streams.append(Stream(grounder, recorder.result, recorder.problem))
        return streams[-1]

    yield make
    for stream in streams:
        stream.close()


def frame(context=None):
    return Frame(red_square, context)


def wait_for(condition):
    deadline = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if condition():
            return
        deadline.wait(0.01)
    raise AssertionError("it never came true")


def test_a_frame_is_grounded_once_per_instruction_with_one_encode(make_stream, recorder):
    grounder = ColorGrounder()
    stream = make_stream(grounder)
    stream.set_instructions(["the red thing", "the blue thing"])
    stream.submit(frame("first"))
    recorder.wait(1)
    (result,) = recorder.results
    assert result.frame.context == "first"
    assert [grounding.found for grounding in result.groundings] == [True, False]
    assert grounder.encoded == 1
    assert min(vars(result.timings).values()) >= 0
    wait_for(lambda: stream.counters == Counters(received=1, grounded=1))


def test_the_newest_frame_wins_and_the_dropped_are_counted(make_stream, recorder):
    grounder = GatedGrounder()
    stream = make_stream(grounder)
    stream.set_instructions(["red"])
    stream.submit(frame(0))
    assert grounder.begun.wait(PATIENCE)
    for number in (1, 2, 3):
        stream.submit(frame(number))
    grounder.gate.set()
    recorder.wait(2)
    assert [result.frame.context for result in recorder.results] == [0, 3]
    wait_for(lambda: stream.counters == Counters(received=4, grounded=2, dropped=2))


def test_no_instruction_and_no_listener_mean_no_work(make_stream):
    grounder = ColorGrounder()
    stream = make_stream(grounder)
    stream.submit(frame())
    stream.set_instructions(["red"])
    stream.submit(frame(), wanted=False)
    assert stream.counters == Counters(received=2, unwanted=2)
    assert stream.request(["red"]).result(PATIENCE).groundings[0].found  # the newest one was kept
    assert grounder.encoded == 1


def test_broken_frames_and_failing_models_are_reported_and_survived(make_stream, recorder):
    stream = make_stream(ColorGrounder())

    def broken():
        raise ValueError("not a picture")

    stream.set_instructions(["red"])
    stream.submit(Frame(broken))
    recorder.wait(1)
    stream.submit(Frame(lambda: "text"))
    recorder.wait(2)
    stream.set_instructions(["explode"])
    stream.submit(frame())
    recorder.wait(3)
    stream.set_instructions(["red"])
    stream.submit(frame())
    recorder.wait(4)
    assert "not a picture" in recorder.problems[0]
    assert "expected an (H, W, 3)" in recorder.problems[1]
    assert "boom" in recorder.problems[2]
    wait_for(lambda: stream.counters == Counters(received=4, grounded=1, invalid=2, failed=1))


class GarbageGrounder(ColorGrounder):
    """Returns what it was made with."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers

    def ground_many(self, features, instructions):
        return self.answers


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([], "1 groundings"),
        (["text"], "got str"),
        ([ColorGrounder()(red_square(20, 20), "red")], "16x12"),
    ],
)
def test_a_model_that_breaks_its_contract_is_a_failure_of_the_model(make_stream, recorder, answers, reason):
    stream = make_stream(GarbageGrounder(answers))
    with pytest.raises(ValueError, match=reason):
        stream.request(["red"], frame()).result(PATIENCE)
    stream.set_instructions(["red"])
    stream.submit(frame())
    recorder.wait(1)
    assert reason in recorder.problems[0]
    wait_for(lambda: stream.counters == Counters(received=1, failed=1, requests_failed=1))


def test_a_listener_that_raises_is_a_failure_of_that_frame_alone(recorder):
    results = []

    def publish(result):
        results.append(result)
        if len(results) == 1:
            raise RuntimeError("cannot publish")

    stream = Stream(ColorGrounder(), publish, recorder.problem)
    try:
        stream.set_instructions(["red"])
        stream.submit(frame())
        recorder.wait(1)
        stream.submit(frame())
        wait_for(lambda: stream.counters == Counters(received=2, grounded=1, failed=1))
    finally:
        stream.close()


def test_requests_are_answered_between_frames(make_stream):
    grounder = ColorGrounder()
    stream = make_stream(grounder)
    with pytest.raises(NoImageError):
        stream.request(["red"]).result(PATIENCE)
    given = stream.request(["red"], frame("mine")).result(PATIENCE)
    assert given.frame.context == "mine"
    stream.submit(frame("camera"), wanted=False)
    assert stream.request(["red"]).result(PATIENCE).frame.context == "camera"
    assert stream.request(["blue"]).result(PATIENCE).groundings[0].found is False
    assert grounder.encoded == 2  # the second question on the camera's frame reuses its features
    assert stream.counters == Counters(received=1, unwanted=1, requests=3, requests_failed=1)


@pytest.mark.parametrize(
    ("instruction", "image", "error"),
    [
        ("", red_square, InvalidInstructionError),
        ("red", lambda: None, FrameError),
        ("explode", red_square, RuntimeError),
    ],
)
def test_a_bad_request_gets_its_own_error(make_stream, instruction, image, error):
    with pytest.raises(error):
        make_stream(ColorGrounder()).request([instruction], Frame(image)).result(PATIENCE)


def test_a_cancelled_request_is_skipped(make_stream):
    grounder = GatedGrounder()
    stream = make_stream(grounder)
    first = stream.request(["red"], frame())
    assert grounder.begun.wait(PATIENCE)
    second = stream.request(["red"], frame())
    assert second.cancel()
    third = stream.request(["red"], frame())
    grounder.gate.set()
    assert first.result(PATIENCE).groundings
    assert third.result(PATIENCE).groundings
    with pytest.raises(CancelledError):
        second.result(PATIENCE)
    assert grounder.encoded == 2


def test_the_newest_frame_wins_also_while_a_request_is_answered(make_stream, recorder):
    grounder = GatedGrounder()
    stream = make_stream(grounder)
    stream.set_instructions(["red"])
    stream.submit(frame(0))
    assert grounder.begun.wait(PATIENCE)

    def meanwhile():
        stream.submit(frame(2))
        return red_square()

    request = stream.request(["red"], Frame(meanwhile))
    stream.submit(frame(1))
    grounder.gate.set()
    assert request.result(PATIENCE)
    recorder.wait(2)
    assert [result.frame.context for result in recorder.results] == [0, 2]


def test_closing_answers_what_waits_and_what_the_model_does_not_finish(make_stream):
    grounder = GatedGrounder()
    stream = make_stream(grounder)
    at_work = stream.request(["red"], frame())
    assert grounder.begun.wait(PATIENCE)
    waiting = stream.request(["red"], frame())
    assert stream.close(timeout=0.05) is False  # the model is still at work
    for late in (at_work, waiting, stream.request(["red"], frame())):
        with pytest.raises(StreamClosedError):
            late.result(0)
    grounder.gate.set()
    assert stream.close() is True


def test_bad_instructions_change_nothing(make_stream):
    stream = make_stream(ColorGrounder())
    stream.set_instructions(["red"])
    with pytest.raises(InvalidInstructionError):
        stream.set_instructions(["blue", ""])
    assert stream.instructions == ("red",)
