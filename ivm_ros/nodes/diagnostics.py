"""What the grounding node says of its own health on /diagnostics, once a second."""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from ivm_ros.frames import Counters
from ivm_ros.nodes.session import Session

_PERIOD = 1.0  # seconds; what aggregators expect


class Diagnostics:
    """Publishes a node's health in every lifecycle state, also when its model could not be loaded."""

    def __init__(self, node: Node, session: Session) -> None:
        self._node = node
        self._session = session
        self._before = Counters()
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        # Not on the node's clock: health is wanted also while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(
            _PERIOD, self._publish, callback_group=MutuallyExclusiveCallbackGroup(), clock=steady
        )

    def _publish(self) -> None:
        node, session = self._node, self._session
        counters = session.counters
        level, summary = self._judge(counters)
        values = {
            "model": session.parameters["model"],
            "device": session.parameters["device"],
            "instruction": "; ".join(session.instructions),
            **asdict(counters),
            "instructions_refused": session.refused,
            "groundings_per_second": f"{(counters.grounded - self._before.grounded) / _PERIOD:.1f}",
            "last_problem": session.problem,
        }
        ages = np.array(list(session.ages))  # a copy at once: the worker appends
        if ages.size:
            values["age_ms_p50"] = f"{1000 * np.percentile(ages, 50):.1f}"
            values["age_ms_p95"] = f"{1000 * np.percentile(ages, 95):.1f}"
        status = DiagnosticStatus(
            level=level,
            name=f"{node.get_fully_qualified_name().lstrip('/')}: grounding",
            message=summary,
            hardware_id=session.parameters["model"],
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = node.get_clock().now().to_msg()
        self._publisher.publish(array)
        self._before = counters

    def _judge(self, counters: Counters) -> tuple[bytes, str]:
        """Return level and summary: what is wrong now comes before what went wrong in the last second."""
        session, before = self._session, self._before
        if session.grounder is None:
            level = DiagnosticStatus.ERROR if session.problem else DiagnosticStatus.STALE
            return level, session.problem or "not configured"
        if session.stream is None:
            return DiagnosticStatus.STALE, "inactive"
        if counters.failed + counters.requests_failed > before.failed + before.requests_failed:
            return DiagnosticStatus.ERROR, session.problem
        if counters.invalid > before.invalid:
            return DiagnosticStatus.WARN, session.problem
        silence = time.monotonic() - session.last_received
        if silence > session.parameters["camera_timeout"]:
            since = f"for {silence:.0f} s" if np.isfinite(silence) else "yet"
            return DiagnosticStatus.WARN, f"no camera image {since}"
        if not session.instructions:
            return DiagnosticStatus.WARN, "no instruction"
        return DiagnosticStatus.OK, "grounding"
