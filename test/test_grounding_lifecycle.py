"""The grounding node driven from outside: transitions, failures with their reason, and a calm end."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from fakes import red_square
from managed import FAKE, PATH_TO, grounds, health, set_to_work

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from ivm_ros.srv import Ground

REAL = "ivm_ros.nodes.grounding_node"


def test_a_manager_leads_it_through_all_states_again_and_again(client, start):
    _, node = start(instruction="the red thing")
    assert client.state(node) == "unconfigured"
    assert "not configured" in health(client, node)["message"]
    for _ in range(3):
        assert client.change_state("configure", node)
        assert client.state(node) == "inactive"
        for _ in range(2):
            assert client.change_state("activate", node)
            assert client.state(node) == "active"
            assert max(grounds(client, node).data) == 255
            assert client.change_state("deactivate", node)
            assert client.state(node) == "inactive"
        assert client.change_state("cleanup", node)
        assert client.state(node) == "unconfigured"
    assert client.change_state("configure", node)
    assert client.change_state("shutdown", node)
    assert client.state(node) == "finalized"
    counters = health(client, node)
    assert int(counters["grounded"]) >= 6  # those of all six activations


def test_an_inactive_node_takes_no_images(client, start):
    _, node = start(instruction="the red thing")
    assert client.change_state("configure", node)
    assert health(client, node)["message"] == "inactive"
    assert client.node.count_subscribers(f"{node.rpartition('/')[0]}/image") == 0


def test_transitions_that_are_not_there_are_refused_and_survived(client, start):
    process, node = start()
    for label in ("activate", "deactivate", "cleanup", "no such transition"):
        assert client.change_state(label, node) is False
    for number in (Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DESTROY, 0, 99):
        transition = Transition(id=number)
        assert client.call(f"{node}/change_state", ChangeState, transition=transition).success is False
    assert client.state(node) == "unconfigured"
    assert process.running
    assert re.search("transition refused|Unable to start transition", process.log())  # ours, or Kilted's own


@pytest.mark.parametrize(
    ("module", "parameters", "reason"),
    [
        (FAKE, {"model": "unloadable"}, "the weights are on another planet"),
        (FAKE, {"model": "cold"}, "out of memory at the first image"),
        (REAL, {"model": "no-such-model"}, "expected a model of"),
        (REAL, {"checkpoint": "/no/such/file.safetensors"}, "/no/such/file.safetensors"),
        (REAL, {"checkpoint": __file__}, "test_grounding_lifecycle.py"),
        (REAL, {"device": "abacus"}, "expected a device"),
    ],
    ids=[
        "unloadable",
        "no warm-up",
        "unknown model",
        "missing checkpoint",
        "corrupt checkpoint",
        "no device",
    ],
)
def test_configure_fails_with_the_reason(client, start, module, parameters, reason):
    process, node = start(module, **parameters)
    for _ in range(2):  # and may be tried again
        assert client.change_state("configure", node) is False
        assert client.state(node) == "unconfigured"
    values = health(client, node)
    assert reason in values["message"] and reason in values["last_problem"]
    assert values["level"] == "2"
    assert reason in process.log() and "Traceback" not in process.log()
    answer = client.call(f"{node}/ground", Ground, instruction="red", image=client.image(red_square()))
    assert answer.status == answer.INACTIVE


def test_a_model_that_cannot_load_leaves_an_autostarted_node_alive(client, start):
    process, node = start(model="unloadable", autostart=True)
    values = health(client, node, lambda status, values: values["last_problem"])
    assert "another planet" in values["message"]
    assert client.state(node) == "unconfigured"
    assert process.running


def test_it_starts_while_simulated_time_stands_still(client, start):
    _, node = start(autostart=True, use_sim_time=True)
    client.until(lambda: client.state(node) == "active", "the active state")
    assert health(client, node)["message"]


def test_it_finishes_the_frame_at_work_before_it_deactivates(client, start):
    _, node = start(instruction="slow red")
    for transition in PATH_TO["active"]:
        assert client.change_state(transition, node)
    set_to_work(client, node)
    before = health(client, node)
    assert client.change_state("deactivate", node)
    after = health(client, node, lambda status, values: status.message == "inactive")
    assert int(after["grounded"]) > int(before["grounded"])


def test_a_hanging_model_is_not_used_again_but_loaded_anew(client, start):
    _, node = start(instruction="hang")
    for transition in PATH_TO["active"]:
        assert client.change_state(transition, node)
    set_to_work(client, node)
    assert client.change_state("deactivate", node)
    assert "did not finish" in health(client, node)["last_problem"]
    assert client.change_state("activate", node) is False
    assert "still hangs" in health(client, node)["last_problem"]
    assert client.set_parameter("instruction", "the red thing", node).successful
    for transition in ("cleanup", "configure", "activate"):
        assert client.change_state(transition, node)
    assert max(grounds(client, node).data) == 255


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("state", PATH_TO)
def test_a_signal_ends_it_calmly_in_every_state(client, start, state, by):
    process, node = start(instruction="the red thing")
    for transition in PATH_TO[state]:
        assert client.change_state(transition, node)
    assert client.state(node) == state
    if state == "active":
        grounds(client, node)
    assert process.end(by) == 0
    assert not any(word in process.log() for word in ("Traceback", "rror", "WARN"))


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_calmly_while_the_model_works(client, start, by):
    process, node = start(instruction="slow red")
    for transition in PATH_TO["active"]:
        assert client.change_state(transition, node)
    set_to_work(client, node)
    assert process.end(by) == 0
    assert not any(word in process.log() for word in ("Traceback", "rror", "WARN"))


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_disturb_the_end(client, start, by):
    """Ctrl-C under `ros2 launch` comes twice, from the terminal and from launch."""
    process, node = start(instruction="slow red")
    for transition in PATH_TO["active"]:
        assert client.change_state(transition, node)
    set_to_work(client, node)
    process.send(by)
    time.sleep(0.3)  # into the wait for the frame at work, which takes longer
    assert process.end(by) == 0
    assert not any(word in process.log() for word in ("Traceback", "rror", "WARN"))


def test_a_signal_while_it_starts_ends_it_without_a_traceback(graph):
    """Whatever it is doing then; before ROS is up, Python's own answer to SIGTERM stands."""
    for delay in (0.8, 1.2, 1.6, 2.0, 2.6):
        process = graph.start("fake_grounding_node", {"model": "color"})
        time.sleep(delay)
        assert process.end(signal.SIGTERM) in (0, -signal.SIGTERM)
        assert "Traceback" not in process.log()


def test_a_signal_ends_it_while_a_caller_waits_for_a_hanging_model(client, start):
    process, node = start()
    for transition in PATH_TO["active"]:
        assert client.change_state(transition, node)
    image = client.image(red_square())
    answer = client.call(f"{node}/ground", Ground, instruction="hang", image=image, timeout=0.1)
    assert answer.status == answer.TIMEOUT  # the model hangs, and the next caller waits for it
    client.call_async(f"{node}/ground", Ground, instruction="red", image=image, timeout=600.0)
    assert process.end() == 0
    assert "Traceback" not in process.log()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"display.threshold": 1.5}, "display.threshold out of range Min: 0.0, Max: 1.0, value: 1.5"),
        ({"display.threshold": "high"}, "display.threshold"),
        ({"display.mode": "sparkle"}, "display.mode: expected one of highlight"),
        ({"display.fill": "plaid"}, "plaid"),
        ({"display.dilate_kernel": 0}, "display.dilate_kernel"),
        ({"image_transport": "pigeon"}, "image_transport: expected one of raw, compressed"),
        ({"max_rate": float("nan")}, "max_rate"),
        ({"instruction": "?!"}, "expected an instruction in words"),
        ({"instruction": 5}, "instruction"),
        ({"autostart": "perhaps"}, "autostart"),
        ({"cores": "99999"}, "expected numbers of cores"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_bad_parameter_at_the_start_is_one_clear_line(client, start, parameters, reason):
    process, _ = start(**parameters)
    client.until(lambda: not process.running, "the end of the process")
    assert process.end() == 2
    (line,) = process.log().strip().splitlines()
    assert line.startswith("cannot start: ") and reason in line


@pytest.mark.parametrize(("given", "expected"), [({"display.threshold": 1}, 1.0), ({"max_rate": 5}, 5.0)])
def test_a_whole_number_does_for_a_float(client, start, given, expected):
    _, node = start(**given)
    ((name, _),) = given.items()
    assert client.parameter(name, node) == expected


def allowed(thread: int) -> set[int]:
    """Return the cores that a thread may run on; none where it has ended."""
    try:
        return os.sched_getaffinity(thread)
    except ProcessLookupError:
        return set()


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two cores",
)
def test_a_node_keeps_to_a_core_said_as_ros_reads_it(client, start):
    core = max(os.sched_getaffinity(0))
    process, node = start(cores=core, autostart=True)
    client.until(lambda: client.state(node) == "active", "the start")
    threads = [int(thread.name) for thread in Path(f"/proc/{process.pid}/task").iterdir()]
    assert {frozenset(allowed(thread)) for thread in threads} - {frozenset()} == {frozenset([core])}
