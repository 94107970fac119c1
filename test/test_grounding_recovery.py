"""A model that fails: reported, given up, loaded anew or left, as the parameters say; never garbage."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from fakes import red_square
from managed import grounds, health, lead_to, set_to_work

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from sensor_msgs.msg import Image as ImageMessage

from ivm_ros.srv import Ground

REAL = "ivm_ros.nodes.grounding_node"


def feed(client, node):
    """Return what sends one frame to a node's camera."""
    image = f"{node.rpartition('/')[0]}/image"
    client.listen(f"{node}/mask", ImageMessage)
    return lambda: client.publish(image, client.image(red_square()))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("explode", "RuntimeError: boom"),
        ("hunger", "MemoryError: the image is too large"),
        ("nan", "ValueError: expected a heatmap in [0, 1] without NaN"),
        ("garbage", "ValueError: expected a Grounding of the model, got str"),
    ],
)
def test_a_failure_is_reported_and_nothing_is_published_of_it(client, start, words, reason):
    _, node = start(instruction=words)
    lead_to(client, node)
    values = health(client, node, lambda status, values: int(values["failed"]) > 5, feed(client, node))
    assert reason in values["last_problem"]
    assert values["level"] == "2"
    assert client.received(f"{node}/mask") == []
    assert client.state(node) == "active"
    assert client.set_parameter("instruction", "the red thing", node).successful
    assert max(grounds(client, node).data) == 255


def test_too_many_failures_in_a_row_deactivate_it(client, start):
    process, node = start(instruction="explode", on_failure="deactivate", failure_limit=3)
    lead_to(client, node)
    send = feed(client, node)
    client.until(lambda: client.state(node) == "inactive", "the inactive state", send)
    values = health(client, node, lambda status, values: status.message == "inactive")
    assert int(values["failed"]) >= 3
    assert "will deactivate" in process.log()
    assert client.set_parameter("instruction", "the red thing", node).successful
    assert client.change_state("activate", node)
    assert max(grounds(client, node).data) == 255


def test_too_many_failures_in_a_row_load_the_model_anew(client, start):
    process, node = start(instruction="explode", on_failure="reload", failure_limit=2)
    lead_to(client, node)
    health(client, node, lambda status, values: int(values["reloads"]) >= 1, feed(client, node))
    assert client.state(node) == "active"
    assert process.log().count("ready in") >= 2
    assert client.set_parameter("instruction", "the red thing", node).successful
    assert max(grounds(client, node).data) == 255


def test_failures_between_successes_are_not_too_many(client, start):
    _, node = start(instruction="the red thing", on_failure="deactivate", failure_limit=2)
    lead_to(client, node)
    for _ in range(3):
        answer = client.call(
            f"{node}/ground", Ground, instruction="explode", image=client.image(red_square())
        )
        assert answer.status == answer.MODEL_FAILED
        assert max(grounds(client, node).data) == 255
    assert client.state(node) == "active"


def test_a_call_that_takes_too_long_is_given_up(client, start):
    _, node = start(model_deadline=0.5, service_timeout=30.0)
    lead_to(client, node)
    answer = client.call(f"{node}/ground", Ground, instruction="hang", image=client.image(red_square()))
    assert answer.status == answer.MODEL_FAILED
    assert "has not come back" in answer.reason
    values = health(client, node, lambda status, values: status.level != b"\x00")
    assert values["level"] == "2" and "has not come back" in values["message"]


def test_a_model_that_hangs_is_left_and_another_one_loaded(client, start):
    _, node = start(instruction="hang", model_deadline=1.0, on_failure="reload")
    lead_to(client, node)
    set_to_work(client, node)
    assert client.set_parameter("instruction", "the red thing", node).successful
    health(client, node, lambda status, values: values["reloads"] == "1")
    assert max(grounds(client, node).data) == 255
    assert client.change_state("deactivate", node)
    assert client.change_state("activate", node)
    assert max(grounds(client, node).data) == 255


def test_a_model_in_a_process_of_its_own_may_be_killed(client, start):
    process, node = start(REAL, instruction="the red cup", model_python=sys.executable)
    lead_to(client, node)
    assert len(grounds(client, node).data) == 12 * 16
    values = health(client, node, lambda status, values: values["model_process"] == "ready")
    os.kill(int(values["model_process_id"]), signal.SIGKILL)
    health(
        client,
        node,
        lambda status, values: values["model_process"] == "ready" and values["model_process_restarts"] == "1",
        feed(client, node),
    )
    client.forget()
    assert len(grounds(client, node).data) == 12 * 16
    assert client.state(node) == "active"
    assert process.end() == 0


def test_a_python_that_is_not_there_is_named(client, start):
    _, node = start(REAL, model_python="/no/such/python")
    assert client.change_state("configure", node) is False
    assert "/no/such/python" in health(client, node)["message"]
