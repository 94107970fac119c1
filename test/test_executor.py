"""The nodes' executor: what is destroyed while it looks at it does not end the process."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's Python packages")

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.waitable import NumberOfEntities, Waitable
from ros_client import PATIENCE

from ivm_ros.nodes.executor import CalmExecutor


class Vanishing(Waitable):
    """The events of a subscription that is destroyed between being gathered and being waited for."""

    def __init__(self, times):
        super().__init__(ReentrantCallbackGroup())
        self.times = times

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def get_num_entities(self):
        return NumberOfEntities()

    def is_ready(self, wait_set):
        return False

    def take_data(self):
        return None

    async def execute(self, taken):
        raise AssertionError("it is never ready")

    def add_to_wait_set(self, wait_set):
        if self.times:
            self.times -= 1
            raise rclpy_implementation.InvalidHandle("destruction was requested")


@pytest.fixture
def node():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("tested", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def spin(executor, node, times):
    """Return how often a timer was called; things vanish `times` times before it can be."""
    called = []
    node.create_timer(0.001, lambda: called.append(1))
    node.add_waitable(Vanishing(times))
    executor.add_node(node)
    try:
        while not called:
            executor.spin_once(timeout_sec=5.0)
    finally:
        executor.shutdown()
    return len(called)


@pytest.mark.parametrize("times", [0, 1, 7])
def test_it_looks_again(node, times):
    assert spin(CalmExecutor(num_threads=2, context=node.context), node, times)


def test_what_stays_broken_is_not_hidden(node):
    with pytest.raises(rclpy_implementation.InvalidHandle):
        spin(CalmExecutor(num_threads=2, context=node.context), node, 10**6)


def test_a_node_outlives_many_activations(graph):
    """Each destroys what the executor may be looking at just then; rclpy's own ended after 155 of them."""
    pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    node = graph.start("fake_grounding_node", {"model": "color", "autostart": False})
    client = graph.client

    def change(number):
        """As `client.change_state`, without its pauses."""
        answered = threading.Event()
        transition = Transition(id=number)
        future = client.call_async("/grounding/change_state", ChangeState, transition=transition)
        future.add_done_callback(lambda _: answered.set())
        return answered.wait(PATIENCE) and future.result().success

    assert change(Transition.TRANSITION_CONFIGURE)
    for _ in range(300):
        assert change(Transition.TRANSITION_ACTIVATE) and change(Transition.TRANSITION_DEACTIVATE)
    assert node.running and client.state() == "inactive"
