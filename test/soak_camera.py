"""A camera for the soak: `python -m soak_camera TOPIC WIDTH HEIGHT RATE`, until its input is closed.

Every half second it prints {"sent": frames, "seconds": since the first}. It makes its pictures once; a frame
costs a stamp and a publish. It does not catch up: a frame that is late moves those after it.
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import Any

import cv2
import numpy as np
import rclpy
from fakes import red_square
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from ivm_ros.messages import compressed_picture_message, image_message

PICTURES = 16
TELL = 0.5  # seconds between two lines


def good_frame(topic: str, size: tuple[int, int], header: Header, step: int = 0) -> Any:
    """Return a frame for `topic`: a red square, which wanders with `step`, in a picture of `size`."""
    picture = cv2.resize(red_square(), size, interpolation=cv2.INTER_NEAREST)
    picture = np.roll(picture, min(step, PICTURES - step), axis=1)
    make = compressed_picture_message if topic.endswith("compressed") else image_message
    return make(picture, "rgb8", header)


def main(topic: str, width: str, height: str, rate: str) -> int:
    """Publish until the input is closed."""
    rclpy.init()
    node = rclpy.create_node("soak_camera")
    size, period = (int(width), int(height)), 1.0 / float(rate)
    frames = [good_frame(topic, size, Header(frame_id="camera"), step) for step in range(PICTURES)]
    publisher = node.create_publisher(type(frames[0]), topic, QoSProfile(depth=1))
    clock, sent, told = node.get_clock(), 0, 0.0
    begun = due = time.monotonic()

    def tell() -> None:
        print(json.dumps({"sent": sent, "seconds": time.monotonic() - begun}), flush=True)

    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        frame = frames[sent % PICTURES]
        frame.header.stamp = clock.now().to_msg()
        publisher.publish(frame)
        sent += 1
        due = max(due + period, time.monotonic())
        if time.monotonic() - told > TELL:
            tell()
            told = time.monotonic()
    tell()
    node.destroy_node()
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
