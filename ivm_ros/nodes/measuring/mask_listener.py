"""A node that only listens to a mask, and notes how old each is when it comes.

Run as a program: `python -m ivm_ros.nodes.measuring.mask_listener FILE --ros-args ...`; it writes FILE when
it is interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image as ImageMessage

from ivm_ros.nodes.measuring.stopwatch import stamp_of
from ivm_ros.nodes.run import run_node


class MaskListener(Node):
    """Listens to `mask`, and to nothing else: the grounding node then makes nothing else.

    Args:
        path: is touched, with ".first" at its end, when the first mask has come.
    """

    def __init__(self, path: Path) -> None:
        super().__init__("mask_listener")
        self._path = path
        self._seen: list[tuple[int, int]] = []
        self.create_subscription(ImageMessage, "mask", self._on_mask, QoSProfile(depth=5))

    def _on_mask(self, message: ImageMessage) -> None:
        if not self._seen:
            self._path.with_name(f"{self._path.name}.first").touch()
        self._seen.append((self.get_clock().now().nanoseconds, stamp_of(message)))

    def save(self) -> None:
        """Write an archive: `came` and `stamps`, (N,) int64 nanoseconds, of each mask and of its picture."""
        seen = np.array(self._seen, np.int64).reshape(-1, 2)
        np.savez(self._path, came=seen[:, 0], stamps=seen[:, 1])


def main() -> int:
    """Listen until interrupted, then write what was seen."""
    nodes: list[MaskListener] = []

    def make() -> MaskListener:
        nodes.append(MaskListener(Path(sys.argv[1])))
        return nodes[0]

    status = run_node(make)
    for node in nodes:
        node.save()
    return status


if __name__ == "__main__":
    sys.exit(main())
