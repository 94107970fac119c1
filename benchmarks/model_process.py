"""What a process of its own costs a model: the same frames here and there, in turns.

python benchmarks/model_process.py
python benchmarks/model_process.py --python ~/other/bin/python --size 1920x1080

Frames are those of the recorded clip, enlarged where asked for. Answers must be the same to the last bit
before anything is timed, unless --python names another environment, whose torch may round in another way.
Both models want all cores, but never at the same time. The first rows are of a model that answers at once
(instant_model.py): all of their time is the way there and back.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from instant_model import InstantGrounder
from rich.console import Console
from rich.table import Table

from ivm_ros.bench.timing import Plan, interleave, measured
from ivm_ros.clip import load_clip
from ivm_ros.grounding import Grounder, Grounding, Image
from ivm_ros.models import load
from ivm_ros.remote import load_remote


def main(
    model: Annotated[str, typer.Option(help="To load in both places.")] = "ivm-tiny",
    checkpoint: Annotated[str, typer.Option(help="Of the model.")] = "",
    device: Annotated[str, typer.Option(help="Of the model.")] = "auto",
    python: Annotated[str, typer.Option(help="That runs the process.")] = sys.executable,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the frames.")] = "640x480",
    instructions: Annotated[list[int], typer.Option(min=1, help="How many at once.")] = [1, 4],  # noqa: B006
    seconds: Annotated[float, typer.Option(min=0.0, help="To measure each row for.")] = 20.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="To write the numbers to.")] = None,
) -> None:
    """Print milliseconds per frame, from image to groundings, in this process and in one of its own."""
    width, height = (int(side) for side in size.split("x"))
    clip = load_clip()
    frames = [cv2.resize(frame, (width, height)) for frame, _ in zip(clip.frames(), range(8), strict=False)]
    words = (list(clip.instructions) * max(instructions))[: max(instructions)]
    same_python = os.path.abspath(python) == os.path.abspath(sys.executable)  # links tell environments apart
    beside = {"PYTHONPATH": str(Path(__file__).parent)}
    pairs = {
        "instant": lambda: (
            InstantGrounder(),
            load_remote(python, "instant", loader="instant_model:load", environment=beside),
        ),
        model: lambda: (
            load(model, checkpoint or None, device),
            load_remote(python, model, checkpoint or None, device),
        ),
    }
    rows = []
    for name, pair in pairs.items():
        here, there = pair()
        with closing(there):
            if same_python:
                check_same(here, there, frames[0], words)
            rows += [
                {"model": name, **row(here, there, frames, words[:count], seconds)} for count in instructions
            ]
    table = Table(title=f"{size}: ms per frame, median (10th to 90th percentile of rounds)")
    for column in (
        "model",
        "instructions",
        "in this process",
        "in its own",
        "added, frame by frame",
        "rounds",
    ):
        table.add_column(column, justify="right")
    for result in rows:
        cells = (
            f"{result[name][1]:.2f} ({result[name][0]:.2f} to {result[name][2]:.2f})"
            for name in ("here", "there", "added")
        )
        table.add_row(result["model"], str(result["instructions"]), *cells, str(result["rounds"]))
    Console(width=110).print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"size": size, "rows": rows}, indent=1) + "\n")


def row(
    here: Grounder, there: Grounder, frames: Sequence[Image], words: Sequence[str], seconds: float
) -> dict[str, Any]:
    """Time both on the same frames in turns; return percentiles 10, 50 and 90 in milliseconds."""
    turns = {"here": Turns(here, frames, words), "there": Turns(there, frames, words)}
    times = interleave(turns, Plan(seconds=seconds, rounds=20, limit=4.0 * seconds))
    spreads = {name: measured(taken) for name, taken in times.items()}
    added = np.percentile((times["there"] - times["here"]) * 1000.0, (10, 50, 90))
    return {
        "instructions": len(words),
        "rounds": len(times["here"]),
        **{name: [spread.low, spread.value, spread.high] for name, spread in spreads.items()},
        "added": added.tolist(),
    }


class Turns:
    """Grounds the next frame at each call."""

    def __init__(self, grounder: Grounder, frames: Sequence[Image], words: Sequence[str]) -> None:
        self._grounder = grounder
        self._frames = frames
        self._words = words
        self._turn = 0

    def __call__(self) -> list[Grounding]:
        """Return the groundings of a frame."""
        frame = self._frames[self._turn % len(self._frames)]
        self._turn += 1
        return self._grounder.ground_many(self._grounder.encode(frame), self._words)


def check_same(here: Grounder, there: Grounder, frame: Image, words: Sequence[str]) -> None:
    """End with status 1 unless both give the same heatmaps, masks and numbers."""
    for ours, theirs in zip(
        *(one.ground_many(one.encode(frame), words) for one in (here, there)), strict=True
    ):
        same = (
            np.array_equal(ours.heatmap, theirs.heatmap)
            and np.array_equal(ours.mask, theirs.mask)
            and ours.existence == theirs.existence
            and [(t.box, t.point, t.score) for t in ours.targets]
            == [(t.box, t.point, t.score) for t in theirs.targets]
        )
        if not same:
            typer.echo(f"the answers to {ours.instruction!r} differ; nothing is timed", err=True)
            raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
