"""One camera's output topics: each message is made only when somebody listens to its topic."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.frames import GroundedFrame
from ivm_ros.grounding import Grounding, Image, combine
from ivm_ros.messages import (
    compressed_mask_message,
    compressed_picture_message,
    heatmap_message,
    mask_message,
    picture_message,
)
from ivm_ros.msg import Grounding as GroundingMessage
from ivm_ros.nodes.detections import Detection2DArray, detections_message
from ivm_ros.nodes.grounding_message import About, grounding_messages
from ivm_ros.nodes.qos import OVERRIDABLE
from ivm_ros.overlay import overlay
from ivm_ros.rendering import RenderSettings, render
from ivm_ros.tracing import Trace


class Source(NamedTuple):
    """Where a frame came from: what its outputs repeat."""

    header: Header
    encoding: str
    delay: float = math.nan  # seconds from the stamp to the frame's arrival; NaN where the stamp is not set


class Style(NamedTuple):
    """How the parameters want the outputs."""

    settings: RenderSettings
    target_masks: bool  # whether each target carries its own mask
    quality: int  # of JPEG, 1 to 100


@dataclass(frozen=True, eq=False)
class Answer:
    """A grounded frame with what the messages about it need; what several of them need is made once."""

    result: GroundedFrame
    held: Grounding | None  # shown by the pictures when nothing was found, where the parameters want that
    style: Style
    model: str
    age: float  # seconds from the stamp to now; NaN where the stamp is not set
    grounded_age: float  # the same of the frame that the model saw

    @property
    def source(self) -> Source:
        """Where the frame came from."""
        source: Source = self.result.frame.context
        return source

    @cached_property
    def combined(self) -> Grounding:
        """The groundings of all instructions in one."""
        return combine(self.result.groundings)

    @cached_property
    def picture(self) -> Image:
        """What a policy gets."""
        shown = self.combined
        if not shown.found and self.held is not None and self.held.size == shown.size:
            shown = self.held
        return render(self.result.image, shown, self.style.settings)

    @cached_property
    def drawing(self) -> Image:
        """What people get."""
        note = f"{self.model}  age {1000 * self.age:.0f} ms"
        if self.result.tracked:
            note += f"  grounded {1000 * self.grounded_age:.0f} ms ago"
        return overlay(self.result.image, self.result.groundings, note)

    def masked_image(self) -> ImageMessage:
        """Return the picture for a policy."""
        return picture_message(self.picture, self.source.encoding, self.source.header)

    def masked_image_compressed(self) -> CompressedImage:
        """Return the picture for a policy, as JPEG, or as PNG where it has alpha."""
        return compressed_picture_message(
            self.picture, self.source.encoding, self.source.header, self.style.quality
        )

    def mask(self) -> ImageMessage:
        """Return the union of all targets, mono8."""
        return mask_message(self.combined.mask, self.source.header)

    def mask_compressed(self) -> CompressedImage:
        """Return the union of all targets, as PNG."""
        return compressed_mask_message(self.combined.mask, self.source.header)

    def heatmap(self) -> ImageMessage:
        """Return the highest probability per pixel, 32FC1."""
        return heatmap_message(self.combined.heatmap, self.source.header)

    def overlay(self) -> ImageMessage:
        """Return the picture for people."""
        return picture_message(self.drawing, self.source.encoding, self.source.header)

    def overlay_compressed(self) -> CompressedImage:
        """Return the picture for people, as JPEG."""
        return compressed_picture_message(
            self.drawing, self.source.encoding, self.source.header, self.style.quality
        )

    def detections(self) -> Any:
        """Return the targets as vision_msgs/Detection2DArray."""
        return detections_message(self.result.groundings, self.source.header)


_SINGLE: dict[str, tuple[Any, Callable[[Answer], Any]]] = {
    "masked_image": (ImageMessage, Answer.masked_image),
    "masked_image/compressed": (CompressedImage, Answer.masked_image_compressed),
    "mask": (ImageMessage, Answer.mask),
    "mask/compressed": (CompressedImage, Answer.mask_compressed),
    "heatmap": (ImageMessage, Answer.heatmap),
    "overlay": (ImageMessage, Answer.overlay),
    "overlay/compressed": (CompressedImage, Answer.overlay_compressed),
    **({"detections": (Detection2DArray, Answer.detections)} if Detection2DArray is not None else {}),
}
"""Topics with one message per frame. `grounding`, with one per instruction, is apart."""


class Published(NamedTuple):
    """Seconds that publishing a frame took, and how old it was then."""

    age: float  # NaN where the stamp is not set
    rendered: float
    published: float


class Outputs:
    """The publishers of one camera's answers, and the grounding that `hold` shows.

    Args:
        node: publishes under its own name (`~/`).
        camera: its topics stand below this; empty where it is the only one.
        trace: of what it does.
    """

    def __init__(self, node: LifecycleNode, camera: str, trace: Trace) -> None:
        self._node, self._camera, self._trace = node, camera, trace
        below = f"~/{camera}/" if camera else "~/"
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._publishers = {
            topic: node.create_lifecycle_publisher(
                kind, below + topic, qos, qos_overriding_options=OVERRIDABLE
            )
            for topic, (kind, _) in _SINGLE.items()
        }
        # Several instructions make several messages a frame: the queue must hold them all.
        self._grounding = node.create_lifecycle_publisher(
            GroundingMessage,
            below + "grounding",
            QoSProfile(depth=32, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=OVERRIDABLE,
        )
        self._held: Grounding | None = None

    def wanted(self) -> bool:
        """Return whether anybody listens to any of the topics."""
        return any(
            publisher.get_subscription_count() for publisher in (self._grounding, *self._publishers.values())
        )

    def forget(self) -> None:
        """Drop the grounding that `hold` shows: it belongs to other instructions or another stream."""
        self._held = None

    def publish(
        self, result: GroundedFrame, style: Style, model: str, age_of: Callable[[Header], float]
    ) -> Published:
        """Publish a grounded frame on the topics that have listeners.

        Args:
            result: the frame.
            style: of the outputs.
            model: its name.
            age_of: header -> seconds since its stamp.
        """
        row = self._camera or "camera"
        header = result.frame.context.header
        held = self._held if style.settings.not_found == "hold" else None
        answer = Answer(result, held, style, model, age_of(header), age_of(result.key.context.header))
        rendered = published = 0.0
        for topic, (_, make) in _SINGLE.items():
            publisher = self._publishers[topic]
            if not publisher.get_subscription_count():
                continue
            started = time.monotonic()
            message = make(answer)
            made = time.monotonic()
            publisher.publish(message)
            done = time.monotonic()
            self._trace.add(topic, row, started, made - started)
            self._trace.add("publish", row, made, done - made)
            rendered, published = rendered + made - started, published + done - made
        if style.settings.not_found == "hold" and answer.combined.found:
            self._held = answer.combined
        age = age_of(header)
        if self._grounding.get_subscription_count():
            with self._trace.span("grounding", row):
                about = About(model, self._camera, age, age_of(result.key.context.header))
                for message in grounding_messages(result, style.target_masks, about, rendered, published):
                    self._grounding.publish(message)
        return Published(age, rendered, published)

    def destroy(self) -> None:
        """Give the publishers back."""
        for publisher in (*self._publishers.values(), self._grounding):
            self._node.destroy_lifecycle_publisher(publisher)
