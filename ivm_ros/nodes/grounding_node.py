"""The lifecycle node `grounding`: camera images and instructions in, grounded images out.

Configure loads the model and warms it up, activate subscribes and starts the worker, deactivate
stops both, cleanup gives the model's memory back. The work itself is `ivm_ros.stream`'s.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header, String

import ivm_ros
from ivm_ros.grounding import Grounder, InvalidInstructionError
from ivm_ros.messages import MessageError, check_color_image, decode_compressed, rgb_image
from ivm_ros.nodes.diagnostics import Diagnostics
from ivm_ros.nodes.grounding_parameters import (
    PARAMETERS,
    check_values,
    render_settings,
    split_instructions,
)
from ivm_ros.nodes.grounding_services import GroundingServices
from ivm_ros.nodes.lifecycle import refuse_wrong_transitions
from ivm_ros.nodes.outputs import Outputs, Source
from ivm_ros.nodes.parameters import Parameters
from ivm_ros.nodes.run import run_node
from ivm_ros.rendering import RenderSettings
from ivm_ros.stream import Counters, Frame, GroundedFrame, Stream

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

_WARM_UP_SIZE = (480, 640, 3)
_QUIET = SubscriptionEventCallbacks(use_default_callbacks=False)
"""For readers that are not meant to hear every writer: no warning about those that they do not."""


class GroundingNode(LifecycleNode):
    """Grounds instructions in a camera's images; `docs/grounding_node.md` lists its interface."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__("grounding", **node_options)
        refuse_wrong_transitions(self)
        self.parameters = Parameters(self, PARAMETERS, check_values, self._on_parameters)
        self.settings: RenderSettings = render_settings(self.parameters.values)
        self.instructions = split_instructions(self.parameters["instruction"])
        self.grounder: Grounder | None = None
        self.stream: Stream | None = None
        self.outputs: Outputs | None = None
        self._inputs: list[Any] = []
        self._hanging: Stream | None = None  # closed, but the model has not come back from its last frame
        self._counters_before = Counters()  # of streams that are closed already
        self._last_submitted = -math.inf
        self.last_received = -math.inf
        self.problem = ""  # the last one, for /diagnostics
        self.ages: deque[float] = deque(maxlen=300)
        self._camera_group = MutuallyExclusiveCallbackGroup()
        self._ground_services = GroundingServices(self)
        self._diagnostics = Diagnostics(self)
        if self.parameters["autostart"]:
            # Not on the node's clock: simulated time may stand still until a simulator runs.
            self._autostart = self.create_timer(
                0.0,
                self._start,
                callback_group=MutuallyExclusiveCallbackGroup(),
                clock=Clock(clock_type=ClockType.STEADY_TIME),
            )

    # -- lifecycle ---------------------------------------------------------------------------------

    def _start(self) -> None:
        """Configure and activate, once, from the executor so that services answer meanwhile."""
        self._autostart.cancel()
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, warm it up, make the publishers."""
        name, checkpoint = self.parameters["model"], self.parameters["checkpoint"]
        try:
            started = time.monotonic()
            self.grounder = ivm_ros.load(
                name, checkpoint=checkpoint or None, device=self.parameters["device"]
            )
            self.grounder(np.zeros(_WARM_UP_SIZE, np.uint8), "the red cup")
            self.outputs = Outputs(self)
        except Exception as error:  # whatever a checkpoint or a device can go wrong with
            self.report(f"cannot load model {name!r}: {error}")
            self._release_model()
            return TransitionCallbackReturn.FAILURE
        self.problem = ""
        self.get_logger().info(f"model {name!r} ready in {time.monotonic() - started:.1f} s")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        assert self.grounder is not None
        if self._hanging is not None and not self._hanging.close(timeout=0.0):
            self.report("the model still hangs in its last frame; clean up and configure to load it anew")
            return TransitionCallbackReturn.FAILURE
        self._hanging = None
        self.stream = Stream(self.grounder, self._on_result, self.report)
        self.stream.set_instructions(self.instructions)
        self._subscribe()
        if not self.instructions:
            self.get_logger().info("waiting for an instruction on the topic `instruction`")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop the worker; the model stays loaded."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the model and the publishers back."""
        self._release_model()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop from whatever state the node is in."""
        self._stop()
        self._release_model()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a transition that raised."""
        self._stop()
        self._release_model()
        return TransitionCallbackReturn.SUCCESS

    def _stop(self, patience: float = 5.0) -> None:
        for entity in self._inputs:
            self.destroy_subscription(entity)
        self._inputs.clear()
        if self.stream is not None:
            if not self.stream.close(patience):
                self.report(f"the model did not finish its last frame within {patience:g} s")
                self._hanging = self.stream
            self._counters_before = self.counters
            self.stream = None
        if self.outputs is not None:
            self.outputs.forget()

    def _release_model(self) -> None:
        if self.outputs is not None:
            self.outputs.destroy()
            self.outputs = None
        if self.grounder is not None and self._hanging is None:
            self.grounder.close()
        self.grounder = self._hanging = None  # what hangs keeps its model until it comes back

    def destroy_node(self) -> None:
        """Stop the worker before what it publishes to is gone."""
        self._stop(patience=2.0)  # who ends processes, such as ros2 launch, soon loses patience too
        self._release_model()
        super().destroy_node()

    # -- in ----------------------------------------------------------------------------------------

    def _subscribe(self) -> None:
        newest = QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability)
        overridable = QoSOverridingOptions.with_default_policies()
        image = self.resolve_topic_name("image")  # so that remapping `image` moves `image/compressed` too
        topic, kind, callback = {
            "raw": (image, ImageMessage, self._on_image),
            "compressed": (f"{image}/compressed", CompressedImage, self._on_compressed),
        }[self.parameters["image_transport"]]
        self._inputs.append(
            self.create_subscription(
                kind,
                topic,
                callback,
                newest,
                callback_group=self._camera_group,
                qos_overriding_options=overridable,
            )
        )
        # A transient-local reader hears what was said before it came, but DDS does not connect it to
        # volatile writers such as `ros2 topic pub`; so there is one reader for each.
        for durability in (DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE):
            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
            self._inputs.append(
                self.create_subscription(
                    String, "instruction", self._on_instruction, qos, event_callbacks=_QUIET
                )
            )

    def _on_image(self, message: ImageMessage) -> None:
        try:
            check_color_image(message)
        except MessageError as error:
            self._reject(error)
            return
        source = Source(message.header, message.encoding)
        self._submit(Frame(lambda: rgb_image(message), source))

    def _on_compressed(self, message: CompressedImage) -> None:
        self._submit(Frame(lambda: decode_compressed(message), Source(message.header, "rgb8")))

    def _submit(self, frame: Frame) -> None:
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

    def _reject(self, error: MessageError) -> None:
        self.last_received = time.monotonic()
        if self.stream is not None:
            self.stream.reject()
        self.report(f"frame dropped: {error}")

    def _on_instruction(self, message: String) -> None:
        try:
            self.set_instructions(split_instructions(message.data))
        except InvalidInstructionError as error:
            self.report(f"instruction refused: {error}")

    def set_instructions(self, instructions: tuple[str, ...]) -> None:
        """Ground these from the next frame on; none pauses."""
        if instructions == self.instructions:
            return
        self.instructions = instructions
        if self.stream is not None:
            self.stream.set_instructions(instructions)
        if self.outputs is not None:
            self.outputs.forget()
        self.get_logger().info(f"grounding {'; '.join(instructions) or 'nothing: no instruction'}")

    def _on_parameters(self, names: set[str], values: dict[str, Any]) -> None:
        self.settings = render_settings(values)
        if "instruction" in names:
            self.set_instructions(split_instructions(values["instruction"]))

    # -- out ---------------------------------------------------------------------------------------

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

    def age_of(self, header: Header) -> float:
        """Return the seconds since a stamp on this node's clock; NaN where the stamp is not set."""
        stamp = Time.from_msg(header.stamp, clock_type=self.get_clock().clock_type)
        if stamp.nanoseconds == 0:
            return math.nan
        return (self.get_clock().now() - stamp).nanoseconds * 1e-9

    @property
    def counters(self) -> Counters:
        """Return the counters of all streams since the node started."""
        return self._counters_before + self.stream.counters if self.stream else self._counters_before

    def report(self, problem: str) -> None:
        """Log a problem (at most once a second) and show it in /diagnostics."""
        if not self.context.ok():
            return  # the process ends: what fails now fails for that, and nobody is there to be told
        self.problem = problem
        self.get_logger().warning(problem, throttle_duration_sec=1.0)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted."""
    return run_node(GroundingNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
