"""The grounding node's output topics: each is made only when somebody listens to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.frames import GroundedFrame
from ivm_ros.grounding import Grounding, combine
from ivm_ros.messages import heatmap_message, mask_message, picture_message
from ivm_ros.msg import Grounding as GroundingMessage
from ivm_ros.nodes.detections import Detection2DArray, detections_message
from ivm_ros.nodes.grounding_message import grounding_messages
from ivm_ros.overlay import overlay
from ivm_ros.rendering import RenderSettings, render


class Source(NamedTuple):
    """Where a frame came from: what its outputs repeat."""

    header: Header
    encoding: str


class Answer(NamedTuple):
    """A grounded frame with what the messages about it need."""

    result: GroundedFrame
    combined: Grounding  # of all instructions
    shown: Grounding  # what pictures show: `combined`, or what is held when nothing was found
    source: Source
    settings: RenderSettings
    model: str
    age: float  # seconds from the source's stamp to now; NaN where the stamp is not set

    def masked_image(self) -> ImageMessage:
        """Return the picture that a policy gets."""
        picture = render(self.result.image, self.shown, self.settings)
        return picture_message(picture, self.source.encoding, self.source.header)

    def mask(self) -> ImageMessage:
        """Return the union of all targets, mono8."""
        return mask_message(self.combined.mask, self.source.header)

    def heatmap(self) -> ImageMessage:
        """Return the highest probability per pixel, 32FC1."""
        return heatmap_message(self.combined.heatmap, self.source.header)

    def overlay(self) -> ImageMessage:
        """Return the picture for people."""
        note = f"{self.model}  age {1000 * self.age:.0f} ms"
        return picture_message(
            overlay(self.result.image, self.result.groundings, note), self.source.encoding, self.source.header
        )

    def detections(self) -> Any:
        """Return the targets as vision_msgs/Detection2DArray."""
        return detections_message(self.result.groundings, self.source.header)


_SINGLE: dict[str, tuple[Any, Callable[[Answer], Any]]] = {
    "masked_image": (ImageMessage, Answer.masked_image),
    "mask": (ImageMessage, Answer.mask),
    "heatmap": (ImageMessage, Answer.heatmap),
    "overlay": (ImageMessage, Answer.overlay),
    **({"detections": (Detection2DArray, Answer.detections)} if Detection2DArray is not None else {}),
}
"""Topics with one message per frame. `grounding`, with one per instruction, is apart."""


class Outputs:
    """The publishers of one node, and the grounding that `hold` shows.

    Args:
        node: publishes under its own name (`~/`).
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        overridable = QoSOverridingOptions.with_default_policies()
        self._publishers = {
            topic: node.create_lifecycle_publisher(
                kind, f"~/{topic}", qos, qos_overriding_options=overridable
            )
            for topic, (kind, _) in _SINGLE.items()
        }
        # Several instructions make several messages a frame: the queue must hold them all.
        self._grounding = node.create_lifecycle_publisher(
            GroundingMessage,
            "~/grounding",
            QoSProfile(depth=32, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=overridable,
        )
        self._held: Grounding | None = None

    def wanted(self) -> bool:
        """Return whether anybody listens to any of the topics."""
        return any(
            publisher.get_subscription_count() for publisher in (*self._publishers.values(), self._grounding)
        )

    def shown(self, combined: Grounding, settings: RenderSettings) -> Grounding:
        """Return the grounding that pictures show under the not-found rule, and remember what was found."""
        if combined.found:
            self._held = combined
        elif settings.not_found == "hold" and self._held is not None and self._held.size == combined.size:
            return self._held
        return combined

    def forget(self) -> None:
        """Drop the grounding that `hold` shows: it belongs to other instructions or another stream."""
        self._held = None

    def publish(
        self,
        result: GroundedFrame,
        settings: RenderSettings,
        model: str,
        target_masks: bool,
        age_of: Callable[[Header], float],
    ) -> float:
        """Publish a grounded frame on the topics that have listeners; return its age in seconds."""
        started = time.monotonic()
        source: Source = result.frame.context
        combined = combine(result.groundings)
        answer = Answer(
            result=result,
            combined=combined,
            shown=self.shown(combined, settings),
            source=source,
            settings=settings,
            model=model,
            age=age_of(source.header),
        )
        for topic, (_, make) in _SINGLE.items():
            publisher = self._publishers[topic]
            if publisher.get_subscription_count():
                publisher.publish(make(answer))
        age = age_of(source.header)
        if self._grounding.get_subscription_count():
            for message in grounding_messages(
                result, source.header, model, target_masks, age, time.monotonic() - started
            ):
                self._grounding.publish(message)
        return age

    def destroy(self) -> None:
        """Give the publishers back."""
        for publisher in (*self._publishers.values(), self._grounding):
            self._node.destroy_lifecycle_publisher(publisher)
