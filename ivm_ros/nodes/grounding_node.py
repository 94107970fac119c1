"""The lifecycle node `grounding`: camera images and instructions in, grounded images out.

Configure loads the model and warms it up, activate subscribes and starts the worker, deactivate
stops both, cleanup gives the model's memory back. What is between the transitions is `Session`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import String

import ivm_ros
from ivm_ros.nodes.bond import Bond
from ivm_ros.nodes.cores import keep_to_cores
from ivm_ros.nodes.diagnostics import Diagnostics
from ivm_ros.nodes.grounding_services import GroundingServices
from ivm_ros.nodes.lifecycle import refuse_wrong_transitions
from ivm_ros.nodes.qos import OVERRIDABLE
from ivm_ros.nodes.run import run_node
from ivm_ros.nodes.session import Load, ModelNotReadyError, Session

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

_CHECK_PERIOD = 0.25  # seconds between two looks at what the model is doing
_QUIET = SubscriptionEventCallbacks(use_default_callbacks=False)
"""For readers that are not meant to hear every writer: no warning about those that they do not."""


class GroundingNode(LifecycleNode):
    """Grounds instructions in cameras' images; `docs/grounding_node.md` lists its interface.

    Args:
        load: loads the model where it runs in this process.
        node_options: of rclpy's node.
    """

    def __init__(self, load: Load = ivm_ros.load, **node_options: Any) -> None:
        super().__init__("grounding", **node_options)
        refuse_wrong_transitions(self)
        self._session = Session(self, load)
        keep_to_cores(self._session.parameters["cores"])
        self._inputs: list[Any] = []
        self._bond = Bond(self)
        self._ground_services = GroundingServices(self, self._session)
        self._diagnostics = Diagnostics(self, self._session)
        # Not on the node's clock: simulated time may stand still until a simulator runs.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(
            _CHECK_PERIOD, self._session.check, callback_group=MutuallyExclusiveCallbackGroup(), clock=steady
        )
        if self._session.parameters["autostart"]:
            self._autostart = self.create_timer(
                0.0, self._start, callback_group=MutuallyExclusiveCallbackGroup(), clock=steady
            )

    def _start(self) -> None:
        """Configure and activate, once, from the executor so that services answer meanwhile."""
        self._autostart.cancel()
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, warm it up, make the publishers."""
        try:
            self._session.load()
        except Exception as error:  # whatever a checkpoint or a device can go wrong with
            self._session.report(f"cannot load model {self._session.parameters['model']!r}: {error}")
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        try:
            self._session.start()
        except ModelNotReadyError as error:
            self._session.report(str(error))
            return TransitionCallbackReturn.FAILURE
        self._subscribe()
        self._bond.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop the worker; the model stays loaded."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the model and the publishers back."""
        self._session.release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop from whatever state the node is in."""
        self._stop()
        self._session.release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a transition that raised."""
        self._stop()
        self._session.release()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Stop the worker before what it publishes to is gone."""
        if hasattr(self, "_inputs"):  # Kilted also destroys a node whose __init__ has refused a parameter
            self._stop(patience=2.0)  # who ends processes, such as ros2 launch, soon loses patience too
            self._session.release()
        super().destroy_node()

    def _stop(self, patience: float = 5.0) -> None:
        self._bond.stop()
        for entity in self._inputs:
            self.destroy_subscription(entity)
        self._inputs.clear()
        self._session.stop(patience)

    def _subscribe(self) -> None:
        newest = QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability)
        for lane in self._session.cameras.values():
            below = f"{lane.name}/" if lane.name else ""
            image = self.resolve_topic_name(f"{below}image")  # remapping `image` moves `image/compressed` too
            topic, kind, callback = {
                "raw": (image, ImageMessage, lane.on_image),
                "compressed": (f"{image}/compressed", CompressedImage, lane.on_compressed),
            }[self._session.parameters["image_transport"]]
            self._inputs.append(
                self.create_subscription(
                    kind,
                    topic,
                    callback,
                    newest,
                    callback_group=MutuallyExclusiveCallbackGroup(),
                    qos_overriding_options=OVERRIDABLE,
                )
            )
            if lane.name:
                self._hear(f"{below}instruction", lane.on_instruction)
        self._hear("instruction", self._on_instruction)

    def _hear(self, topic: str, callback: Callable[[String], None]) -> None:
        """Subscribe to instructions.

        A transient-local reader hears what was said before it came, but DDS does not connect it to
        volatile writers such as `ros2 topic pub`; so there is one reader for each.
        """
        for durability in (DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE):
            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
            self._inputs.append(
                self.create_subscription(String, topic, callback, qos, event_callbacks=_QUIET)
            )

    def _on_instruction(self, message: String) -> None:
        for lane in self._session.cameras.values():
            lane.on_instruction(message)


def main(args: list[str] | None = None, load: Load = ivm_ros.load) -> int:
    """Run the node until it is interrupted; `load` loads its model."""
    return run_node(lambda: GroundingNode(load), args)


if __name__ == "__main__":
    raise SystemExit(main())
