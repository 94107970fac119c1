"""What ivm-tiny is without each of its parts, once the rest has learned to do without: an ablation.

python benchmarks/tiny_ablation.py FOLDER --store STORE --output RUNS --steps 600 --json ablation.json

Each row goes on from the same weights, with one part taken out, for equally many steps in which the others
may make up for it. The first row takes nothing out, and shows what those steps do by themselves. In
`tiny_parts.py` the same parts are left out without any training. FOLDER is that of `held_out_sets.py`, STORE
is rendered by `python -m ivm_ros.datasets.tabletop.generate`. Rows that RUNS has are not trained again; those
of other settings are refused.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from held_out_sets import COLUMNS, measure, scores
from rich.console import Console
from rich.table import Table
from tiny_parts import NOTHING, WITHOUT

import ivm_ros
from ivm_ros.checkpoints import read_metadata
from ivm_ros.evaluation.report import shown
from ivm_ros.models.ivm_tiny.files import WEIGHTS, load_weights, save_weights
from ivm_ros.training.ivm_tiny.settings import Settings
from ivm_ros.training.ivm_tiny.train import run_worker

PARTS = (NOTHING, "closer look", "outlines", "looks at other objects", "concepts of the words")
"""Rows; names of `tiny_parts.WITHOUT`."""
SETS = ("plain",)
"""Of FOLDER that are measured."""


def learned(name: str, start: Path, store: Path, output: Path, steps: int, rate: float) -> Path:
    """Return weights that went on from `start` without a part, with its calibration.

    Raises:
        ValueError: `output` has a row that other settings were begun with.
    """
    run = output / name.replace(" ", "_")
    file, kept = run / "calibrated.safetensors", run / "settings.json"
    # weights by their contents: the ones of a package change where they lie
    weights = hashlib.sha256(start.read_bytes()).hexdigest()
    asked = {"store": str(store.resolve()), "start": weights, "steps": steps, "rate": rate}
    if run.exists():
        had = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else None
        if had != asked:
            raise ValueError(f"expected {asked} in {kept}, got {had}; choose another folder or remove {run}")
    if not file.exists():
        run.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")
        settings = Settings(store, run, minutes=0, steps=steps, start=start, workers=1, rate=rate)
        with WITHOUT[name]():
            run_worker(0, settings, port=0)
        model, _ = load_weights(run / "ivm_tiny.safetensors")
        save_weights(
            model, file, {"step": read_metadata(run / "ivm_tiny.safetensors")["step"]}, load_weights(start)[1]
        )
    return file


def main(
    folder: Annotated[Path, typer.Argument(help="of the held-out sets")],
    store: Annotated[Path, typer.Option(help="folder with rendered shards")],
    output: Annotated[Path, typer.Option(help="folder for the runs")],
    steps: Annotated[int, typer.Option(min=1, help="of each run, 8 views each")] = 600,
    rate: Annotated[float, typer.Option(min=0, help="highest learning rate")] = 4e-4,
    start: Annotated[Path, typer.Option(help="weights to go on from")] = WEIGHTS,
    only: Annotated[list[str] | None, typer.Option(help=f"of: {', '.join(PARTS)}; may be repeated")] = None,
    numbers: Annotated[Path | None, typer.Option("--json", help="file for the numbers")] = None,
) -> None:
    """Train ivm-tiny on without each of its parts, and measure it."""
    console, rows = Console(stderr=True), {}
    for name in only or PARTS:
        if name not in PARTS:
            raise typer.BadParameter(f"expected one of {', '.join(PARTS)}, got {name!r}")
        file = learned(name, start, store, output, steps, rate)
        torch.set_num_threads(1)
        with WITHOUT[name]():
            grounder = ivm_ros.load("ivm-tiny", checkpoint=file, device="cpu", engine="torch")
            rows[name] = {each: scores(measure(grounder, folder / each, console)) for each in SETS}
        if numbers is not None:
            numbers.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    _show(rows, steps)


def _show(rows: dict[str, dict[str, Any]], steps: int) -> None:
    table = Table(title=f"ivm-tiny after {steps} steps without a part", title_justify="left")
    for heading in ("without", "set", *COLUMNS.values()):
        table.add_column(heading, justify="left" if heading in ("without", "set") else "right")
    for name, sets in rows.items():
        for each, values in sets.items():
            title = name if name == NOTHING else f"- {name}"
            table.add_row(title, each, *(shown(values[key]) for key in COLUMNS))
    Console(width=max(110, Console().width)).print(table)


if __name__ == "__main__":
    typer.run(main)
