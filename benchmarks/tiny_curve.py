"""What more scenes, and more designs of each kind, teach ivm-tiny's closer look: a learning curve.

python benchmarks/tiny_curve.py STORE --steps 2000 --json curve.json

STORE is rendered by `python -m ivm_ros.datasets.tabletop.generate`: the split train of the worlds known and
varied, the split validation of known, and the split test of new. Each row teaches a closer look from chance,
on crops of so many scenes, for equally many steps; what counts is the share of objects whose kind it then
names rightly, of designs that it was taught and of ones that it was not. The crops that are asked about are
mirrored, and changed in their light, window and noise, as those of training are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from rich.console import Console
from rich.table import Table

from ivm_ros.datasets.tabletop.store import Store, complete_shards, map_shards
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.training.ivm_tiny.data import IGNORE
from ivm_ros.training.ivm_tiny.first_looks import Naming, draw_crops, teach
from ivm_ros.training.ivm_tiny.views import StoredViews
from ivm_ros.training.journal import Journal

VIEWS = 2  # of a scene
ROWS = (("known", 125), ("known", 500), ("known", 2000), ("known", 8000), ("varied", 2000), ("varied", 8000))
"""World and number of scenes; and at last all of both."""
EXAMINED = {"known": "validation-", "new": "test-new-"}
"""World that is asked about -> how its shards are named."""
_CROPS = 40  # batches that are scored


def shards(folder: Path, beginning: str) -> list[Store]:
    """Return the shards of a store whose names are `beginning` and a number.

    Raises:
        ValueError: there are none.
    """
    stems = [
        s
        for s in complete_shards(folder)
        if s.name.startswith(beginning) and s.name[len(beginning) :].isdigit()
    ]
    if not stems:
        raise ValueError(f"expected shards {beginning}00000 ... in {folder}, got none; render them first")
    return map_shards(stems)


def first(stores: Sequence[Store], scenes: int) -> StoredViews:
    """Return the views of the first scenes of some shards.

    Raises:
        ValueError: they have not so many.
    """
    views = StoredViews(stores, VIEWS * scenes)
    if len(views) < VIEWS * scenes:
        raise ValueError(f"expected {scenes} scenes in the store, got {len(views) // VIEWS}; render more")
    return views


@torch.inference_mode()
def named(task: Naming, views: StoredViews) -> float:
    """Return the share of the objects in some crops whose kind is named rightly."""
    task.eval()
    config, rng, right = TinyConfig(), Random(5), []
    for _ in range(_CROPS):
        crops = draw_crops(views, config, rng)
        said = task.looks["kinds"](F.relu(task.closer(crops.glimpses, crops.coarse))).argmax(dim=1)
        right.append((said == crops.looks[:, 0])[crops.looks[:, 0] != IGNORE])
    return float(torch.cat(right).float().mean())


def learned(views: StoredViews, steps: int, seed: int) -> Naming:
    """Return a closer look that was taught on crops of `views`."""
    torch.manual_seed(seed)
    task, rng = Naming(TinyConfig()), Random(seed)
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder), steps)
        teach(task, lambda: draw_crops(views, TinyConfig(), rng), steps, journal)
        journal.close()
    return task


def main(
    store: Annotated[Path, typer.Argument(help="folder with rendered shards")],
    steps: Annotated[int, typer.Option(min=1, help="of each row, 128 crops each")] = 2000,
    seed: Annotated[int, typer.Option(help="of everything random")] = 0,
    output: Annotated[Path | None, typer.Option("--json", help="file for the numbers")] = None,
) -> None:
    """Draw the learning curve of the closer look."""
    torch.set_num_threads(1)
    try:
        worlds = {"known": shards(store, "train-"), "varied": shards(store, "train-varied-")}
        asked = {name: StoredViews(shards(store, beginning)) for name, beginning in EXAMINED.items()}
        taught = [(f"{world}, {scenes}", first(worlds[world], scenes)) for world, scenes in ROWS]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    taught.append(("both, all", StoredViews([*worlds["known"], *worlds["varied"]])))
    rows = {}
    for name, views in taught:
        task = learned(views, steps, seed)
        rows[name] = {
            "scenes": len(views) // VIEWS,
            **{world: named(task, each) for world, each in asked.items()},
        }
        if output is not None:
            output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    table = Table(title=f"kinds named rightly from crops alone, {steps} steps", title_justify="left")
    for heading in ("world, scenes", "scenes", "known designs", "new designs"):
        table.add_column(heading, justify="left" if heading.startswith("world") else "right")
    for name, row in rows.items():
        table.add_row(name, str(row["scenes"]), f"{row['known']:.3f}", f"{row['new']:.3f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
