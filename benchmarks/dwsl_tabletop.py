"""Compare discriminator-weighted with plain training of a scaled-down IVM on labels of which 30 % are wrong.

python benchmarks/dwsl_tabletop.py OUTPUT [--store STORE] [--seeds 3]

Without a store, one is rendered in OUTPUT/store (needs the extra "sim" and an OpenGL library). All runs
on one CPU core; seeds that are finished are not repeated.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ivm_ros.datasets.tabletop.generate import write_store
from ivm_ros.datasets.tabletop.mislabelled import Label, label_store
from ivm_ros.datasets.tabletop.store import complete_shards, load_store
from ivm_ros.training.ivm.tabletop import SIDE, Effort, Small

COLORS = ("red", "yellow", "green", "blue")
WRONG, HUMAN = 0.3, 0.3
"""Share of all labels that are wrong, all of them machines'; share of labels that people make, all right."""


def read_labels(store: Path, split: str, shards: int, seed: int, human: float, wrong: float) -> list[Label]:
    """Label the first shards of a split, one after the other, to hold one in memory at a time."""
    stems = [stem for stem in complete_shards(store) if stem.name.startswith(f"{split}-")][:shards]
    if len(stems) < shards:
        raise typer.BadParameter(f"expected {shards} {split} shards in {store}, got {len(stems)}")
    labels = []
    for stem in track(stems, f"labelling {split} views"):
        labels += label_store(load_store([stem], progress=False), SIDE, seed, human, wrong, COLORS)
    return labels


def compare(store: Path, output: Path, seed: int, shards: int, effort: Effort) -> dict[str, float]:
    """Train the discriminator, then plainly and weighted, with one seed; return all scores."""
    result = output / f"seed{seed}.json"
    if result.exists():
        return json.loads(result.read_text())
    labels = read_labels(store, "train", shards, seed, HUMAN, WRONG)
    clean = read_labels(store, "validation", 2, 0, 1.0, 0.0)[:600]
    spoilt = read_labels(store, "validation", 1, 1, HUMAN, WRONG)
    small = Small(labels, clean, spoilt, output / f"seed{seed}", seed, effort)
    scores = {"labels": float(len(labels)), "wrong": float(np.mean([bool(label.fault) for label in labels]))}
    judge, judged = small.train_judge()
    scores |= judged
    for name, weights in (("plain", "none"), ("dwsl", "two-stage")):
        found = small.train_generator(weights, judge)
        scores |= {f"{name}_{metric}": value for metric, value in found.items()}
    result.write_text(json.dumps(scores, indent=1) + "\n")
    return scores


def show(rows: dict[int, dict[str, float]]) -> Table:
    """Return the table: a row for each seed, and the mean."""
    columns = {
        "auc": "AUC held-out",
        "auc_machine": "AUC machines'",
        "weight_right": "w right",
        "weight_wrong": "w wrong",
        "plain_giou": "gIoU plain",
        "dwsl_giou": "gIoU DWSL",
        "plain_ciou": "cIoU plain",
        "dwsl_ciou": "cIoU DWSL",
    }
    table = Table(title="DWSL on the rendered tabletop", title_justify="left")
    for heading in ("seed", "labels", "wrong", *columns.values()):
        table.add_column(heading, justify="right")
    means = {name: float(np.mean([row[name] for row in rows.values()])) for name in next(iter(rows.values()))}
    for name, row in [*((str(seed), row) for seed, row in rows.items()), ("mean", means)]:
        cells = [f"{row[column]:.3f}" for column in columns]
        table.add_row(name, f"{row['labels']:.0f}", f"{row['wrong']:.3f}", *cells, end_section=name != "mean")
    return table


def main(
    output: Annotated[Path, typer.Argument(help="folder of the runs")],
    store: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time, on Python 3.10 too
        typer.Option(help="rendered store with train and validation shards"),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="how many seeds, from 0 on")] = 3,
    shards: Annotated[int, typer.Option(min=1, help="train shards of 500 views each")] = 24,
    judge_steps: Annotated[int, typer.Option(min=1, help="of stage I")] = Effort.judge_steps,
    steps: Annotated[int, typer.Option(min=1, help="of stage II")] = Effort.steps,
) -> None:
    """Run the comparison."""
    torch.set_num_threads(1)
    output.mkdir(parents=True, exist_ok=True)
    if store is None:
        store = output / "store"
        write_store(store, "train", 250 * shards)
        write_store(store, "validation", 500)
    effort = Effort(judge_steps=judge_steps, steps=steps)
    console = Console(width=140)
    rows = {seed: compare(store, output, seed, shards, effort) for seed in range(seeds)}
    console.print(show(rows))
    summary = {"effort": asdict(effort), "seeds": rows}
    (output / "dwsl.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
