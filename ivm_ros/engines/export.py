"""A module to a graph in a file, and how far their results are apart."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.engines.graphs import Axis, GraphSpec
from ivm_ros.engines.onnx import OnnxGraph

OPSET = 18  # has all that is needed; runs on ONNX Runtime from 1.14, and TensorRT's parser knows it
_OLDEST_IR = 8  # of files with that opset; older runtimes refuse newer ones, whatever is in them
_LARGEST_FILE = 1.5e9  # bytes of weights inside the graph's file; the format ends at 2 GiB


def export_graph(module: nn.Module, spec: GraphSpec, example: Mapping[str, Tensor], folder: Path) -> None:
    """Write a module as a graph; weights of large ones lie beside it, in a file of their own.

    Args:
        module: in eval mode, on the CPU; takes the inputs in their order, returns a tuple of the outputs.
        spec: of the graph.
        example: inputs by name, with at least two of everything whose number is not fixed.
        folder: to write to.

    Raises:
        ImportError: a library of the extra is missing.
    """
    for library in ("onnx", "onnxscript"):
        if find_spec(library) is None:
            raise ImportError(f"exporting needs {library}: pip install 'ivm-ros[onnx]'")
    axes = {side for port in spec.inputs for side in port.shape if isinstance(side, Axis)}
    sizes = {axis: torch.export.Dim(axis.name, min=1, max=max(axis.high, 2)) for axis in axes}
    dynamic = tuple(
        {place: sizes[side] for place, side in enumerate(port.shape) if isinstance(side, Axis)}
        for port in spec.inputs
    )
    weight = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
    with _quiet():
        torch.onnx.export(
            module,
            tuple(example[port.name] for port in spec.inputs),
            str(folder / spec.file),
            dynamo=True,
            opset_version=OPSET,
            input_names=[port.name for port in spec.inputs],
            output_names=list(spec.outputs),
            dynamic_shapes=dynamic,
            external_data=weight > _LARGEST_FILE,
            optimize=False,  # ONNX Runtime does that when it reads it
            verbose=False,
        )


def leave_out_weights(path: Path, names: Collection[str]) -> list[str]:
    """Take weights out of a graph's file, so that it takes a few kilobytes and fits any of the same shapes.

    Args:
        path: of a graph that has its weights inside; is written again.
        names: of what to take out, where the graph has it.

    Returns:
        Names of what was taken out; `OnnxGraph` needs exactly these.

    Raises:
        CheckpointError: the graph's weights are not inside.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    found = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name in names}
    for name, tensor in found.items():
        if not tensor.raw_data:
            raise CheckpointError(f"expected {path} with its weights inside, but {name} is not")
        size = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights"), ("offset", "0"), ("length", str(size))):
            tensor.external_data.add(key=key, value=value)
    write_lean(model, path)
    return sorted(found)


def write_lean(model: Any, path: Path) -> None:
    """Write an `onnx` model for old runtimes too, without what tools note in it of themselves and of code."""
    graph = model.graph
    used = {"", *(node.domain for node in graph.node)}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.ir_version = min(model.ir_version, _OLDEST_IR)
    path.write_bytes(model.SerializeToString())


@torch.inference_mode()
def largest_difference(
    module: nn.Module, graph: OnnxGraph, examples: Sequence[Mapping[str, Tensor]]
) -> float:
    """Return the largest difference of any result; of values above 1, as a share of them.

    Args:
        module: what the graph was made of.
        graph: the graph.
        examples: inputs by name, of several sizes.
    """
    worst = 0.0
    for example in examples:
        expected = module(*(example[port.name] for port in graph.spec.inputs))
        got = graph({name: tensor.numpy() for name, tensor in example.items()})
        for name, plain in zip(graph.spec.outputs, expected, strict=True):
            apart = (torch.from_numpy(got[name]) - plain).abs() / plain.abs().clamp(min=1.0)
            worst = max(worst, float(apart.max()))  # NaN is below everything: it must not pass
            if not torch.isfinite(apart).all():
                return float("inf")
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from talking of its own insides."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
