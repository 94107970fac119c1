"""Choose the score above which a query is a target, on held-out samples, and write it into a model's folder.

python -m ivm_ros.training.instancevg.calibrate RUN/best --store STORE

The published threshold of 0.7 suits the published training. A model that was trained for an hour is less sure
of itself, and finds nothing at 0.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import numpy as np
import torch
import typer
from rich import print as show
from rich.progress import track

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.models.instancevg.folder import CONFIG, read_checkpoint
from ivm_ros.models.instancevg.grounder import InstanceVgGrounder
from ivm_ros.models.instancevg.reading import Answer
from ivm_ros.training.samples import HeldOut, open_held_out

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)


def worth(grounder: InstanceVgGrounder, held_out: Dataset[Sample]) -> dict[float, float]:
    """Return how good the answers are by threshold.

    That is gRefCOCO's gIoU: the mean over all samples of the merged mask's overlap (IoU) with all targets;
    where there is none, 1 if nothing was found, else 0.

    Args:
        grounder: of any threshold; how else answers are read is taken from it.
        held_out: samples with masks, of which some should have no target.
    """
    rules = [replace(grounder.rules, score_threshold=value) for value in THRESHOLDS]
    scores = []
    for sample in track(held_out, "asking", len(held_out)):
        features = grounder.encode(sample.image)
        found = grounder.look(features, [sample.instruction])
        answers = [Answer(found, 0, grounder.model.config.image_size, features.size, rule) for rule in rules]
        scores.append([_score(answer, sample) for answer in answers])
    return dict(zip(THRESHOLDS, np.mean(scores, axis=0).tolist(), strict=True))


def _score(answer: Answer, sample: Sample) -> float:
    reading = answer.read()
    if not sample.present:
        return float(not reading.found)
    if not reading.found:
        return 0.0
    truth = np.logical_or.reduce(list(sample.masks))
    intersection, union = mask_overlap(reading.mask, truth, sample.ignored)
    return intersection / union


def best(worths: Mapping[float, float]) -> float:
    """Return the threshold of the best answers; of equals the highest."""
    return max(worths, key=lambda threshold: (worths[threshold], threshold))


def calibrate(folder: Path, held_out: Dataset[Sample]) -> dict[float, float]:
    """Write the best threshold into a folder's configuration, and return `worth`.

    Args:
        folder: as training or `ivm-ros convert` wrote it.
        held_out: samples with masks.

    Raises:
        CheckpointError: it is no such folder.
        ValueError: there are no samples.
    """
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"expected a folder with a {CONFIG} that training wrote, got {folder}")
    if not len(held_out):
        raise ValueError("expected held-out samples to choose a threshold by, got none")
    model, tokenizer = read_checkpoint(folder, torch.float32, torch.device("cpu"))
    worths = worth(InstanceVgGrounder(model, tokenizer, targets="all"), held_out)
    config = replace(model.config, score_threshold=best(worths))
    (folder / CONFIG).write_text(config.to_json(), encoding="utf-8")
    return worths


def main(
    folder: Annotated[Path, typer.Argument(help="Of the model.")],
    store: Annotated[Optional[Path], typer.Option(help="Rendered views.")] = None,  # noqa: UP045
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A dataset instead, as --validation of `ivm-ros train`."),
    ] = None,
    root: Annotated[Optional[Path], typer.Option(help="Of a published dataset.")] = None,  # noqa: UP045
    held_out: Annotated[int, typer.Option(min=1, help="Most samples to ask.")] = 500,
) -> None:
    """Choose a model's threshold."""
    items = open_held_out(data, root, store)
    if items is None:
        raise ValueError("expected --store or --data to choose a threshold by, got none")
    worths = calibrate(folder, HeldOut(items, held_out))
    show({threshold: round(value, 3) for threshold, value in worths.items()})
    show(f"score_threshold {best(worths)} written to {folder / CONFIG}")


if __name__ == "__main__":
    typer.run(main)
