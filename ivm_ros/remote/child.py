"""The model's side: answers load, encode and ground, until the node hangs up.

It imports NumPy, and what the model itself needs; no ROS, and nothing of the command line.
"""

from __future__ import annotations

import importlib
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from ivm_ros.grounding import Grounder
from ivm_ros.remote.answers import pack
from ivm_ros.remote.blocks import Blocks
from ivm_ros.remote.channel import Channel, ChannelClosedError
from ivm_ros.remote.errors import ModelUnavailableError, describe
from ivm_ros.remote.segment import Segment

KEPT_FEATURES = 16
"""Most encoded images that are kept, should the other side not let go of them; a camera needs one."""

_WARM_UP_SIZE = (480, 640, 3)


def serve(channel: int, images: int, answers: int) -> None:
    """Answer calls until the other side hangs up.

    Args:
        channel: descriptor of a socket.
        images: descriptor of the segment that images come in.
        answers: descriptor of the segment that heatmaps and masks go out in.
    """
    end = Channel(socket.socket(fileno=channel))
    model = _Model(Segment(images), Segment(answers))
    while True:
        try:
            call = end.receive()
        except ChannelClosedError:
            break
        try:
            end.send({"answer": model.answer(call)})
        except ConnectionError:
            break
        except (
            Exception
        ) as error:  # whatever a model raises is the caller's answer, and the next call may work
            end.send({"error": describe(error)})
    model.close()


class _Model:
    """The grounder and the images that it has encoded, by number."""

    def __init__(self, images: Segment, answers: Segment) -> None:
        self._images = images
        self._answers = answers
        self._blocks = Blocks()
        self._grounder: Grounder | None = None
        self._features: OrderedDict[int, Any] = OrderedDict()

    def answer(self, call: dict[str, Any]) -> Any:
        """Do what a message asks for."""
        for number in call.get("released", ()):
            self._features.pop(number, None)
        if call["call"] == "load":
            return self._load(call)
        assert self._grounder is not None
        if call["call"] == "encode":
            return self._encode(self._grounder, call["number"], tuple(call["shape"]))
        return self._ground(self._grounder, call["number"], call["instructions"])

    def close(self) -> None:
        """Give the model's memory and devices back."""
        self._features.clear()
        if self._grounder is not None:
            self._grounder.close()

    def _load(self, call: dict[str, Any]) -> dict[str, str]:
        module, _, function = call["loader"].partition(":")
        load: Callable[..., Grounder] = getattr(importlib.import_module(module), function)
        grounder = load(call["name"], checkpoint=call["checkpoint"], device=call["device"], **call["options"])
        # Before it counts as ready: a first image can take longer than a watchdog waits for any other.
        grounder(np.zeros(_WARM_UP_SIZE, np.uint8), "the red cup")
        self._grounder = grounder
        return {"name": grounder.name}

    def _encode(self, grounder: Grounder, number: int, shape: tuple[int, ...]) -> None:
        while len(self._features) >= KEPT_FEATURES:
            self._features.popitem(last=False)
        # A copy, because the next image comes to the same place, and a model may keep what it was given.
        image = self._blocks.take(shape, np.uint8)
        image[...] = self._images.array(0, shape, np.uint8)
        self._features[number] = grounder.encode(image)

    def _ground(self, grounder: Grounder, number: int, instructions: list[str]) -> list[dict[str, Any]]:
        if number not in self._features:
            raise ModelUnavailableError(
                f"expected one of the last {KEPT_FEATURES} images that were encoded, got an older one; "
                "encode it again"
            )
        return pack(grounder.ground_many(self._features[number], instructions), self._answers)
