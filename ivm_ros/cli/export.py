"""`ivm-ros export`: a model's weights made into graphs that ONNX Runtime runs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ivm_ros.models.registry import export


def run_export(checkpoint: Path, target: Path, model: str) -> None:
    """Export, and say how far the results are from PyTorch's and how to use them."""
    with Console(stderr=True).status(f"exporting {checkpoint}, and comparing results"):
        difference = export(model, checkpoint, target)
    size = sum(path.stat().st_size for path in target.iterdir()) / 1e9
    Console().print(
        f"{target}/ is ready, {size:.1f} GB; its results differ by at most {difference:.1g} from PyTorch's\n"
        f"use it with --model {model} --checkpoint {target} --option engine=onnx",
        soft_wrap=True,
        highlight=False,
    )
