"""Every model by name, and how to load it; nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivm_ros.grounding import Grounder


class UnknownModelError(ValueError):
    """A model name that is not in the registry."""


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be loaded.

    Attributes:
        name: what users call it.
        description: one line for lists.
        loader: "module:function", the module relative to this package. The function takes the path of a
            checkpoint or None, a `torch.device`, and the model's own options, and returns a `Grounder`.
    """

    name: str
    description: str
    loader: str


_ENTRIES = (
    ModelEntry(
        "ivm-tiny",
        "small model for tabletops that ships with the package; 3.3 M parameters, made for CPUs",
        ".ivm_tiny.grounder:load",
    ),
)
_BY_NAME = {entry.name: entry for entry in _ENTRIES}


def available() -> tuple[ModelEntry, ...]:
    """Return all models that can be loaded."""
    return _ENTRIES


def load(name: str, checkpoint: str | Path | None = None, device: str = "auto", **options: Any) -> Grounder:
    """Load a model.

    Args:
        name: of the registry, such as "ivm-tiny".
        checkpoint: path of the weights; None for those that ship with the package, where there are any.
        device: as torch names it ("cpu", "cuda:0"), or "auto": CUDA where there is one, else the CPU.
        options: the model's own.

    Raises:
        UnknownModelError: no model has this name.
        CheckpointError: the weights are missing, unreadable or do not fit.
        ValueError: the device is not usable here.
        TypeError: the model has no such option.
    """
    entry = _BY_NAME.get(name)
    if entry is None:
        raise UnknownModelError(f"expected a model of {', '.join(sorted(_BY_NAME))}; got {name!r}")
    _wait_passively()
    module, function = entry.loader.split(":")
    loader = getattr(importlib.import_module(module, __package__), function)
    path = None if checkpoint is None or str(checkpoint) == "" else Path(checkpoint)
    grounder: Grounder = loader(path, pick_device(device), **options)
    return grounder


def _wait_passively() -> None:
    """Let torch's threads sleep while they wait, unless the user chose otherwise.

    Spinning ones stall each other wherever another process wants a core: a frame of 40 ms then takes up to
    1.4 s. Has no effect once torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pick_device(device: str) -> Any:
    """Return the `torch.device` of a name; "auto" is CUDA where there is one, else the CPU.

    Raises:
        ValueError: torch does not know the name, or cannot use the device here.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        picked = torch.device(device)
        torch.zeros(1, device=picked)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"expected a device that is usable here, such as 'cpu'; got {device!r} ({reason})"
        ) from error
    return picked
