"""The nodes' executor: what is destroyed while it looks at it does not end the process."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's Python packages")

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.waitable import NumberOfEntities, Waitable
from ros_client import PATIENCE
from std_msgs.msg import Empty

from ivm_ros.nodes.executor import CalmExecutor

try:  # its home since Jazzy; Humble has the one below
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:
    from rclpy.qos_event import SubscriptionEventCallbacks


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


class Leaving(Vanishing):
    """An event of a subscription that is ready, and is destroyed before it is taken."""

    def __init__(self, node, subscription):
        super().__init__(times=0)
        self.node, self.subscription = node, subscription
        self.event = subscription.event_handlers[0]
        self.takes = 0

    def is_ready(self, wait_set):
        return not self.takes

    def take_data(self):
        self.takes += 1
        self.node.destroy_subscription(self.subscription)
        self.event._ready_to_take_data = True
        return self.event.take_data()

    async def execute(self, taken):
        assert taken is None  # what Humble hands on where nothing was taken


@pytest.fixture
def node():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("tested", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def spin(executor, node, waitable, until=lambda: True):
    """Return how often a timer was called, which it was once at least after `until` had come true."""
    called = []
    node.create_timer(0.001, lambda: called.append(until()))
    node.add_waitable(waitable)
    executor.add_node(node)
    try:
        while not any(called):
            executor.spin_once(timeout_sec=5.0)
    finally:
        executor.shutdown()
    return len(called)


@pytest.mark.parametrize("times", [0, 1, 7])
def test_it_looks_again(node, times):
    assert spin(CalmExecutor(num_threads=2, context=node.context), node, Vanishing(times))


def test_what_stays_broken_is_not_hidden(node):
    with pytest.raises(rclpy_implementation.InvalidHandle):
        spin(CalmExecutor(num_threads=2, context=node.context), node, Vanishing(10**6))


@pytest.fixture
def leaving(node):
    """An event of rclpy's own, which is destroyed when it is about to be taken."""
    subscription = node.create_subscription(
        Empty, "empty", lambda message: None, 1, event_callbacks=SubscriptionEventCallbacks(liveliness=print)
    )
    return Leaving(node, subscription)


def test_what_is_gone_before_it_is_taken_is_left_out(node, leaving):
    executor = CalmExecutor(num_threads=2, context=node.context)
    assert spin(executor, node, leaving, until=lambda: leaving.takes)


def test_without_it_that_ends_the_process(node, leaving):
    """If this fails, rclpy has learned it, and `_make_handler` can go."""
    executor = MultiThreadedExecutor(num_threads=2, context=node.context)
    with pytest.raises(rclpy_implementation.InvalidHandle):
        spin(executor, node, leaving, until=lambda: False)


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
