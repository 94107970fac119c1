"""What ONNX Runtime can run a graph on, by name; TensorRT keeps the engines that it builds."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivm_ros.engines.graphs import GraphSpec, Size

Settings = dict[str, Any]
_GET_GPU = "pip install onnxruntime-gpu in place of onnxruntime (on a Jetson NVIDIA's own wheel)"


@dataclass(frozen=True)
class Provider:
    """One of ONNX Runtime's execution providers.

    Attributes:
        name: what users call it.
        runtime_name: what ONNX Runtime calls it.
        settings: of it for a graph, given the graph, its file and the number of the GPU.
        fallbacks: names of those that take what it cannot run.
        builds: whether it builds an engine first, which takes minutes.
    """

    name: str
    runtime_name: str
    settings: Callable[[GraphSpec, Path, int], Settings]
    fallbacks: tuple[str, ...] = ()
    builds: bool = False


def _cpu(spec: GraphSpec, path: Path, gpu: int) -> Settings:
    return {}


def _cuda(spec: GraphSpec, path: Path, gpu: int) -> Settings:
    return {"device_id": str(gpu)}


def _tensorrt(spec: GraphSpec, path: Path, gpu: int) -> Settings:
    """Return settings with ranges of all sizes, so that one engine, built at once, serves all of them."""
    folder = str(engine_folder(path))
    settings = {
        "device_id": str(gpu),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": folder,
    }
    ranges: dict[str, Size] = {"min": "low", "opt": "typical", "max": "high"}
    for name, which in ranges.items():
        settings[f"trt_profile_{name}_shapes"] = shapes(spec, which)
    return settings


def shapes(spec: GraphSpec, which: Size) -> str:
    """Return the sizes of a graph's dynamic inputs as TensorRT's provider reads them: "a:1x3,b:1x5"."""
    return ",".join(
        f"{port.name}:{'x'.join(map(str, port.sizes(which)))}" for port in spec.inputs if port.dynamic
    )


_ENTRIES = (
    Provider("cpu", "CPUExecutionProvider", _cpu),
    Provider("cuda", "CUDAExecutionProvider", _cuda, ("cpu",)),
    Provider("tensorrt", "TensorrtExecutionProvider", _tensorrt, ("cuda", "cpu"), builds=True),
)
PROVIDERS = {entry.name: entry for entry in _ENTRIES}
"""Provider by the name that users give."""


def pick_provider(name: str, device: str, there: Sequence[str]) -> Provider:
    """Return a provider by name.

    Args:
        name: of `PROVIDERS`, or "auto": CUDA on a GPU where this ONNX Runtime has it, else the CPU. TensorRT
            is never picked by itself, as it takes minutes to build.
        device: type of the device that is asked for, "cpu" or "cuda".
        there: providers that this ONNX Runtime has, by its names.

    Raises:
        ValueError: there is none of this name, or not here.
    """
    if name == "auto":
        name = "cuda" if device == "cuda" else "cpu"
        if PROVIDERS[name].runtime_name not in there:
            warnings.warn(
                f"this onnxruntime cannot use the GPU, so the graph runs on the CPU: {_GET_GPU}",
                stacklevel=2,
            )
            name = "cpu"
    if name not in PROVIDERS:
        raise ValueError(f"expected a provider of auto, {', '.join(PROVIDERS)}; got {name!r}")
    provider = PROVIDERS[name]
    if provider.runtime_name not in there:
        usable = ", ".join(entry.name for entry in _ENTRIES if entry.runtime_name in there)
        raise ValueError(f"expected a provider that this onnxruntime has, {usable}; got {name!r}: {_GET_GPU}")
    return provider


def engine_folder(path: Path) -> Path:
    """Return the folder for what is built of a graph's file, in the user's cache.

    Its name is a digest of graph and weights: TensorRT's provider would take an engine of other weights for
    one of these.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256()
    for file in sorted(path.parent.glob(f"{path.name}*")):
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return cache / "ivm_ros" / "engines" / f"{path.stem}-{digest.hexdigest()[:16]}"
