"""A camera and the listener of both nodes: publishes frames in turns and times the answers.

Run as a program: `python -m ivm_ros.nodes.measuring.camera FILE FRAMES NODE...`. It writes FILE, an archive
of `grey_levels`, by how much the nodes' pictures of one frame differ, and for each node `NODE_frames`, (N,)
numbers of the frames that it answered, `NODE_stamps`, (N,) nanoseconds, and `NODE_seconds`, (N,) until the
last answer.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.clip import load_clip
from ivm_ros.messages import image_message, image_view
from ivm_ros.msg import Grounding as GroundingMessage
from ivm_ros.nodes.measuring.stopwatch import stamp_of

RATE = 15.0  # frames a second, to each node; the plain one may need most of the time between two frames
_WARM_UP = 15  # frames to each node that do not count: a second
_PATIENCE = 60.0  # seconds until both nodes have answered for the first time
_TOPICS = {"masked_image": ImageMessage, "mask": ImageMessage, "grounding": GroundingMessage}


class _Line:
    """One node as the camera sees it: what was sent to it, and what came back."""

    def __init__(self, node: Node, name: str) -> None:
        self.name = name
        self.newest: dict[str, Any] = {}
        self._node = node
        self._sent: dict[int, tuple[int, float]] = {}  # by stamp: number of the frame, and when
        self._answers: Counter[int] = Counter()
        self._taken: dict[int, float] = {}
        reliable = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self._publisher = node.create_publisher(ImageMessage, f"{name}/image", reliable)
        for topic, kind in _TOPICS.items():
            node.create_subscription(kind, f"{name}/{name}/{topic}", self._keeper(topic), reliable)

    def _keeper(self, topic: str) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            now, stamp = time.perf_counter(), stamp_of(message)
            self.newest[topic] = message
            self._answers[stamp] += 1
            if self._answers[stamp] == len(_TOPICS) and stamp in self._sent:
                self._taken[stamp] = now - self._sent[stamp][1]

        return keep

    def send(self, message: ImageMessage, number: int) -> None:
        """Publish a frame, stamped now."""
        message.header = Header(frame_id="camera", stamp=self._node.get_clock().now().to_msg())
        self._sent[stamp_of(message)] = number, time.perf_counter()
        self._publisher.publish(message)

    def forget(self) -> None:
        """Begin anew: what was sent so far does not count."""
        self._sent.clear()
        self._taken.clear()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is written of this node."""
        stamps = list(self._taken)
        return {
            f"{self.name}_frames": np.array([self._sent[stamp][0] for stamp in stamps], np.int64),
            f"{self.name}_stamps": np.array(stamps, np.int64),
            f"{self.name}_seconds": np.array([self._taken[stamp] for stamp in stamps]),
        }


def measure(lines: list[_Line], frames: int) -> float:
    """Send each node `frames` frames, in turns, each a slot of time of its own.

    Returns:
        By how much the nodes' pictures of one frame differ in grey levels; infinity where their masks do.
    """
    messages = [image_message(picture, "rgb8", Header()) for picture in islice(load_clip().frames(), 8)]
    _wait(lines, messages[0])
    difference = _difference(lines)
    slot = 1.0 / (RATE * len(lines))
    due = time.perf_counter()
    for index in range(_WARM_UP + frames):
        if index == _WARM_UP:
            for line in lines:
                line.forget()
        for line in lines:
            time.sleep(max(0.0, due - time.perf_counter()))
            line.send(messages[index % len(messages)], index)
            due += slot
    time.sleep(0.5)  # the last answers
    return difference


def _wait(lines: list[_Line], message: ImageMessage) -> None:
    """Send a frame again and again until every node has answered."""
    deadline = time.monotonic() + _PATIENCE
    while silent := [line.name for line in lines if len(line.newest) < len(_TOPICS)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected answers of {', '.join(silent)} within {_PATIENCE:g} s, got none")
        for line in lines:
            line.send(message, 0)
        time.sleep(0.1)


def _difference(lines: list[_Line]) -> float:
    pictures = [image_view(line.newest["masked_image"]).astype(np.int16) for line in lines]
    masks = [image_view(line.newest["mask"]) for line in lines]
    if not all(np.array_equal(masks[0], mask) for mask in masks):
        return float("inf")
    return float(max(np.abs(pictures[0] - picture).max() for picture in pictures))


def main() -> int:
    """Measure, and write what was found."""
    path, frames, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    rclpy.init()
    node = rclpy.create_node("camera")
    lines = [_Line(node, name) for name in names]
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    listener = threading.Thread(target=spin, daemon=True)
    listener.start()
    try:
        grey_levels = measure(lines, frames)
    except TimeoutError as error:
        print(error, file=sys.stderr)
        return 1
    arrays = {name: array for line in lines for name, array in line.arrays().items()}
    np.savez(path, grey_levels=np.array(grey_levels), **arrays)  # type: ignore[arg-type]
    executor.shutdown()
    listener.join(5.0)
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
