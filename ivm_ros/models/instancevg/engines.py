"""What runs the network, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ivm_ros.models.instancevg.folder import pick_precision, read_checkpoint
from ivm_ros.models.instancevg.network import CompiledInstanceVg, Network
from ivm_ros.models.instancevg.text import Tokenizer

Opened = tuple[Network, Tokenizer]


def _torch(checkpoint: Path, device: torch.device, precision: str, provider: str) -> Opened:
    _require_auto("provider", provider, "torch")
    return read_checkpoint(checkpoint, pick_precision(precision, device), device)


def _compiled(checkpoint: Path, device: torch.device, precision: str, provider: str) -> Opened:
    _require_auto("provider", provider, "compiled")
    model, tokenizer = read_checkpoint(checkpoint, pick_precision(precision, device), device)
    return CompiledInstanceVg(model), tokenizer


def _onnx(checkpoint: Path, device: torch.device, precision: str, provider: str) -> Opened:
    if precision != "float32":
        _require_auto("precision", precision, "onnx, whose graphs are float32,")
    try:
        from ivm_ros.models.instancevg.onnx import open_folder
    except ModuleNotFoundError as error:
        raise ImportError(f"engine 'onnx' needs {error.name}: pip install 'ivm-ros[onnx]'") from error
    return open_folder(checkpoint, provider, device)


def _require_auto(option: str, value: str, engine: str) -> None:
    if value != "auto":
        raise ValueError(f"expected {option}=auto with the engine {engine}, got {value!r}")


ENGINES: dict[str, Callable[[Path, torch.device, str, str], Opened]] = {
    "torch": _torch,
    "compiled": _compiled,
    "onnx": _onnx,
}
"""By the name that users give: what opens a checkpoint on a device, in a precision, with a provider."""


def open_network(
    checkpoint: Path, device: torch.device, precision: str, engine: str, provider: str
) -> Opened:
    """Load a checkpoint with an engine.

    Args:
        checkpoint: as the engine takes it: "onnx" takes what `ivm-ros export` made, the others the rest.
        device: where it runs.
        precision: as `pick_precision` takes it; graphs are float32.
        engine: of `ENGINES`.
        provider: of ONNX Runtime; "auto" with the other engines.

    Raises:
        CheckpointError: the checkpoint is missing or unusable.
        ValueError: no engine has this name, or it has no such precision or provider.
        ImportError: a library of the engine is missing.
    """
    if engine not in ENGINES:
        raise ValueError(f"expected an engine of {', '.join(ENGINES)}; got {engine!r}")
    return ENGINES[engine](checkpoint, device, precision, provider)
