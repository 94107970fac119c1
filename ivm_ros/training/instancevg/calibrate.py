"""Choose the score above which a query is a target, on held-out samples, and write it into a model's folder.

python -m ivm_ros.training.instancevg.calibrate RUN/last --store STORE

The published threshold of 0.7 suits the published training. A model that was trained for an hour is less sure
of itself, and finds nothing at 0.7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Optional

import numpy as np
import torch
import typer
from rich import print as show
from rich.progress import track

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.models.instancevg.folder import CONFIG, read_checkpoint
from ivm_ros.models.instancevg.grounder import InstanceVgGrounder
from ivm_ros.models.instancevg.reading import Answer
from ivm_ros.training.samples import HeldOut, open_held_out

LOWEST, HIGHEST = 0.01, 0.99
"""Bounds of a threshold."""


@dataclass(frozen=True)
class Calibrated:
    """What was chosen.

    Attributes:
        threshold: the highest, of two digits, that keeps the wanted share.
        kept: share of the texts with a target for which something is found.
        rejected: share of the texts without one for which nothing is found; NaN where there are none.
    """

    threshold: float
    kept: float
    rejected: float


def choose(present: np.ndarray, absent: np.ndarray, keep: float) -> Calibrated:
    """Return the highest threshold that keeps a share of what is there.

    Args:
        present: (N,) highest score of each text with a target; N is at least 1.
        absent: (M,) of each text without one.
        keep: the share.
    """
    needed = max(math.ceil(keep * len(present) - 1e-9), 1)
    least = float(np.sort(present)[-needed])
    # a score has to be above the threshold
    threshold = round(min(max((math.ceil(least * 100) - 1) / 100, LOWEST), HIGHEST), 2)
    rejected = float((absent <= threshold).mean()) if len(absent) else math.nan
    return Calibrated(threshold, float((present > threshold).mean()), rejected)


def calibrate(folder: Path, held_out: Dataset[Sample], keep: float = 0.95) -> Calibrated:
    """Write the threshold that suits held-out samples into a folder's configuration, and return it.

    Args:
        folder: as training or `ivm-ros convert` wrote it.
        held_out: samples, some of them with a target.
        keep: share of those for which something must be found.

    Raises:
        CheckpointError: it is no such folder.
        ValueError: no sample has a target.
    """
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"expected a folder with a {CONFIG} that training wrote, got {folder}")
    model, tokenizer = read_checkpoint(folder, torch.float32, torch.device("cpu"))
    grounder = InstanceVgGrounder(model, tokenizer)
    scores: dict[bool, list[float]] = {True: [], False: []}
    for sample in track(held_out, "asking", len(held_out)):
        scores[sample.present].append(_highest(grounder, sample))
    if not scores[True]:
        raise ValueError("expected held-out samples with targets to choose a threshold by, got none")
    chosen = choose(np.array(scores[True]), np.array(scores[False]), keep)
    config = replace(model.config, score_threshold=chosen.threshold)
    (folder / CONFIG).write_text(config.to_json(), encoding="utf-8")
    return chosen


def _highest(grounder: InstanceVgGrounder, sample: Sample) -> float:
    features = grounder.encode(sample.image)
    found = grounder.look(features, [sample.instruction])
    answer = Answer(found, 0, grounder.model.config.image_size, features.size, grounder.rules)
    return float(answer.read().scores.max(initial=0.0))


def main(
    folder: Annotated[Path, typer.Argument(help="Of the model.")],
    store: Annotated[Optional[Path], typer.Option(help="Rendered views.")] = None,  # noqa: UP045
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A dataset instead, as --validation of `ivm-ros train`."),
    ] = None,
    root: Annotated[Optional[Path], typer.Option(help="Of a published dataset.")] = None,  # noqa: UP045
    held_out: Annotated[int, typer.Option(min=1, help="Most samples to ask.")] = 500,
    keep: Annotated[float, typer.Option(min=0.5, max=1.0, help="Share of what is there to find.")] = 0.95,
) -> None:
    """Choose a model's threshold."""
    items = open_held_out(data, root, store)
    if items is None:
        raise ValueError("expected --store or --data to choose a threshold by, got none")
    chosen = calibrate(folder, HeldOut(items, held_out), keep)
    show(f"kept {chosen.kept:.3f} of what is there, rejected {chosen.rejected:.3f} of what is not")
    show(f"score_threshold {chosen.threshold} written to {folder / CONFIG}")


if __name__ == "__main__":
    typer.run(main)
