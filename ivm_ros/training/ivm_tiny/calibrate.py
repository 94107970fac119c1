"""Calibrate trained weights of ivm-tiny on validation scenes, and score them on test scenes.

python -m ivm_ros.training.ivm_tiny.calibrate --weights WEIGHTS --validation FOLDER --test FOLDER --output OUT

Existence becomes a probability by logistic regression on the existence head and on the mask's peak. Its
threshold is the highest that keeps a given share of the present targets.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from rich import print as show
from rich.console import Console
from rich.progress import track

from ivm_ros.checkpoints import read_metadata
from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.evaluation.runner import evaluate
from ivm_ros.models.ivm_tiny.grounder import Calibration, TinyGrounder, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny

_MASK_THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


@dataclass(frozen=True)
class Clues:
    """What the network says to one sample, and what is true.

    Attributes:
        present: whether anything matches.
        head: the existence head's logit.
        peak: the highest smoothed mask logit.
        overlap: mask IoU at each of `_MASK_THRESHOLDS`; empty where nothing matches.
    """

    present: bool
    head: float
    peak: float
    overlap: tuple[float, ...] = ()


def gather(grounder: TinyGrounder, dataset: Dataset[Sample]) -> list[Clues]:
    """Ask the network about every sample of a dataset, without any threshold."""
    clues = []
    for sample in track(dataset, "asking", len(dataset)):
        heatmap, head, peak = grounder.look(grounder.encode(sample.image), [sample.instruction])[0]
        overlap: list[float] = []
        if sample.masks:
            truth = np.logical_or.reduce(list(sample.masks))
            for threshold in _MASK_THRESHOLDS:
                intersection, union = mask_overlap(heatmap > threshold, truth)
                overlap.append(intersection / union)
        clues.append(Clues(bool(sample.masks), head, peak, tuple(overlap)))
    return clues


def fit_existence(clues: Sequence[Clues]) -> Calibration:
    """Fit the logistic regression of existence on the head's logit and the mask's peak."""
    values = torch.tensor([[1.0, clue.head, clue.peak] for clue in clues], dtype=torch.float64)
    present = torch.tensor([clue.present for clue in clues], dtype=torch.float64)
    weights = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(values @ weights, present) + 1e-4 * weights.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    bias, head, peak = weights.tolist()
    return Calibration(bias, head, peak)


def calibrate(clues: Sequence[Clues], keep: float) -> Calibration:
    """Return the calibration that fits validation samples.

    Args:
        clues: of present and of absent targets.
        keep: share of the present targets that must pass the existence threshold.
    """
    fitted = fit_existence(clues)
    present = [clue for clue in clues if clue.present]
    threshold = float(np.quantile([fitted.probability(clue.head, clue.peak) for clue in present], 1 - keep))
    overlap = np.mean([clue.overlap for clue in present], axis=0)
    return replace(fitted, existence=round(threshold, 4), mask=_MASK_THRESHOLDS[int(np.argmax(overlap))])


def _resized(model: IvmTiny, width: int | None, height: int | None) -> IvmTiny:
    config = model.config
    resized = IvmTiny(replace(config, width=width or config.width, height=height or config.height))
    resized.load_state_dict(model.state_dict())
    return resized.eval()


def main(
    weights: Annotated[Path, typer.Option(help="weights of a training run")],
    validation: Annotated[Path, typer.Option(help="folder dataset to calibrate on")],
    test: Annotated[Path, typer.Option(help="folder dataset to score")],
    output: Annotated[
        Path, typer.Option(help="safetensors file to write; the scores go beside it, as .json")
    ],
    keep: Annotated[float, typer.Option(min=0.5, max=1.0, help="share of present targets to keep")] = 0.95,
    width: Annotated[
        int | None, typer.Option(help="of the network's input; the trained one if not given")
    ] = None,
    height: Annotated[int | None, typer.Option(help="of the network's input, likewise")] = None,
) -> None:
    """Calibrate ivm-tiny and score it."""
    model = _resized(load_weights(weights)[0], width, height)
    cpu = torch.device("cpu")
    notes = {key: value for key, value in read_metadata(weights).items() if key == "step"}
    calibration = calibrate(gather(TinyGrounder(model, Calibration(), cpu), Folder(validation)), keep)
    show(calibration)
    save_weights(_resized(load_weights(weights)[0], width, height), output, notes, calibration)
    report = evaluate(TinyGrounder(*load_weights(output), cpu), Folder(test), Console()).to_json()
    show(report)
    output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
