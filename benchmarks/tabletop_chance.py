"""What gIoU is worth on the rendered tabletop: that of answers which do not read the words.

python benchmarks/tabletop_chance.py STORE

Of held-out views, with true masks: all objects in view, and one object of those by chance. A model that only
cuts out things well, whatever is asked, lies between the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.training.samples import HeldOut, RenderedSample, TabletopItems


def main(
    store: Annotated[Path, typer.Argument(help="Of rendered views, with a validation split.")],
    held_out: Annotated[int, typer.Option(min=1, help="Most questions.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the choice.")] = 0,
) -> None:
    """Print the gIoU of answers that do not read the words."""
    generator = np.random.default_rng(seed)
    scores = []
    for sample in HeldOut(TabletopItems(store, "validation", changed=False), held_out):
        if not (isinstance(sample, RenderedSample) and sample.present):
            continue
        truth = np.logical_or.reduce(list(sample.masks))
        numbers = np.unique(sample.instances[sample.instances > 0])
        guesses = sample.instances > 0, sample.instances == generator.choice(numbers)
        overlaps = (mask_overlap(guess, truth, sample.ignored) for guess in guesses)
        scores.append([intersection / union for intersection, union in overlaps])
    everything, one = np.mean(scores, axis=0)
    typer.echo(
        f"{len(scores)} questions with a target: all objects {everything:.3f}, one by chance {one:.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
