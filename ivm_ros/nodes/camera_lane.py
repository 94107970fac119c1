"""One camera of the grounding node: its frames and instructions in, its answers out."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import astuple, replace
from typing import Any, Protocol

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header, String

from ivm_ros.frames import Counters, Frame, GroundedFrame
from ivm_ros.grounding import InvalidInstructionError
from ivm_ros.messages import (
    MessageError,
    check_color_image,
    decode_compressed,
    rgb_image,
    stamp_seconds,
)
from ivm_ros.model_worker import ModelWorker
from ivm_ros.nodes.grounding_parameters import split_instructions
from ivm_ros.nodes.outputs import Outputs, Source, Style
from ivm_ros.nodes.parameters import Parameters
from ivm_ros.stream import Stream
from ivm_ros.tracing import Trace
from ivm_ros.tracking.tracker import Tracker

STAGES = ("received", "waited", "decoded", "encoded", "grounded", "tracked", "rendered", "published")
"""Where the time of a frame goes, in the order of `StageTimes`."""

StageTimes = tuple[float, ...]
_JUMP_BACK = 0.5  # seconds; less may be two publishers that are not in step


class Host(Protocol):
    """What the cameras of a node share.

    Attributes:
        parameters: of the node.
        trace: of all stages.
    """

    parameters: Parameters
    trace: Trace

    @property
    def style(self) -> Style:
        """How the outputs look."""

    @property
    def model_name(self) -> str:
        """The model's name."""

    def report(self, problem: str) -> None:
        """Log a problem and keep it for /diagnostics."""

    def age_of(self, header: Header) -> float:
        """Return the seconds since a stamp; NaN where it is not set."""


class CameraLane:
    """What one camera has of its own: instructions, stream, topics, and what is known of their health.

    Args:
        node: publishes, tells the time and logs.
        host: what the cameras share.
        name: of the camera; empty where it is the only one.
        instructions: to begin with; they outlive stream and outputs.

    Attributes:
        outputs: None until they are opened.
        stream: None until it is started.
        ages: of the last published groundings, seconds.
        times: of their stages, seconds.
        refused: how many instructions from the topic were unusable.
        last_received: `time.monotonic()` of the last frame; -inf before the first.
    """

    def __init__(self, node: LifecycleNode, host: Host, name: str, instructions: tuple[str, ...]) -> None:
        self.name = name
        self.instructions = instructions
        self.outputs: Outputs | None = None
        self.stream: Stream | None = None
        self.ages: deque[float] = deque(maxlen=300)
        self.times: deque[StageTimes] = deque(maxlen=300)
        self.refused = 0
        self.last_received = -math.inf
        self._node, self._host = node, host
        self._tracker: Tracker | None = None
        self._last_submitted = self._last_stamp = -math.inf
        self._heard = True  # somebody listened to the last frame
        self._counters_before = Counters()  # of streams that are closed already

    @property
    def counters(self) -> Counters:
        """Return the counters of all streams since the node started."""
        return self._counters_before + self.stream.counters if self.stream else self._counters_before

    def open(self) -> None:
        """Make the publishers."""
        self.outputs = Outputs(self._node, self.name, self._host.trace)

    def start(self, worker: ModelWorker, tracker: Tracker | None) -> None:
        """Start the stream."""
        self._tracker = tracker
        stream = Stream(
            worker,
            self._on_result,
            self._host.report,
            tracker,
            self._host.trace,
            self.name or "camera",
        )
        stream.set_instructions(self.instructions)
        self.stream = stream
        self.tune()

    def tune(self) -> None:
        """Let the stream follow the parameters that may change while it runs."""
        if self.stream is not None:
            self.stream.grounding_rate = self._host.parameters["grounding_rate"]
        if self._tracker is not None:
            self._tracker.lost_rule = self._host.parameters["tracking.lost"]

    def stop(self, patience: float) -> None:
        """Stop the stream, waiting at most `patience` seconds for the frame at work."""
        stream = self.stream
        if stream is not None:
            if not stream.close(patience):
                self._host.report(f"the model did not finish its last frame within {patience:g} s")
            self._counters_before = self.counters
            self.stream = self._tracker = None
        if self.outputs is not None:
            self.outputs.forget()

    def close(self) -> None:
        """Give the publishers back."""
        if self.outputs is not None:
            self.outputs.destroy()
            self.outputs = None

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
        self._node.get_logger().info(f"{self.name}: grounding {words}" if self.name else f"grounding {words}")

    def on_image(self, message: ImageMessage) -> None:
        """Take a raw image from the topic."""
        try:
            check_color_image(message)
        except MessageError as error:
            self._reject(str(error))
        else:
            self._submit(lambda: rgb_image(message), message.header, message.encoding)

    def on_compressed(self, message: CompressedImage) -> None:
        """Take a compressed image from the topic."""
        self._submit(lambda: decode_compressed(message), message.header, "rgb8")

    def on_instruction(self, message: String) -> None:
        """Take instructions from the topic."""
        try:
            self.set_instructions(split_instructions(message.data))
        except InvalidInstructionError as error:
            self.refused += 1
            self._host.report(f"instruction refused: {error}")

    def _submit(self, decode: Any, header: Header, encoding: str) -> None:
        """Hand a frame to the stream; it is grounded if somebody listens and the rate allows it."""
        frame = Frame(decode, Source(header, encoding, self._host.age_of(header)))
        self.last_received = frame.received
        stream, outputs = self.stream, self.outputs
        if stream is None or outputs is None:  # the model is being loaded anew
            self._counters_before = replace(
                self._counters_before,
                received=self._counters_before.received + 1,
                unwanted=self._counters_before.unwanted + 1,
            )
            return
        heard = outputs.wanted()
        self._watch_time(stream, header, heard)
        rate = self._host.parameters["max_rate"]
        # A tenth of a period early is on time: cameras jitter.
        due = rate == 0 or frame.received - self._last_submitted >= 0.9 / rate
        if due and heard:
            self._last_submitted = frame.received
        stream.submit(frame, due and heard)

    def _watch_time(self, stream: Stream, header: Header, heard: bool) -> None:
        """Begin anew where the stamps go back, as when a bag loops, or nobody has listened for a while."""
        stamp = stamp_seconds(header.stamp)
        back = 0 < stamp < self._last_stamp - _JUMP_BACK
        if back or (heard and not self._heard):
            stream.restart()
            if self.outputs is not None:
                self.outputs.forget()
            if back:
                self._node.get_logger().info(f"stamps went back by {self._last_stamp - stamp:.1f} s: anew")
        self._last_stamp, self._heard = stamp or self._last_stamp, heard

    def _reject(self, reason: str) -> None:
        """Count and report a message that is no usable frame."""
        self.last_received = time.monotonic()
        if self.stream is not None:
            self.stream.reject()
        self._host.report(f"frame dropped: {reason}")

    def _on_result(self, result: GroundedFrame) -> None:
        """Publish; on the stream's thread, while the node is active."""
        outputs = self.outputs
        if outputs is None:
            return
        style, model = self._host.style, self._host.model_name
        published = outputs.publish(result, style, model, self._host.age_of)
        if math.isfinite(published.age):
            self.ages.append(published.age)
        self.times.append(
            (
                result.frame.context.delay,
                *astuple(result.timings),
                published.rendered,
                published.published,
            )
        )
