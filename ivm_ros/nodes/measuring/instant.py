"""The grounding node with a model that takes no time: what is left is the node's own cost.

Run as a program: `python -m ivm_ros.nodes.measuring.instant FILE --ros-args ...`; it writes FILE at its end.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ivm_ros.bench.plain_rendering import SETTINGS, target_heatmap
from ivm_ros.grounding import Grounder, Grounding, Image, Target
from ivm_ros.nodes.grounding_node import GroundingNode
from ivm_ros.nodes.measuring.stopwatch import Timed
from ivm_ros.nodes.run import run_node


def fixed_grounding(instruction: str = "the red cup") -> Grounding:
    """Return a grounding of 480x640 pixels with one target, of 8 % of them."""
    heatmap = target_heatmap((480, 640))
    target = Target.from_mask(heatmap > SETTINGS.threshold, score=0.9, label=instruction)
    return Grounding(instruction, heatmap, (target,), existence=0.95)


class InstantGrounder(Grounder):
    """Finds the same target in every image of 640x480 pixels."""

    name = "instant"

    def __init__(self) -> None:
        self._grounding = fixed_grounding()

    def encode(self, image: Image) -> None:
        """Look at nothing."""

    def ground(self, features: Any, instruction: str) -> Grounding:
        """Return what was prepared, whatever the words."""
        return self._grounding


class TimedGroundingNode(Timed, GroundingNode):
    """The grounding node, timed."""


def main() -> int:
    """Run the node until it is interrupted, then write its times."""
    nodes: list[TimedGroundingNode] = []

    def make() -> TimedGroundingNode:
        nodes.append(TimedGroundingNode(load=lambda *_, **__: InstantGrounder()))
        return nodes[0]

    status = run_node(make)
    for node in nodes:
        node.save(Path(sys.argv[1]))
    return status


if __name__ == "__main__":
    raise SystemExit(main())
