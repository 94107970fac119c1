"""Listeners for the soak: `python -m soak_listeners NODE`, until its input is closed.

It always hears NODE/mask. An order on its input, {"hear": [topics]}, has it hear these as well instead of
those of the order before. After each order, and every tenth of a second, it prints {"answered": masks so far,
"newest": latest stamp in ns, "orders": carried out}. All is made and destroyed on the one thread that spins.

Messages are taken as bytes. Where publishers come and go too, Fast DDS 2.14 has been seen to offer one that
cannot be decoded, again and again within one `take`, which then never returns and keeps the interpreter.
"""

from __future__ import annotations

import json
import queue
import struct
import sys
import threading
import time
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from ivm_ros.msg import Grounding

TELL = 0.1  # seconds between two lines
QUEUE = QoSProfile(depth=5)
STAMP = struct.Struct("<4siI")  # how a message with a header begins: encapsulation, seconds, nanoseconds


def kind_of(topic: str) -> Any:
    """Return the message type of one of the node's topics."""
    if topic == "grounding":
        return Grounding
    return CompressedImage if topic.endswith("compressed") else Image


def main(target: str) -> int:
    """Listen until the input is closed."""
    orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            orders.put(line)
        orders.put(None)

    threading.Thread(target=read, daemon=True).start()
    rclpy.init()
    node = rclpy.create_node("soak_listeners")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    seen = {"answered": 0, "newest": 0, "orders": 0}
    others: list[Any] = []

    def on_mask(message: bytes) -> None:
        if len(message) < STAMP.size:
            return
        _, sec, nanosec = STAMP.unpack_from(message)
        seen["answered"] += 1
        seen["newest"] = max(seen["newest"], sec * 1_000_000_000 + nanosec)

    node.create_subscription(Image, f"{target}/mask", on_mask, QUEUE, raw=True)
    told = 0.0
    while True:
        executor.spin_once(timeout_sec=TELL / 2)
        while not orders.empty():
            order = orders.get()
            if order is None:
                print(json.dumps(seen), flush=True)
                executor.shutdown()
                node.destroy_node()
                rclpy.shutdown()
                return 0
            while others:
                node.destroy_subscription(others.pop())
            for topic in json.loads(order)["hear"]:
                others.append(
                    node.create_subscription(
                        kind_of(topic), f"{target}/{topic}", lambda message: None, QUEUE, raw=True
                    )
                )
            seen["orders"] += 1
            told = 0.0
        if time.monotonic() - told > TELL:
            print(json.dumps(seen), flush=True)
            told = time.monotonic()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
