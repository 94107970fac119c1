"""What runs ivm-tiny, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.models.ivm_tiny import parts
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.network import TinyNetwork, TorchEngine

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
"""Of the encoder, by the name that users give."""


def _torch(
    model: IvmTiny, folder: Path | None, device: torch.device, precision: str, provider: str
) -> TinyNetwork:
    if provider != "auto":
        raise ValueError(f"expected provider=auto with the engine torch, got {provider!r}")
    if precision == "int8":
        raise ValueError("expected a precision of float32 or bfloat16 with the engine torch, got 'int8'")
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    return TinyNetwork(model, TorchEngine(model, device, dtype))


def _onnx(
    model: IvmTiny, folder: Path | None, device: torch.device, precision: str, provider: str
) -> TinyNetwork:
    try:
        from ivm_ros.models.ivm_tiny.onnx import OnnxEngine, find_graphs
        from ivm_ros.models.ivm_tiny.quantised import fits, processor_multiplies_bytes, quantised
    except ModuleNotFoundError as error:
        raise ImportError(f"engine 'onnx' needs {error.name}: pip install 'ivm-ros[onnx]'") from error
    graphs = find_graphs(model.config, folder)
    if graphs is None:
        raise CheckpointError(
            "expected weights of the sizes that the package has graphs for, or a folder that "
            "`ivm-ros export --model ivm-tiny` made of them"
        )
    if precision == "bfloat16":
        raise ValueError(
            "expected precision=float32 or int8 with the engine onnx, got 'bfloat16'; engine=torch has it"
        )
    there = device.type == "cpu" and provider in ("auto", "cpu") and fits(model, graphs)
    if precision == "int8" and not there:
        raise CheckpointError(
            "expected a CPU, and weights that there is an int8 graph of, as of those in the package; "
            "precision=float32 runs everywhere"
        )
    rounded = precision == "int8" or (precision == "auto" and there and processor_multiplies_bytes())
    picture = quantised(parts.graphs(model.config)[0]) if rounded else None
    return TinyNetwork(model, OnnxEngine(model, graphs, device, provider, picture))


def _auto(
    model: IvmTiny, folder: Path | None, device: torch.device, precision: str, provider: str
) -> TinyNetwork:
    """Open with what was measured to be fastest: ONNX Runtime on CPUs, where it is installed."""
    if provider != "auto":
        return _onnx(model, folder, device, precision, provider)
    if device.type == "cpu" and precision != "bfloat16" and find_spec("onnxruntime") is not None:
        try:
            return _onnx(model, folder, device, precision, provider)
        except CheckpointError:  # weights of other sizes: PyTorch runs them all
            if precision == "int8":
                raise
    return _torch(model, folder, device, precision, provider)


ENGINES: dict[str, Callable[[IvmTiny, Path | None, torch.device, str, str], TinyNetwork]] = {
    "auto": _auto,
    "torch": _torch,
    "onnx": _onnx,
}
"""By the name that users give: what opens a model, with graphs in a folder or the package's."""


def open_network(
    model: IvmTiny,
    folder: Path | None,
    device: torch.device,
    precision: str = "auto",
    engine: str = "auto",
    provider: str = "auto",
) -> TinyNetwork:
    """Make a model ready to run.

    Args:
        model: in eval mode, on the CPU; is changed.
        folder: of graphs that `ivm-ros export` made; None for those in the package.
        device: where it runs.
        precision: of `PRECISIONS`. "auto" is int8 with ONNX Runtime where there is such a graph of the
            weights and the processor multiplies bytes itself, else float32.
        engine: of `ENGINES`.
        provider: of ONNX Runtime; "auto" with PyTorch.

    Raises:
        CheckpointError: there are no graphs for the model.
        ValueError: no engine has this name, or it has no such precision or provider.
        ImportError: a library of the engine is missing.
    """
    if engine not in ENGINES:
        raise ValueError(f"expected an engine of {', '.join(ENGINES)}; got {engine!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"expected a precision of {', '.join(PRECISIONS)}; got {precision!r}")
    return ENGINES[engine](model, folder, device, precision, provider)
