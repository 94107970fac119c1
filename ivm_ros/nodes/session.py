"""What the grounding node, its services and its diagnostics share: model, stream, outputs, health."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

import ivm_ros
from ivm_ros.frames import Counters, Frame, GroundedFrame
from ivm_ros.grounding import Grounder
from ivm_ros.messages import stamp_seconds
from ivm_ros.models.options import parse_options
from ivm_ros.nodes.grounding_parameters import (
    PARAMETERS,
    check_values,
    render_settings,
    split_instructions,
)
from ivm_ros.nodes.outputs import Outputs
from ivm_ros.nodes.parameters import Parameters
from ivm_ros.rendering import RenderSettings
from ivm_ros.stream import Stream

_WARM_UP_SIZE = (480, 640, 3)


class ModelHangsError(RuntimeError):
    """The model has not come back from a frame of an earlier activation."""


class Session:
    """One grounding node's model and stream, from `load` to `release`, and what it says of itself.

    `load` makes grounder and outputs, `start` the stream; `stop` and `release` take them back, from
    whatever state.

    Args:
        node: has the parameters, publishes, tells the time and logs.

    Attributes:
        parameters: of the node, checked.
        settings: of the pictures, as the parameters say.
        instructions: what is grounded; they outlive model and stream.
        grounder: None until loaded.
        outputs: None until loaded.
        stream: None until started.
        problem: the last one, in words; empty when a model has loaded since.
        refused: how many instructions from the topic were unusable.
        ages: of the last published groundings, seconds.
        last_received: `time.monotonic()` of the last frame; -inf before the first.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self.parameters = Parameters(node, PARAMETERS, check_values, self._on_parameters)
        self.settings: RenderSettings = render_settings(self.parameters.values)
        self.instructions = split_instructions(self.parameters["instruction"])
        self.grounder: Grounder | None = None
        self.outputs: Outputs | None = None
        self.stream: Stream | None = None
        self.problem = ""
        self.refused = 0
        self.ages: deque[float] = deque(maxlen=300)
        self.last_received = -math.inf
        self._last_submitted = -math.inf
        self._hanging: Stream | None = None  # closed, but the model has not come back from its last frame
        self._counters_before = Counters()  # of streams that are closed already

    def load(self) -> None:
        """Load the model, warm it up, make the publishers.

        Raises:
            Exception: whatever a checkpoint or a device can go wrong with; nothing is held then.
        """
        started = time.monotonic()
        name, checkpoint = self.parameters["model"], self.parameters["checkpoint"]
        self._node.get_logger().info(
            f"loading model {name!r}" + (f" from {checkpoint}" if checkpoint else "")
        )
        try:
            self.grounder = ivm_ros.load(
                name,
                checkpoint=checkpoint or None,
                device=self.parameters["device"],
                **parse_options(self.parameters["model_options"].split()),
            )
            self.grounder(np.zeros(_WARM_UP_SIZE, np.uint8), "the red cup")
            self.outputs = Outputs(self._node)
        except Exception:
            self.release()
            raise
        self.problem = ""
        self._node.get_logger().info(f"model {name!r} ready in {time.monotonic() - started:.1f} s")

    def start(self) -> None:
        """Start the worker.

        Raises:
            ModelHangsError: an earlier worker still waits for the model.
        """
        assert self.grounder is not None
        if self._hanging is not None and not self._hanging.close(timeout=0.0):
            raise ModelHangsError(
                "the model still hangs in its last frame; clean up and configure to load it anew"
            )
        self._hanging = None
        self.stream = Stream(self.grounder, self._on_result, self.report)
        self.stream.set_instructions(self.instructions)
        if not self.instructions:
            self._node.get_logger().info("waiting for an instruction on the topic `instruction`")

    def stop(self, patience: float = 5.0) -> None:
        """Stop the worker, waiting at most `patience` seconds for it; the model stays loaded."""
        if self.stream is not None:
            if not self.stream.close(patience):
                self.report(f"the model did not finish its last frame within {patience:g} s")
                self._hanging = self.stream
            self._counters_before = self.counters
            self.stream = None
        if self.outputs is not None:
            self.outputs.forget()

    def release(self) -> None:
        """Give the model and the publishers back."""
        if self.outputs is not None:
            self.outputs.destroy()
            self.outputs = None
        if self.grounder is not None and self._hanging is None:
            self.grounder.close()
        self.grounder = self._hanging = None  # what hangs keeps its model until it comes back

    def submit(self, frame: Frame) -> None:
        """Hand a frame to the stream; it is grounded if somebody listens and the rate allows it."""
        self.last_received = frame.received
        if self.stream is None or self.outputs is None:
            return
        rate = self.parameters["max_rate"]
        # A tenth of a period early is on time: cameras jitter.
        due = rate == 0 or frame.received - self._last_submitted >= 0.9 / rate
        wanted = due and self.outputs.wanted()
        if wanted:
            self._last_submitted = frame.received
        self.stream.submit(frame, wanted)

    def reject_frame(self, reason: str) -> None:
        """Count and report a message that is no usable frame."""
        self.last_received = time.monotonic()
        if self.stream is not None:
            self.stream.reject()
        self.report(f"frame dropped: {reason}")

    def reject_instruction(self, reason: str) -> None:
        """Count and report a message that is no usable instruction."""
        self.refused += 1
        self.report(f"instruction refused: {reason}")

    def set_instructions(self, instructions: tuple[str, ...]) -> None:
        """Ground these from the next frame on; none pauses."""
        if instructions == self.instructions:
            return
        self.instructions = instructions
        if self.stream is not None:
            self.stream.set_instructions(instructions)
        if self.outputs is not None:
            self.outputs.forget()
        words = "; ".join(instructions) or "nothing: no instruction"
        self._node.get_logger().info(f"grounding {words}")

    def age_of(self, header: Header) -> float:
        """Return the seconds since a stamp on the node's clock; NaN where the stamp is not set."""
        stamp = stamp_seconds(header.stamp)  # rclpy's own Time refuses stamps before 1970
        return self._node.get_clock().now().nanoseconds * 1e-9 - stamp if stamp else math.nan

    @property
    def counters(self) -> Counters:
        """Return the counters of all streams since the node started."""
        return self._counters_before + self.stream.counters if self.stream else self._counters_before

    def report(self, problem: str) -> None:
        """Log a problem (at most once a second) and keep it for /diagnostics."""
        if not self._node.context.ok():
            return  # the process ends: what fails now fails for that, and nobody is there to be told
        self.problem = problem
        self._node.get_logger().warning(problem, throttle_duration_sec=1.0)

    def _on_parameters(self, names: set[str], values: dict[str, Any]) -> None:
        self.settings = render_settings(values)
        if "instruction" in names:
            self.set_instructions(split_instructions(values["instruction"]))

    def _on_result(self, result: GroundedFrame) -> None:
        """Publish; on the worker, while the node is active."""
        outputs, grounder = self.outputs, self.grounder
        if outputs is None or grounder is None:
            return
        age = outputs.publish(
            result, self.settings, grounder.name, self.parameters["publish_target_masks"], self.age_of
        )
        if math.isfinite(age):
            self.ages.append(age)
