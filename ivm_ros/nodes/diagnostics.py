"""What the grounding node says of its own health on /diagnostics, once a second."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType

from ivm_ros.stream import Counters

if TYPE_CHECKING:
    from ivm_ros.nodes.grounding_node import GroundingNode

_PERIOD = 1.0  # seconds; what aggregators expect


class Diagnostics:
    """Publishes a node's health in every lifecycle state, also when its model could not be loaded."""

    def __init__(self, node: GroundingNode) -> None:
        self._node = node
        self._before = Counters()
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        # Not on the node's clock: health is wanted also while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(
            _PERIOD, self._publish, callback_group=MutuallyExclusiveCallbackGroup(), clock=steady
        )

    def _publish(self) -> None:
        node = self._node
        counters = node.counters
        level, summary = self._judge(counters)
        values = {
            "model": node.parameters["model"],
            "device": node.parameters["device"],
            "instruction": "; ".join(node.instructions),
            **asdict(counters),
            "groundings_per_second": f"{(counters.grounded - self._before.grounded) / _PERIOD:.1f}",
            "last_problem": node.problem,
        }
        ages = np.array(node.ages)
        if ages.size:
            values["age_ms_p50"] = f"{1000 * np.percentile(ages, 50):.1f}"
            values["age_ms_p95"] = f"{1000 * np.percentile(ages, 95):.1f}"
        status = DiagnosticStatus(
            level=level,
            name=f"{node.get_fully_qualified_name().lstrip('/')}: grounding",
            message=summary,
            hardware_id=node.parameters["model"],
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = node.get_clock().now().to_msg()
        self._publisher.publish(array)
        self._before = counters

    def _judge(self, counters: Counters) -> tuple[bytes, str]:
        """Return level and summary: what is wrong now comes before what went wrong in the last second."""
        node, before = self._node, self._before
        if node.grounder is None:
            level = DiagnosticStatus.ERROR if node.problem else DiagnosticStatus.STALE
            return level, node.problem or "not configured"
        if node.stream is None:
            return DiagnosticStatus.STALE, "inactive"
        if counters.failed + counters.requests_failed > before.failed + before.requests_failed:
            return DiagnosticStatus.ERROR, node.problem
        if counters.invalid > before.invalid:
            return DiagnosticStatus.WARN, node.problem
        silence = time.monotonic() - node.last_received
        if silence > node.parameters["camera_timeout"]:
            since = f"for {silence:.0f} s" if np.isfinite(silence) else "yet"
            return DiagnosticStatus.WARN, f"no camera image {since}"
        if not node.instructions:
            return DiagnosticStatus.WARN, "no instruction"
        return DiagnosticStatus.OK, "grounding"
