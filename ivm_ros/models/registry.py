"""Every model by name, and how to load it; nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivm_ros.grounding import Grounder
from ivm_ros.models.memory import MemoryNeed
from ivm_ros.models.options import read_options


class UnknownModelError(ValueError):
    """A model name that is not in the registry."""


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be loaded.

    Attributes:
        name: what users call it.
        description: one line for lists.
        loader: "module:function", the module relative to this package. The function takes the path of a
            checkpoint or None, a `torch.device`, and the model's own options by keyword, and returns a
            `Grounder`.
        ships: whether its weights come with the package; else it needs a checkpoint.
        extra: of this package that its libraries are in, if any.
        converter: "module:function" that makes one folder of a model's released files, if there is one. It
            takes their folder, the new folder, and a `torch.dtype` or None.
        exporter: "module:function" that writes its graphs for ONNX Runtime, if there is one. It takes a
            checkpoint and the new folder, and returns the largest difference to PyTorch's results.
        memory: "module:function" that returns what the model needs in memory, best precision first, if that
            is known.
    """

    name: str
    description: str
    loader: str
    ships: bool = False
    extra: str = ""
    converter: str = ""
    exporter: str = ""
    memory: str = ""


_ENTRIES = (
    ModelEntry(
        "ivm-tiny",
        "small model for tabletops that ships with the package; 4.0 M parameters, made for CPUs",
        ".ivm_tiny.grounder:load",
        ships=True,
        exporter=".ivm_tiny.onnx:export",
    ),
    ModelEntry(
        "ivm",
        "the published 7B model (arXiv 2405.19783) from its released files: SAM ViT-H and LLaVA-1.5",
        ".ivm.grounder:load",
        extra="transformers",
        converter=".ivm.folder:convert",
        memory=".ivm.memory:memory_needs",
    ),
    ModelEntry(
        "instancevg",
        "the published 234M model (arXiv 2509.13747): any number of targets, with boxes, masks and points",
        ".instancevg.grounder:load",
        extra="instancevg",
        converter=".instancevg.folder:convert",
        exporter=".instancevg.onnx:export",
        memory=".instancevg.memory:memory_needs",
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
        options: the model's own, by name; text is read as what the option wants.

    Raises:
        UnknownModelError: no model has this name.
        CheckpointError: the weights are missing, unreadable or do not fit.
        ValueError: the device is not usable here, the model has no such option, or not such a value.
        ImportError: a library is missing; names the extra that has it.
    """
    entry = find(name)
    wait_passively()
    loader = _imported(entry, entry.loader)
    path = None if checkpoint is None or str(checkpoint) == "" else Path(checkpoint).expanduser()
    grounder: Grounder = loader(path, pick_device(device), **read_options(name, loader, options))
    return grounder


def convert(name: str, source: Path, target: Path, dtype: str = "") -> None:
    """Make one folder of a model's released files, to load from.

    Args:
        name: of the registry.
        source: folder of the released files.
        target: new folder.
        dtype: float32, float16 or bfloat16; empty keeps each file's own.

    Raises:
        UnknownModelError: no model has this name.
        CheckpointError: the files are missing, unreadable or do not fit.
        ValueError: the model has nothing to convert, or the dtype is another.
    """
    entry = find(name)
    if not entry.converter:
        with_one = ", ".join(entry.name for entry in _ENTRIES if entry.converter)
        raise ValueError(f"expected a model that has files to convert, {with_one}; got {name!r}")
    if dtype not in ("", "float32", "float16", "bfloat16"):
        raise ValueError(f"expected a dtype of float32, float16 or bfloat16; got {dtype!r}")
    import torch

    converter = _imported(entry, entry.converter)
    converter(source, target, getattr(torch, dtype) if dtype else None)


def export(name: str, checkpoint: Path, target: Path) -> float:
    """Write a model's graphs for ONNX Runtime, and compare their results with PyTorch's.

    Args:
        name: of the registry.
        checkpoint: file or folder of the weights.
        target: new folder, for the model's option engine=onnx.

    Returns:
        The largest difference.

    Raises:
        UnknownModelError: no model has this name.
        CheckpointError: the checkpoint is missing or unusable.
        FileExistsError: the target holds a model already.
        ImportError: a library is missing; names the extra that has it.
        ValueError: the model cannot be exported, or the results differ.
    """
    entry = find(name)
    if not entry.exporter:
        with_one = ", ".join(entry.name for entry in _ENTRIES if entry.exporter)
        raise ValueError(f"expected a model that can be exported, {with_one}; got {name!r}")
    difference: float = _imported(entry, entry.exporter, "onnx")(checkpoint, target)
    return difference


def memory_needs(name: str) -> tuple[MemoryNeed, ...]:
    """Return what a model needs in memory, best precision first; empty where that is not known.

    Args:
        name: of the registry.

    Raises:
        UnknownModelError: no model has this name.
        ImportError: a library is missing; names the extra that has it.
    """
    entry = find(name)
    if not entry.memory:
        return ()
    needs: tuple[MemoryNeed, ...] = _imported(entry, entry.memory)()
    return needs


def require_libraries(name: str) -> None:
    """Import what a model needs, and nothing else.

    Raises:
        UnknownModelError: no model has this name.
        ImportError: a library is missing; names the extra that has it.
    """
    entry = find(name)
    _imported(entry, entry.loader)


def find(name: str) -> ModelEntry:
    """Return a model's entry; raise UnknownModelError if there is none of this name."""
    if name not in _BY_NAME:
        raise UnknownModelError(f"expected a model of {', '.join(sorted(_BY_NAME))}; got {name!r}")
    return _BY_NAME[name]


def _imported(entry: ModelEntry, function: str, extra: str = "") -> Callable[..., Any]:
    extra = extra or entry.extra
    module, _, attribute = function.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module, __package__), attribute)
    except ModuleNotFoundError as error:
        if not extra:
            raise
        raise ImportError(
            f"model {entry.name!r} needs {error.name}: pip install 'ivm-ros[{extra}]'"
        ) from error
    return found


def wait_passively() -> None:
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
