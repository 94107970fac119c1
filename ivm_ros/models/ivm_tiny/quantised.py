"""The picture graph in 8 bit integers: whether there is one of some weights, and whether it is of use."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import replace
from pathlib import Path

from ivm_ros.engines.graphs import GraphSpec
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.onnx import INDEX
from ivm_ros.models.ivm_tiny.parts import graphs

KEY = "int8"
"""In the index beside graphs: which encoder the quantised graph is of."""
_MULTIPLIERS = {"avx512_vnni", "avx_vnni", "asimddp"}
"""Flags of processors that multiply bytes exactly. Older ones may saturate, and gain nothing."""


def quantised(spec: GraphSpec) -> GraphSpec:
    """Return what a graph's quantised version is."""
    return replace(spec, name=f"{spec.name}_int8")


def fits(model: IvmTiny, folder: Path) -> bool:
    """Tell whether a folder has a quantised graph of a model's encoder; batch norms are not folded yet."""
    known = json.loads((folder / INDEX).read_text()).get(KEY)
    spec = quantised(graphs(model.config)[0])
    return (folder / spec.file).is_file() and known == fingerprint(model)


def fingerprint(model: IvmTiny) -> str:
    """Return 16 hex digits that two encoders share only if all their weights are equal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.image.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def processor_multiplies_bytes() -> bool:
    """Tell whether this machine's processor has instructions for products of bytes, as far as Linux says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine() == "arm64"
    flags = {
        flag for line in lines if line.lower().startswith(("flags", "features")) for flag in line.split()
    }
    return bool(flags & _MULTIPLIERS)
