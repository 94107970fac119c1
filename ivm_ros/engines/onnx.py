"""A graph in a file to a function, run by ONNX Runtime: one code for CPU, CUDA and TensorRT."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.engines.announce import announced
from ivm_ros.engines.graphs import GraphSpec
from ivm_ros.engines.providers import PROVIDERS, Provider, engine_folder, pick_provider

Arrays = dict[str, np.ndarray]


class OnnxGraph:
    """A graph that is ready to run.

    Args:
        folder: it lies there.
        spec: its file, inputs and outputs.
        provider: as `pick_provider` takes it.
        device: type of the device that is asked for, "cpu" or "cuda".
        gpu: number of the GPU.
        weights: by name, of a graph that `leave_out_weights` has made; None for one that has its own.

    Attributes:
        provider: what it runs on.

    Raises:
        CheckpointError: the file is missing, unreadable, or another graph.
        ValueError: the provider is unknown, cannot be used here, or takes no weights from elsewhere.
    """

    def __init__(
        self,
        folder: Path,
        spec: GraphSpec,
        provider: str = "auto",
        device: str = "cpu",
        gpu: int = 0,
        weights: Arrays | None = None,
    ) -> None:
        path = folder / spec.file
        if not path.is_file():
            raise CheckpointError(
                f"expected the graph {spec.file} in {folder}, but there is none; `ivm-ros export` makes it"
            )
        self.spec = spec
        self.provider = pick_provider(provider, device, onnxruntime.get_available_providers())
        if weights is not None and self.provider.builds:  # its engines are kept by the graph's file alone
            raise ValueError(
                f"expected a graph with its weights for the provider {self.provider.name}, got one without: "
                "`ivm-ros export` makes it"
            )
        self._session = _session(path, spec, self.provider, gpu, weights)
        ports = [port.name for port in spec.inputs], list(spec.outputs)
        found = (
            [node.name for node in self._session.get_inputs()],
            [node.name for node in self._session.get_outputs()],
        )
        if found != ports:
            raise CheckpointError(
                f"expected {path} with inputs and outputs {ports}, got {found}: export again"
            )

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Run the graph; return arrays by name.

        Raises:
            ValueError: an input has another shape or dtype than the graph.
        """
        try:
            outputs = self._session.run(list(self.spec.outputs), dict(inputs))
        except (_errors().InvalidArgument, _errors().Fail) as error:
            got = {name: (array.shape, str(array.dtype)) for name, array in inputs.items()}
            raise ValueError(f"{self.spec.file} cannot run on {got}: {error}") from error
        return dict(zip(self.spec.outputs, outputs, strict=True))


def _errors() -> Any:
    return onnxruntime.capi.onnxruntime_pybind11_state


def _session(path: Path, spec: GraphSpec, provider: Provider, gpu: int, weights: Arrays | None) -> Any:
    options = onnxruntime.SessionOptions()
    if weights is not None:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    # Threads that spin while they wait stall those of other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors: it warns of every node that it leaves on the CPU
    wanted = [provider, *(PROVIDERS[name] for name in provider.fallbacks)]
    about: Any = nullcontext()
    if provider.builds:
        kept = engine_folder(path)
        known = kept.is_dir() and any(kept.iterdir())
        kept.mkdir(parents=True, exist_ok=True)
        doing = "reading the engine" if known else "building an engine, which takes minutes and is done once,"
        about = announced(f"{doing} of {path.name} in {kept}")
    try:
        with about:
            session = onnxruntime.InferenceSession(
                str(path),
                options,
                providers=[(each.runtime_name, each.settings(spec, path, gpu)) for each in wanted],
            )
    except Exception as error:  # its errors have no common base
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if session.get_providers()[0] != provider.runtime_name:  # it says so in its log, and goes on
        raise ValueError(
            f"expected the provider {provider.name} to start, but its libraries cannot be loaded here"
        )
    return session
