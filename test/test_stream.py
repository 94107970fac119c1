"""The stream: newest frame wins, nothing is lost uncounted, and nothing that fails stops it."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from dataclasses import replace

import numpy as np
import pytest
from fakes import ColorGrounder, red_square

from ivm_ros.frames import Counters, Frame, FrameError
from ivm_ros.grounding import InvalidInstructionError
from ivm_ros.model_worker import ModelStuckError, ModelWorker
from ivm_ros.one_shots import ClosedError, NoImageError
from ivm_ros.stream import Stream
from ivm_ros.tracking.tracker import Carried, Tracker

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
    made = []

    def make(grounder, tracker=None):
        worker = ModelWorker(grounder)
        stream = Stream(worker, recorder.result, recorder.problem, tracker)
        made.append((worker, stream))
        make.worker = worker
        return stream

    yield make
    for worker, stream in made:
        stream.close()
        assert worker.close()


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
    wait_for(lambda: stream.counters == Counters(received=1, grounded=1, published=1))


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
    wait_for(lambda: stream.counters == Counters(received=4, grounded=2, published=2, dropped=2))


def test_no_instruction_and_no_listener_mean_no_work(make_stream):
    grounder = ColorGrounder()
    stream = make_stream(grounder)
    stream.submit(frame())
    stream.set_instructions(["red"])
    stream.submit(frame(), wanted=False)
    assert stream.counters == Counters(received=2, unwanted=2)
    assert stream.one_shots.request(["red"]).result(PATIENCE).groundings[0].found  # the newest one was kept
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
    wait_for(lambda: stream.counters == Counters(received=4, grounded=1, published=1, invalid=2, failed=1))


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
        stream.one_shots.request(["red"], frame()).result(PATIENCE)
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

    worker = ModelWorker(ColorGrounder())
    stream = Stream(worker, publish, recorder.problem)
    try:
        stream.set_instructions(["red"])
        stream.submit(frame())
        recorder.wait(1)
        stream.submit(frame())
        wait_for(lambda: stream.counters == Counters(received=2, grounded=1, published=1, failed=1))
    finally:
        stream.close()
        worker.close()


def test_requests_are_answered_between_frames(make_stream):
    grounder = ColorGrounder()
    stream = make_stream(grounder)
    with pytest.raises(NoImageError):
        stream.one_shots.request(["red"]).result(PATIENCE)
    given = stream.one_shots.request(["red"], frame("mine")).result(PATIENCE)
    assert given.frame.context == "mine"
    stream.submit(frame("camera"), wanted=False)
    assert stream.one_shots.request(["red"]).result(PATIENCE).frame.context == "camera"
    assert stream.one_shots.request(["blue"]).result(PATIENCE).groundings[0].found is False
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
        make_stream(ColorGrounder()).one_shots.request([instruction], Frame(image)).result(PATIENCE)


def test_a_cancelled_request_is_skipped(make_stream):
    grounder = GatedGrounder()
    stream = make_stream(grounder)
    first = stream.one_shots.request(["red"], frame())
    assert grounder.begun.wait(PATIENCE)
    second = stream.one_shots.request(["red"], frame())
    assert second.cancel()
    third = stream.one_shots.request(["red"], frame())
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

    request = stream.one_shots.request(["red"], Frame(meanwhile))
    stream.submit(frame(1))
    grounder.gate.set()
    assert request.result(PATIENCE)
    recorder.wait(2)
    assert [result.frame.context for result in recorder.results] == [0, 2]


def test_closing_answers_what_waits_and_what_the_model_does_not_finish(make_stream):
    grounder = GatedGrounder()
    stream = make_stream(grounder)
    at_work = stream.one_shots.request(["red"], frame())
    assert grounder.begun.wait(PATIENCE)
    waiting = stream.one_shots.request(["red"], frame())
    stream.submit(frame(), wanted=False)
    assert stream.close() is True  # no frame is at work
    assert make_stream.worker.close(timeout=0.05) is False  # but the model is
    for late in (at_work, waiting, stream.one_shots.request(["red"], frame())):
        with pytest.raises(ClosedError):
            late.result(0)
    grounder.gate.set()
    assert make_stream.worker.close() is True


def test_closing_finishes_the_frame_at_work(make_stream, recorder):
    grounder = GatedGrounder()
    stream = make_stream(grounder)
    stream.set_instructions(["red"])
    stream.submit(frame("at work"))
    assert grounder.begun.wait(PATIENCE)
    stream.submit(frame("waiting"))
    assert stream.close(timeout=0.05) is False
    stream.submit(frame("late"))
    grounder.gate.set()
    assert make_stream.worker.close()
    assert stream.counters == Counters(received=3, dropped=1, unwanted=1)


def test_bad_instructions_change_nothing(make_stream):
    stream = make_stream(ColorGrounder())
    stream.set_instructions(["red"])
    with pytest.raises(InvalidInstructionError):
        stream.set_instructions(["blue", ""])
    assert stream.instructions == ("red",)


def test_an_answer_to_other_words_is_kept_back(make_stream, recorder):
    grounder = GatedGrounder()
    stream = make_stream(grounder)
    stream.set_instructions(["red"])
    stream.submit(frame(0))
    assert grounder.begun.wait(PATIENCE)
    stream.submit(frame(1))
    stream.set_instructions(["blue"])
    grounder.gate.set()
    recorder.wait(1)
    (result,) = recorder.results
    assert (result.frame.context, result.groundings[0].instruction) == (1, "blue")
    wait_for(lambda: stream.counters == Counters(received=2, grounded=1, published=1, outdated=1))


def test_cameras_take_turns_with_one_model(recorder):
    grounder = GatedGrounder()
    worker = ModelWorker(grounder)
    streams = [Stream(worker, recorder.result, recorder.problem) for _ in range(3)]
    try:
        for stream in streams:
            stream.set_instructions(["red"])
        streams[0].submit(frame("first"))
        assert grounder.begun.wait(PATIENCE)
        for number in range(5):  # the first camera is much faster than the others
            streams[0].submit(frame(("fast", number)))
        for name, stream in zip("ab", streams[1:], strict=True):
            stream.submit(frame(name))
        grounder.gate.set()
        recorder.wait(4)
        assert {result.frame.context for result in recorder.results[1:3]} <= {("fast", 4), "a", "b"}
        assert {result.frame.context for result in recorder.results} == {"first", ("fast", 4), "a", "b"}
        wait_for(lambda: streams[0].counters == Counters(received=6, grounded=2, published=2, dropped=4))
    finally:
        for stream in streams:
            stream.close()
        worker.close()


class PastingTracker(Tracker):
    """Leaves everything where it was; loses it on a black frame."""

    def __init__(self):
        super().__init__()
        self.number, self.remembered, self.adopted, self.closed = 0, None, None, False

    def see(self, image):
        self.number += 1
        self.black = not image.any()
        return self.number

    def remember(self):
        self.remembered = self.number
        return self.number

    def adopt(self, number, groundings):
        if number != self.remembered:
            return False
        self.adopted = number, tuple(groundings)
        return True

    def carried(self):
        if self.adopted is None:
            return None
        number, groundings = self.adopted
        if self.black:
            groundings = tuple(replace(grounding, targets=()) for grounding in groundings)
        return Carried(
            groundings, tuple((1.0,) * len(g.targets) for g in groundings), int(self.black), number
        )

    def forget(self):
        self.adopted = self.remembered = None

    def close(self):
        self.closed = True


def test_a_late_answer_comes_out_on_the_newest_frame_and_on_those_after_it(make_stream, recorder):
    grounder, tracker = GatedGrounder(), PastingTracker()
    stream = make_stream(grounder, tracker)
    stream.set_instructions(["red"])
    stream.submit(frame(0))
    assert grounder.begun.wait(PATIENCE)
    for number in (1, 2):
        stream.submit(frame(number))
        wait_for(lambda number=number: tracker.number == number + 1)
    assert recorder.results == []  # nothing is known yet
    grounder.gate.set()
    recorder.wait(1)
    late = recorder.results[0]
    assert (late.frame.context, late.key.context, late.tracked) == (2, 0, True)
    assert late.timings.encoded > 0 and late.groundings[0].found
    stream.submit(frame(3))
    recorder.wait(2)
    assert recorder.results[1].frame.context == 3
    assert stream.close()
    wait_for(lambda: tracker.closed)
    counters = stream.counters
    assert (counters.received, counters.published, counters.early) == (4, 2, 2)


def test_an_unchanged_frame_is_not_grounded_again_and_again(make_stream, recorder):
    grounder = ColorGrounder()
    stream = make_stream(grounder, PastingTracker())
    stream.set_instructions(["red"])
    stream.submit(frame())
    recorder.wait(1)
    assert stream.close()
    assert grounder.encoded == 1


def test_a_failing_model_is_asked_once_a_frame(make_stream, recorder):
    grounder = ColorGrounder()
    stream = make_stream(grounder, PastingTracker())
    stream.set_instructions(["explode"])
    for number in range(1, 4):
        stream.submit(frame())
        recorder.wait(number)
    assert stream.close()
    assert (grounder.encoded, stream.counters.failed) == (3, 3)


def test_the_model_is_asked_at_once_when_a_target_is_lost(make_stream, recorder):
    grounder = ColorGrounder()
    stream = make_stream(grounder, PastingTracker())
    stream.grounding_rate = 1e-6
    stream.set_instructions(["red"])
    for count in (1, 2):
        stream.submit(frame())
        recorder.wait(count)
    assert grounder.encoded == 1  # the next one is due in days
    black = np.zeros((12, 16, 3), np.uint8)
    stream.submit(Frame(lambda: black))
    recorder.wait(3)
    lost = recorder.results[2]
    assert (lost.lost, lost.groundings[0].found) == (1, False)
    wait_for(lambda: grounder.encoded == 2)
    assert stream.counters.lost == 1


def test_other_words_and_other_times_are_not_tracked_on(make_stream, recorder):
    grounder = GatedGrounder()
    grounder.gate.set()
    stream = make_stream(grounder, PastingTracker())
    stream.set_instructions(["red"])
    stream.submit(frame("before"))
    recorder.wait(1)
    for change in (lambda: stream.set_instructions(["blue"]), stream.restart):
        wait_for(lambda: stream.counters.grounded)
        grounder.gate.clear()
        change()
        stream.submit(frame("between"))
        wait_for(lambda: stream._newest is None or stream._waiting is None)
        known = len(recorder.results)
        grounder.gate.set()
        recorder.wait(known + 1)
        assert recorder.results[known].key.context == "between"
    assert stream.counters.restarts == 1


def test_a_tracker_that_raises_forgets_and_the_stream_goes_on(make_stream, recorder):
    tracker = PastingTracker()
    stream = make_stream(ColorGrounder(), tracker)
    stream.set_instructions(["red"])
    stream.submit(frame())
    recorder.wait(1)
    tracker.see = lambda image: 1 / 0
    stream.submit(frame())
    recorder.wait(2)
    assert "ZeroDivisionError" in recorder.problems[0]
    assert tracker.adopted is None
    del tracker.see
    stream.submit(frame())
    recorder.wait(3)
    assert len(recorder.results) == 2


def test_a_call_that_takes_too_long_is_given_up(recorder):
    grounder, errors = GatedGrounder(), []
    worker = ModelWorker(grounder, lambda error, in_a_row: errors.append((type(error), in_a_row)))
    stream = Stream(worker, recorder.result, recorder.problem)
    try:
        stream.set_instructions(["red"])
        stream.submit(frame())
        assert grounder.begun.wait(PATIENCE)
        worker.check(deadline=1000.0)
        assert not errors and not worker.stuck
        for _ in range(2):
            worker.check(deadline=0.0)
        assert errors == [(ModelStuckError, 1)] and worker.stuck
        recorder.wait(1)
        assert "has not come back" in recorder.problems[0]
        grounder.gate.set()  # it comes back after all
        stream.submit(frame("next"))
        recorder.wait(2)
        assert recorder.results[0].frame.context == "next" and not worker.stuck
    finally:
        stream.close()
        worker.close()


def test_a_call_that_can_be_interrupted_comes_back_with_its_own_error(recorder):
    class Interruptible(GatedGrounder):
        def interrupt(self):
            self.interrupted = True
            self.gate.set()
            return True

        def ground(self, features, instruction):
            if getattr(self, "interrupted", False):
                raise RuntimeError("interrupted")
            return super().ground(features, instruction)

    grounder = Interruptible()
    worker = ModelWorker(grounder)
    stream = Stream(worker, recorder.result, recorder.problem)
    try:
        stream.set_instructions(["red"])
        stream.submit(frame())
        assert grounder.begun.wait(PATIENCE)
        worker.check(deadline=0.0)
        recorder.wait(1)
        assert "interrupted" in recorder.problems[0]
        wait_for(lambda: stream.counters == Counters(received=1, failed=1))
    finally:
        stream.close()
        worker.close()
