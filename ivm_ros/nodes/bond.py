"""The node's end of the bond by which a lifecycle manager, such as Nav2's, knows that it is alive."""

from __future__ import annotations

import time
import uuid
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile

from ivm_ros.nodes.bond_states import BondState, BondStates

try:
    from bond.msg import Status
except ImportError:  # it is not among PyPI's wheels; then nothing here does anything
    Status = None

HEARTBEAT_PERIOD = 0.25
"""Seconds between two heartbeats; as Nav2's own nodes have it."""

HEARTBEAT_TIMEOUT = 4.0
"""Seconds of silence that end a bond; said to the other end, whose own parameter counts."""

_LAST_WORDS = Duration(nanoseconds=100_000_000)  # for the goodbye to arrive


class Bond:
    """A bond under the node's name on the topic `bond` of its namespace, from `start` to `stop`.

    Does nothing where the package `bond`, which has the message, is not installed: no topic, no timer.

    Args:
        node: speaks, listens and logs; its name is the bond's id.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._states: BondStates | None = None
        self._instance = ""
        self._group = MutuallyExclusiveCallbackGroup()
        self._publisher: Any = None  # once made it stays, like the rest: see `_open`

    @property
    def formed(self) -> bool:
        """Return whether a manager holds the other end."""
        return self._states is not None and self._states.state is BondState.FORMED

    def start(self) -> None:
        """Offer a bond; called at activation. One that is there already ends first."""
        if Status is None:
            return
        self.stop()
        if self._publisher is None:
            self._open()
        self._instance = str(uuid.uuid4())
        self._states = BondStates(time.monotonic)
        self._say(active=True)

    def stop(self) -> None:
        """Say goodbye; called at deactivation, shutdown and the node's end, in whatever state the bond is.

        Where ROS has ended already, as after SIGINT, nothing can be said: the manager misses heartbeats.
        """
        states, self._states = self._states, None
        if states is not None and states.leave() and self._node.context.ok():
            self._say(active=False)
            self._publisher.wait_for_all_acked(_LAST_WORDS)

    def _open(self) -> None:
        """Make what speaks and listens, for as long as the node lives.

        An executor that waits on another thread dies of a publisher or subscription that is destroyed
        just then (rclpy guards all but their events).
        """
        node, group = self._node, self._group
        self._publisher = node.create_publisher(Status, "bond", QoSProfile(depth=5))
        node.create_subscription(Status, "bond", self._on_status, QoSProfile(depth=100), callback_group=group)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # the node's own may stand still in a simulation
        node.create_timer(HEARTBEAT_PERIOD, self._on_timer, callback_group=group, clock=steady)

    def _on_timer(self) -> None:
        states = self._states
        if states is not None and states.beats():
            self._say(active=True)

    def _on_status(self, message: Any) -> None:
        states = self._states
        if states is None or message.id != self._node.get_name() or message.instance_id == self._instance:
            return  # of another node, or our own
        before = states.state
        answer = states.hear(message.active)
        if states.state is not before:
            words = "holds a bond" if states.state is BondState.FORMED else "has let go of its bond"
            self._node.get_logger().info(f"a lifecycle manager {words} with this node")
        if answer:
            self._say(active=False)

    def _say(self, active: bool) -> None:
        message = Status(id=self._node.get_name(), instance_id=self._instance, active=active)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.heartbeat_timeout, message.heartbeat_period = HEARTBEAT_TIMEOUT, HEARTBEAT_PERIOD
        self._publisher.publish(message)
