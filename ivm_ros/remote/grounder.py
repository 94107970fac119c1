"""A model in a Python process of its own, as a `Grounder`."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ivm_ros.grounding import Grounder, Grounding, Image, check_image, check_instruction
from ivm_ros.remote.answers import unpack
from ivm_ros.remote.blocks import Blocks
from ivm_ros.remote.errors import ModelUnavailableError
from ivm_ros.remote.keeper import Backoff, Keeper, ProcessStatus
from ivm_ros.remote.process import ModelProcess, find_python


class RemoteFeatures:
    """An image that a model's process has encoded; it forgets the image when this object is gone."""

    def __init__(self, process: ModelProcess, number: int) -> None:
        self.process = process
        self.number = number
        weakref.finalize(self, process.released.append, number).atexit = False


class RemoteGrounder(Grounder):
    """Grounds with a model in another process; the answers are those of the model, to the last bit.

    When the process ends, whatever it ended of, the call that waits for it raises `ModelProcessError`, and it
    is started again in the background; until the model has loaded, every call raises `ModelUnavailableError`
    at once. What the model raises comes back as `ivm_ros.remote.errors.rebuild` says; its process goes on.

    Args:
        keeper: of the process, whose model has loaded.
    """

    def __init__(self, keeper: Keeper) -> None:
        self.name = keeper.loaded()["name"]
        self._keeper = keeper
        self._numbers = itertools.count()
        self._blocks = Blocks()
        weakref.finalize(self, keeper.close)

    def encode(self, image: Image) -> RemoteFeatures:
        """Encode an (H, W, 3) uint8 RGB image in the model's process.

        Raises:
            InvalidImageError: the image is not usable.
            ModelProcessError: the process has ended on the way.
            ModelUnavailableError: it is not there; the model loads again.
            Exception: the model's own.
        """
        image = check_image(image)
        process, number = self._keeper.ready(), next(self._numbers)
        with process.calling():
            process.images.reserve(image.nbytes)
            process.images.array(0, image.shape, np.uint8)[...] = image
            process.exchange({"call": "encode", "number": number, "shape": image.shape})
        return RemoteFeatures(process, number)

    def ground(self, features: RemoteFeatures, instruction: str) -> Grounding:
        """Return where `instruction` points to."""
        return self.ground_many(features, [instruction])[0]

    def ground_many(self, features: RemoteFeatures, instructions: Sequence[str]) -> list[Grounding]:
        """Ground several instructions in one call.

        Raises:
            InvalidInstructionError: an instruction is unusable.
            ModelProcessError: the process has ended on the way.
            ModelUnavailableError: it is not there, or another than the one that encoded the image; then
                encode it again.
            ValueError: the answer is no grounding, such as a heatmap with NaN.
            Exception: the model's own.
        """
        for instruction in instructions:
            check_instruction(instruction)
        process = self._keeper.ready()
        if features.process is not process:
            raise ModelUnavailableError(
                "the image was encoded by a process that has ended since; encode it again"
            )
        with process.calling():
            answers = process.exchange(
                {"call": "ground", "number": features.number, "instructions": list(instructions)}
            )
            groundings = unpack(answers, process.answers, self._blocks)
        if len(groundings) != len(instructions):
            raise ValueError(f"expected {len(instructions)} groundings of the model, got {len(groundings)}")
        return groundings

    def interrupt(self) -> bool:
        """Kill the process if a call waits for it, which then raises `ModelProcessError`; it starts again."""
        return self._keeper.interrupt()

    def close(self) -> None:
        """End the process; a call that waits for it raises `ModelProcessError`. May be called twice."""
        self._keeper.close()

    @property
    def status(self) -> ProcessStatus:
        """State, pid and restarts of the process."""
        return self._keeper.status()

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Wait until the model is loaded, for at most `timeout` seconds; None for ever.

        Raises:
            ModelUnavailableError: it is not by then, or closed.
        """
        self._keeper.ready(timeout)


def print_line(line: str) -> None:
    """Print to stderr."""
    print(line, file=sys.stderr, flush=True)


def load_remote(
    python: str,
    name: str,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    options: Mapping[str, Any] | None = None,
    *,
    start_timeout: float = 600.0,
    log: Callable[[str], None] = print_line,
    backoff: Backoff | None = None,
    loader: str = "ivm_ros.models.registry:load",
    environment: Mapping[str, str] | None = None,
) -> RemoteGrounder:
    """Load a model in a process of its own, and return when it is ready for images.

    Args:
        python: executable of an environment with what the model needs (NumPy, OpenCV, torch, safetensors for
            `ivm-tiny`); it needs neither ROS nor this package. Python 3.10 or newer, of any version.
        name: of the model.
        checkpoint: path of the weights; None for those that ship with the package.
        device: as torch names it, or "auto".
        options: the model's own, as text, numbers or bool.
        start_timeout: seconds that starting, loading and a first image may take, each time.
        log: is told what the process prints, line by line behind "model: ", and its ends and restarts; from
            threads of this module.
        backoff: between restarts.
        loader: "module:function" that is called in the process as `ivm_ros.load` would be.
        environment: variables of the process on top of this one's, without its PYTHONPATH.

    Raises:
        ValueError: there is no such executable, the device is not usable, or an option is wrong.
        ModelProcessError: the process ended, or the model did not load in time; says what it printed last.
        UnknownModelError, CheckpointError, ImportError: as `ivm_ros.load`, of the process's environment; a
            CheckpointError comes as a ValueError where this environment has no torch.
        OSError: the executable cannot be started.
    """
    start = partial(
        ModelProcess, find_python(python), dict(environment or {}), lambda line: log(f"model: {line}")
    )
    load = {
        "call": "load",
        "loader": loader,
        "name": name,
        "checkpoint": None if checkpoint is None else str(checkpoint),
        "device": device,
        "options": dict(options or {}),
    }
    keeper = Keeper(start, load, start_timeout, backoff or Backoff(), log)
    try:
        return RemoteGrounder(keeper)
    except BaseException:  # also Ctrl-C while a large model loads
        keeper.close()
        raise
