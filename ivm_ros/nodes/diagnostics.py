"""What the grounding node says of its own health on /diagnostics, once a second."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from ivm_ros.frames import Counters
from ivm_ros.nodes.camera_lane import STAGES, CameraLane
from ivm_ros.nodes.memory import memory
from ivm_ros.nodes.session import Session

_PERIOD = 1.0  # seconds; what aggregators expect


class Diagnostics:
    """Publishes a node's health in every lifecycle state, also when its model could not be loaded."""

    def __init__(self, node: Node, session: Session) -> None:
        self._node = node
        self._session = session
        self._before = dict.fromkeys(session.cameras, Counters())
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        # Not on the node's clock: health is wanted also while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(
            _PERIOD, self._publish, callback_group=MutuallyExclusiveCallbackGroup(), clock=steady
        )

    def _publish(self) -> None:
        """Publish one status for each camera."""
        array = DiagnosticArray(status=[self._status(lane) for lane in self._session.cameras.values()])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _status(self, lane: CameraLane) -> DiagnosticStatus:
        session, counters = self._session, lane.counters
        level, summary = self._judge(lane, counters)
        before, self._before[lane.name] = self._before[lane.name], counters
        values: dict[str, Any] = {
            "model": session.parameters["model"],
            "device": session.parameters["device"],
            "tracker": session.parameters["tracker"],
            "instruction": "; ".join(lane.instructions),
            **asdict(counters),
            "instructions_refused": lane.refused,
            "reloads": session.recovery.reloads,
            **session.model_health(),
            "groundings_per_second": f"{(counters.grounded - before.grounded) / _PERIOD:.1f}",
            "frames_per_second": f"{(counters.published - before.published) / _PERIOD:.1f}",
            **_memory(),
            "last_problem": session.problem,
            **_percentiles("age", list(lane.ages)),
        }
        times = list(lane.times)  # copies at once: the streams go on
        for stage, seconds in zip(STAGES, zip(*times, strict=True), strict=False):
            values |= _percentiles(stage, seconds)
        name = f"{self._node.get_fully_qualified_name().lstrip('/')}: grounding"
        return DiagnosticStatus(
            level=level,
            name=f"{name} {lane.name}" if lane.name else name,
            message=summary,
            hardware_id=session.parameters["model"],
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )

    def _judge(self, lane: CameraLane, counters: Counters) -> tuple[bytes, str]:
        """Return level and summary: what is wrong now comes before what went wrong in the last second."""
        session, before = self._session, self._before[lane.name]
        if session.recovery.acting:
            return DiagnosticStatus.ERROR, session.problem or "recovering from failures of the model"
        if session.grounder is None:
            level = DiagnosticStatus.ERROR if session.problem else DiagnosticStatus.STALE
            return level, session.problem or "not configured"
        if not session.running:
            return DiagnosticStatus.STALE, "inactive"
        if session.stuck or counters.failed + counters.requests_failed > (
            before.failed + before.requests_failed
        ):
            return DiagnosticStatus.ERROR, session.problem
        if counters.invalid > before.invalid:
            return DiagnosticStatus.WARN, session.problem
        silence = time.monotonic() - lane.last_received
        if silence > session.parameters["camera_timeout"]:
            since = f"for {silence:.0f} s" if np.isfinite(silence) else "yet"
            return DiagnosticStatus.WARN, f"no camera image {since}"
        if not lane.instructions:
            return DiagnosticStatus.WARN, "no instruction"
        return DiagnosticStatus.OK, "grounding"


def _memory() -> dict[str, str]:
    found = memory()
    return (
        {}
        if found is None
        else {f"memory_{name}_mb": f"{n / 1e6:.1f}" for name, n in found._asdict().items()}
    )


def _percentiles(name: str, seconds: Any) -> dict[str, str]:
    """Return median and 95th percentile in ms, of those that are numbers; nothing where there are none."""
    known = np.asarray(seconds, np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return {}
    return {f"{name}_ms_p{share}": f"{1000 * np.percentile(known, share):.1f}" for share in (50, 95)}
