"""The grounding node with grounders that need no weights; run it as `python -m fake_grounding_node`.

The parameter `model` chooses: "color" finds colours, and misbehaves when the instruction says so;
"unloadable" cannot be loaded, "cold" fails at its warm-up.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from fakes import ColorGrounder

from ivm_ros.grounding import Grounding
from ivm_ros.nodes.grounding_node import main

SLOW = 1.5  # seconds
HANGING = 120.0


class MoodyGrounder(ColorGrounder):
    """Does what the words say: 'explode', 'slow', 'hang', 'garbage', 'hunger', 'nan'; else finds colours."""

    def ground(self, features: Any, instruction: str) -> Any:
        words = instruction.split()
        if "slow" in words:
            time.sleep(SLOW)
        if "hang" in words:
            time.sleep(HANGING)
        if "garbage" in words:
            return "not a grounding"
        if "hunger" in words:
            raise MemoryError("the image is too large for this machine")
        if "nan" in words:
            return Grounding(instruction, np.full(features.shape[:2], np.nan, np.float32))
        return super().ground(features, instruction)


class ColdGrounder(ColorGrounder):
    def encode(self, image: Any) -> Any:
        raise RuntimeError("out of memory at the first image")


def load(name: str, **options: Any) -> ColorGrounder:
    if name == "unloadable":
        raise OSError("the weights are on another planet")
    return {"color": MoodyGrounder, "cold": ColdGrounder}[name]()


if __name__ == "__main__":
    sys.exit(main(load=load))
