"""Where a policy goes: it acts on the masked image, and only on a fresh one in which something was found.

python docs/examples/policy_node.py --ros-args -r grounding/masked_image:=/left/grounding/masked_image
"""

from contextlib import suppress

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import Image

from ivm_ros.messages import rgb_image
from ivm_ros.msg import Grounding

MAX_AGE = 0.2  # seconds between the camera's stamp and now


class PolicyNode(Node):
    """Waits for the masked image and the grounding of the same camera frame."""

    def __init__(self):
        super().__init__("policy")
        self.image = None
        self.create_subscription(Image, "grounding/masked_image", self.on_image, 1)
        self.create_subscription(Grounding, "grounding/grounding", self.on_grounding, 1)

    def on_image(self, image):
        """Keep the newest picture; it is published before the grounding of its frame."""
        self.image = image

    def on_grounding(self, grounding):
        """Act, or say why not."""
        age = (self.get_clock().now() - Time.from_msg(grounding.header.stamp)).nanoseconds * 1e-9
        if self.image is None or self.image.header != grounding.header:
            return  # of another frame
        if age > MAX_AGE:  # `grounding.age` is the age when it was published, without the way here
            self.get_logger().warning(f"too old: {age:.2f} s, {grounding.age:.2f} s of it before publication")
        elif not grounding.found:
            self.get_logger().warning(f"not found: {grounding.instruction}")
        else:
            image = rgb_image(self.image)  # (H, W, 3) uint8 RGB
            self.get_logger().info(f"acting on {image.shape}, {age:.3f} s old")
            # action = policy(image, proprioception)


rclpy.init()
with suppress(KeyboardInterrupt, ExternalShutdownException):
    rclpy.spin(PolicyNode())
