"""A grounding node as usually written: copies as cv_bridge makes them, the whole frame blended in float32.

Run as a program: `python -m ivm_ros.nodes.measuring.plain FILE --ros-args ...`; it writes FILE when it ends.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.bench.plain_rendering import plain_highlight
from ivm_ros.msg import Grounding as GroundingMessage
from ivm_ros.msg import Target as TargetMessage
from ivm_ros.nodes.measuring.instant import fixed_grounding
from ivm_ros.nodes.measuring.stopwatch import Timed


def to_array(message: ImageMessage) -> np.ndarray:
    """Return an rgb8 Image as an array of its own."""
    pixels = np.frombuffer(bytes(message.data), np.uint8)
    return pixels.reshape(message.height, message.width, 3).copy()


def to_message(pixels: np.ndarray, encoding: str, header: Header) -> ImageMessage:
    """Return pixels as an Image, as cv_bridge's `cv2_to_imgmsg` does."""
    message = ImageMessage(header=header, encoding=encoding)
    message.height, message.width = pixels.shape[:2]
    message.step = pixels.strides[0]
    message.data.frombytes(pixels.tobytes())
    return message


class PlainNode(Timed, Node):
    """Does all in the image's callback."""

    def __init__(self) -> None:
        super().__init__("plain")
        grounding = fixed_grounding()
        self._heatmap, self._mask = grounding.heatmap, grounding.mask
        self._grounding = grounding
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._picture_topic = self.create_publisher(ImageMessage, "~/masked_image", newest)
        self._mask_topic = self.create_publisher(ImageMessage, "~/mask", newest)
        self._grounding_topic = self.create_publisher(GroundingMessage, "~/grounding", newest)
        self.create_subscription(ImageMessage, "image", self._on_image, newest)

    def _on_image(self, message: ImageMessage) -> None:
        image = to_array(message)
        picture = plain_highlight(image, self._heatmap)
        self._picture_topic.publish(to_message(picture, "rgb8", message.header))
        mask = (self._mask * 255).astype(np.uint8)
        self._mask_topic.publish(to_message(mask, "mono8", message.header))
        self._grounding_topic.publish(self._answer(message.header))

    def _answer(self, header: Header) -> GroundingMessage:
        grounding = self._grounding
        width, height = grounding.size
        answer = GroundingMessage(header=header, instruction=grounding.instruction, instruction_count=1)
        answer.image_width, answer.image_height = width, height
        answer.found, answer.existence = grounding.found, grounding.existence
        for target in grounding.targets:
            found = TargetMessage(score=target.score, label=target.label)
            found.x_min, found.y_min, found.x_max, found.y_max = target.box
            found.point_x, found.point_y = target.point
            answer.targets.append(found)
        return answer


def main() -> int:
    """Run the node until it is interrupted, then write its times."""
    rclpy.init()
    node = PlainNode()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.save(Path(sys.argv[1]))
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
