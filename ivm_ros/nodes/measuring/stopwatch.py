"""How long each frame is inside a node: from its arrival in the callback to the last thing published."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sensor_msgs.msg import Image as ImageMessage


def stamp_of(message: Any) -> int:
    """Return the stamp of a message with a header, in nanoseconds."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


class Timed:
    """To be put before a node's class: times its images, without the node's knowing.

    The clock starts when rclpy calls the node with a message, after the middleware has handed it over, and
    stops when `publish` has returned for the last message with the image's stamp.
    """

    _started: dict[int, float]
    _ended: dict[int, float]

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Any, *args: Any, **options: Any
    ) -> Any:
        """Note when images arrive."""
        timed = self._noting_arrival(callback) if msg_type is ImageMessage else callback
        return super().create_subscription(msg_type, topic, timed, *args, **options)  # type: ignore[misc]

    def create_publisher(self, *args: Any, **options: Any) -> Any:
        """Note when messages have been published."""
        return self._noting_departure(super().create_publisher(*args, **options))  # type: ignore[misc]

    def create_lifecycle_publisher(self, *args: Any, **options: Any) -> Any:
        """Note when messages have been published."""
        return self._noting_departure(super().create_lifecycle_publisher(*args, **options))  # type: ignore[misc]

    def _noting_arrival(self, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        self._started, self._ended = {}, {}

        def timed(message: Any) -> None:
            self._started[stamp_of(message)] = time.perf_counter()
            callback(message)

        return timed

    def _noting_departure(self, publisher: Any) -> Any:
        publish = publisher.publish

        def timed(message: Any) -> None:
            publish(message)
            if hasattr(message, "header"):
                self._ended[stamp_of(message)] = time.perf_counter()

        publisher.publish = timed
        return publisher

    def save(self, path: Path) -> None:
        """Write an archive of all frames: `stamps`, (N,) int64 nanoseconds, and `seconds`, (N,) float64."""
        taken = {
            stamp: end - self._started[stamp] for stamp, end in self._ended.items() if stamp in self._started
        }
        np.savez(path, stamps=np.array(list(taken), np.int64), seconds=np.array(list(taken.values())))
