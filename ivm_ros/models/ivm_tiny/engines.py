"""What runs ivm-tiny, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.network import TinyNetwork, TorchEngine

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of the picture's half, by the name that users give."""


def _torch(
    model: IvmTiny, folder: Path | None, device: torch.device, precision: torch.dtype, provider: str
) -> TinyNetwork:
    if provider != "auto":
        raise ValueError(f"expected provider=auto with the engine torch, got {provider!r}")
    return TinyNetwork(model, TorchEngine(model, device, precision))


def _onnx(
    model: IvmTiny, folder: Path | None, device: torch.device, precision: torch.dtype, provider: str
) -> TinyNetwork:
    try:
        from ivm_ros.models.ivm_tiny.onnx import OnnxEngine, find_graphs
    except ModuleNotFoundError as error:
        raise ImportError(f"engine 'onnx' needs {error.name}: pip install 'ivm-ros[onnx]'") from error
    graphs = find_graphs(model.config, folder)
    if graphs is None:
        raise CheckpointError(
            "expected weights of the sizes that the package has graphs for, or a folder that "
            "`ivm-ros export --model ivm-tiny` made of them"
        )
    if precision != torch.float32:
        raise ValueError(
            "expected precision=float32 with the engine onnx, got another; engine=torch has others"
        )
    return TinyNetwork(model, OnnxEngine(model, graphs, device, provider))


def _auto(
    model: IvmTiny, folder: Path | None, device: torch.device, precision: torch.dtype, provider: str
) -> TinyNetwork:
    """Open with what was measured to be fastest: ONNX Runtime on CPUs, where it is installed, in float32."""
    if provider != "auto":
        return _onnx(model, folder, device, precision, provider)
    if device.type == "cpu" and precision == torch.float32 and find_spec("onnxruntime") is not None:
        try:
            return _onnx(model, folder, device, precision, provider)
        except CheckpointError:  # weights of other sizes: PyTorch runs them all
            pass
    return _torch(model, folder, device, precision, provider)


ENGINES: dict[str, Callable[[IvmTiny, Path | None, torch.device, torch.dtype, str], TinyNetwork]] = {
    "auto": _auto,
    "torch": _torch,
    "onnx": _onnx,
}
"""By the name that users give: what opens a model, with graphs in a folder or the package's."""


def open_network(
    model: IvmTiny,
    folder: Path | None,
    device: torch.device,
    precision: str = "float32",
    engine: str = "auto",
    provider: str = "auto",
) -> TinyNetwork:
    """Make a model ready to run.

    Args:
        model: in eval mode, on the CPU; is changed.
        folder: of graphs that `ivm-ros export` made; None for those in the package.
        device: where it runs.
        precision: of `PRECISIONS`.
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
    return ENGINES[engine](model, folder, device, PRECISIONS[precision], provider)
