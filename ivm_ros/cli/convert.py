"""`ivm-ros convert`: a published model's released files made into one folder of safetensors."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ivm_ros.models.registry import convert


def run_convert(source: Path, target: Path, model: str, dtype: str) -> None:
    """Convert, and say how to use the result."""
    console = Console(stderr=True)
    with console.status(f"converting {source}"):
        convert(model, source, target, dtype)
    size = sum(path.stat().st_size for path in target.iterdir()) / 1e9
    Console().print(
        f"{target}/ is ready, {size:.1f} GB; use it with --model {model} --checkpoint {target}",
        soft_wrap=True,
        highlight=False,
    )
