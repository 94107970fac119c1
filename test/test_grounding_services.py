"""The grounding node's services on a real graph: every status code, with its reason in words."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import red_square

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from fake_grounding_node import SLOW
from sensor_msgs.msg import Image as ImageMessage

from ivm_ros.messages import image_message, image_view
from ivm_ros.srv import Ground, SetInstruction

pytestmark = pytest.mark.usefixtures("grounding")
STATUS = Ground.Response


def ground(client, **fields):
    return client.call("/grounding/ground", Ground, **fields)


def set_instruction(client, *instructions):
    return client.call("/grounding/set_instruction", SetInstruction, instructions=list(instructions))


def test_there_is_no_image_before_the_camera_sends_one(client):  # the first test of this module's node
    answer = ground(client, instruction="the red thing")
    assert answer.status == STATUS.NO_IMAGE
    assert "camera image" in answer.reason


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_an_image_of_the_caller_is_grounded(client, encoding):
    pixels = red_square() if encoding == "rgb8" else red_square()[..., ::-1]
    image = client.image(pixels, encoding)
    answer = ground(client, instruction="the red thing", image=image)
    assert (answer.status, answer.reason) == (STATUS.SUCCESS, "1 found")
    assert answer.grounding.header == image.header
    assert answer.grounding.instruction == "the red thing"
    (target,) = answer.grounding.targets
    assert (target.x_min, target.y_min, target.x_max, target.y_max) == (3, 2, 7, 6)
    assert np.count_nonzero(image_view(answer.mask)) == 16
    assert (answer.masked_image.encoding, answer.masked_image.width) == (encoding, 16)


def test_an_image_without_a_stamp_has_no_age(client):
    image = client.image(red_square())
    image.header.stamp.sec = image.header.stamp.nanosec = 0
    answer = ground(client, instruction="red", image=image)
    assert answer.status == STATUS.SUCCESS
    assert np.isnan(answer.grounding.age)


def test_nothing_found_is_an_answer(client):
    answer = ground(client, instruction="the green thing", image=client.image(red_square()))
    assert (answer.status, answer.reason) == (STATUS.SUCCESS, "nothing matches")
    assert not answer.grounding.found and not answer.grounding.targets


def test_the_newest_image_of_the_camera_is_taken_where_none_is_given(client, say):
    frame = client.image(red_square())
    client.until(
        lambda: ground(client, instruction="red").grounding.header == frame.header,
        "the answer to that frame",
        meanwhile=lambda: client.publish("image", frame),
    )
    say("the red thing")
    answer = ground(client)  # neither image nor instruction
    assert (answer.status, answer.grounding.instruction) == (STATUS.SUCCESS, "the red thing")
    assert answer.grounding.found


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("", "expected an instruction"),
        (" .!? ", "in words"),
        ("x" * 1001, "at most 1000"),
    ],
    ids=["none", "no word", "too long"],
)
def test_a_bad_instruction_is_refused(client, instruction, reason):
    answer = ground(client, instruction=instruction, image=client.image(red_square()))
    assert answer.status == STATUS.INVALID_INSTRUCTION
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"encoding": "rgb9"}, "rgb9"),
        ({"encoding": "32FC1"}, "depth"),
        ({"step": 3}, "bytes of data"),
        ({"height": 0}, "sides of 1"),
        ({"width": 2**31}, "sides of 1"),
        ({"data": b""}, "bytes of data"),
        ({"data": b"\0" * 7}, "bytes of data"),
    ],
)
def test_a_bad_image_is_refused(client, change, reason):
    image = image_message(red_square(), "rgb8", client.header())
    for name, value in change.items():
        setattr(image, name, value)
    answer = ground(client, instruction="red", image=image)
    assert answer.status == STATUS.INVALID_IMAGE
    assert reason in answer.reason


@pytest.mark.parametrize("mood", ["explode", "garbage"])
def test_a_model_that_fails_is_named(client, mood):
    before = client.diagnostics()
    answer = ground(client, instruction=mood, image=client.image(red_square()))
    assert answer.status == STATUS.MODEL_FAILED
    assert answer.reason
    after = client.diagnostics(
        lambda status, values: int(values["requests_failed"]) > int(before["requests_failed"])
    )
    assert "grounding failed" in after["last_problem"]
    assert ground(client, instruction="red", image=client.image(red_square())).status == STATUS.SUCCESS


def test_a_slow_model_is_not_waited_for(client):
    answer = ground(client, instruction="slow red", image=client.image(red_square()), timeout=SLOW / 10)
    assert answer.status == STATUS.TIMEOUT
    assert "within" in answer.reason
    assert ground(client, instruction="slow red", image=client.image(red_square())).status == STATUS.SUCCESS


@pytest.mark.parametrize("timeout", [-1.0, float("nan"), float("inf")])
def test_a_strange_timeout_is_the_parameters(client, timeout):
    answer = ground(client, instruction="red", image=client.image(red_square()), timeout=timeout)
    assert answer.status == STATUS.SUCCESS


def test_any_number_of_waiting_callers_leave_the_other_callbacks_alone(client):
    assert client.state() == "active"
    fields = {"instruction": "slow red", "image": client.image(red_square())}
    waiting = [client.call_async("/grounding/ground", Ground, **fields) for _ in range(6)]
    assert [client.state() for _ in range(3)] == ["active"] * 3
    assert not any(answer.done() for answer in waiting)
    client.until(lambda: all(answer.done() for answer in waiting), "the answers")
    assert {answer.result().status for answer in waiting} == {STATUS.SUCCESS}


def test_instructions_are_set(client, say):
    say("before")
    answer = set_instruction(client, "the red thing", "  the blue   thing ")
    assert (answer.status, answer.reason) == (answer.SUCCESS, "grounding the red thing; the blue thing")
    values = client.diagnostics(lambda status, values: values["instruction"] != "before")
    assert values["instruction"] == "the red thing; the blue thing"
    answer = set_instruction(client)
    assert (answer.status, answer.reason) == (answer.SUCCESS, "paused: no instruction")


@pytest.mark.parametrize("bad", ["", "?!", "x" * 10_000])
def test_bad_instructions_change_nothing(client, say, bad):
    say("the red thing")
    answer = set_instruction(client, "the blue thing", bad)
    assert answer.status == answer.INVALID_INSTRUCTION
    assert "expected" in answer.reason
    assert client.diagnostics()["instruction"] == "the red thing"


def test_an_inactive_node_says_so(client):
    assert client.change_state("deactivate")
    try:
        answer = ground(client, instruction="red", image=client.image(red_square()))
        assert answer.status == STATUS.INACTIVE
        assert "activate" in answer.reason
        answer = set_instruction(client, "the blue thing")  # holds from the activation on
        assert answer.status == answer.SUCCESS
    finally:
        assert client.change_state("activate")
    client.listen("grounding/mask", ImageMessage)
    client.ask(lambda: client.image(red_square()), "grounding/mask", lambda message: max(message.data) == 0)
    set_instruction(client)
