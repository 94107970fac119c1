"""`ivm-ros render`: a tabletop dataset in the folder format."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ivm_ros.datasets.tabletop.write_folder import write_folder


def run_render(
    output: Path,
    scenes: int,
    seed: int,
    size: tuple[int, int],
    workers: int,
    instances: str,
    wording: str,
) -> None:
    """Render and say where the result is."""
    write_folder(output, scenes, seed, size, workers, instances=instances, wording=wording)
    Console().print(f"{output}/index.jsonl is ready: ivm-ros eval --dataset {output}", soft_wrap=True)
