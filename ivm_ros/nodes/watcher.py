"""A node that watches the grounding node as a user would: counts, ages, masks, pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image as ImageMessage
from sensor_msgs.msg import TimeReference

from ivm_ros.grounding import Image
from ivm_ros.messages import image_view, rgb_image
from ivm_ros.msg import Grounding as GroundingMessage


class SeenGrounding(NamedTuple):
    """What is kept of one grounding."""

    stamp: int  # nanoseconds
    age: float  # seconds, at publication
    found: bool


class SeenMask(NamedTuple):
    """One mask, packed to bits; `unpack` gives it back."""

    stamp: int
    shape: tuple[int, int]
    bits: npt.NDArray[np.uint8]

    def unpack(self) -> npt.NDArray[np.bool_]:
        """Return the (H, W) bool mask."""
        height, width = self.shape
        return np.unpackbits(self.bits, count=height * width).reshape(self.shape).astype(bool)


class Seen(NamedTuple):
    """Everything that a watcher saw."""

    positions: dict[int, float]  # stamp in ns -> seconds into the recording
    groundings: list[SeenGrounding]
    masks: list[SeenMask]


class Watcher(Node):
    """Listens to a camera and a grounding node in its own namespace.

    Args:
        namespace: of both nodes.
        on_picture: called with the topic and every (H, W, 3) RGB overlay and masked image.
    """

    def __init__(self, namespace: str, on_picture: Callable[[str, Image], None]) -> None:
        super().__init__("watcher", namespace=namespace)
        self._lock = threading.Lock()
        self._on_picture = on_picture
        self._seen = Seen({}, [], [])
        many, few = QoSProfile(depth=100), QoSProfile(depth=5)
        self.create_subscription(TimeReference, "camera/position", self._on_position, many)
        self.create_subscription(GroundingMessage, "grounding/grounding", self._on_grounding, many)
        self.create_subscription(ImageMessage, "grounding/mask", self._on_mask, few)
        for topic in ("overlay", "masked_image"):
            self.create_subscription(
                ImageMessage,
                f"grounding/{topic}",
                partial(self._on_image, topic),
                few,
            )

    def _on_image(self, topic: str, message: ImageMessage) -> None:
        self._on_picture(topic, rgb_image(message))

    @property
    def started(self) -> bool:
        """Return whether a grounding has come since the last `clear`."""
        return bool(self._seen.groundings)

    def clear(self) -> None:
        """Forget everything: what came while things started does not count."""
        with self._lock:
            self._seen = Seen({}, [], [])

    def snapshot(self) -> Seen:
        """Return a copy of what was seen so far."""
        with self._lock:
            return Seen(dict(self._seen.positions), list(self._seen.groundings), list(self._seen.masks))

    def _on_position(self, message: TimeReference) -> None:
        with self._lock:
            self._seen.positions[_nanoseconds(message.header.stamp)] = _nanoseconds(message.time_ref) * 1e-9

    def _on_grounding(self, message: GroundingMessage) -> None:
        seen = SeenGrounding(_nanoseconds(message.header.stamp), message.age, message.found)
        with self._lock:
            self._seen.groundings.append(seen)

    def _on_mask(self, message: ImageMessage) -> None:
        mask = image_view(message)
        seen = SeenMask(_nanoseconds(message.header.stamp), mask.shape, np.packbits(mask > 0))
        with self._lock:
            self._seen.masks.append(seen)


def _nanoseconds(stamp: Time) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec
