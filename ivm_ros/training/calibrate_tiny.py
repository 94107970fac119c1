"""Calibrate trained weights of ivm-tiny on validation scenes, and score them on test scenes.

python -m ivm_ros.training.calibrate_tiny --weights RUN/ivm_tiny.safetensors --store STORE --output OUT

Existence becomes a probability by logistic regression on the existence head and on the mask's peak. Its
threshold is the highest that keeps a given share of the present targets.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from rich import print as show
from rich.progress import track

from ivm_ros.checkpoints import read_metadata
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.grounding import Grounding, Target
from ivm_ros.models.instances import targets_from_heatmap
from ivm_ros.models.ivm_tiny.grounder import Calibration, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.training.data import ShardPool
from ivm_ros.training.scoring import Case, answer_cases

_MASK_THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


def fit_existence(cases: Sequence[Case]) -> Calibration:
    """Fit the logistic regression of existence on the head's logit and the mask's peak."""
    clues = torch.tensor([[1.0, case.existence, case.peak] for case in cases], dtype=torch.float64)
    present = torch.tensor([case.present for case in cases], dtype=torch.float64)
    weights = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(clues @ weights, present) + 1e-4 * weights.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    bias, head, peak = weights.tolist()
    return Calibration(bias, head, peak)


def calibrate(cases: Sequence[Case], keep: float) -> Calibration:
    """Return the calibration that fits validation cases.

    Args:
        cases: answered questions, present and absent.
        keep: share of the present targets that must pass the existence threshold.
    """
    fitted = fit_existence(cases)
    existing = [fitted.probability(case.existence, case.peak) for case in cases if case.present]
    threshold = float(np.quantile(existing, 1 - keep))
    present = [case for case in cases if case.present]
    overlap = {value: np.mean([case.iou(value) for case in present]) for value in _MASK_THRESHOLDS}
    return replace(fitted, existence=round(threshold, 4), mask=max(overlap, key=lambda value: overlap[value]))


def score(cases: Sequence[Case], calibration: Calibration) -> dict[str, dict[str, Any]]:
    """Return the metrics of `evaluation.metrics`, in all and by tag, with masks gated by existence."""
    sums: dict[str, Metrics] = {}
    for case in cases:
        grounding = _grounding(case, calibration)
        truth = [Target.from_mask(mask, 1.0) for mask in case.truths]
        for name in ("all", case.question.tag):
            sums.setdefault(name, Metrics()).add(
                grounding, [target.mask for target in truth], [target.box for target in truth]
            )
    return {
        name: {"samples": metrics.samples, **metrics.fractions()} for name, metrics in sorted(sums.items())
    }


def _grounding(case: Case, calibration: Calibration) -> Grounding:
    existence = calibration.probability(case.existence, case.peak)
    heatmap = np.where(case.counted, case.probability, np.float32(0))
    found = existence >= calibration.existence
    targets = targets_from_heatmap(heatmap, calibration.mask) if found else ()
    return Grounding(case.question.text, heatmap, targets, existence)


def answer_split(model: IvmTiny, store: Path, split: str, seed: int) -> list[Case]:
    """Answer four questions about every view of a split."""
    pool = ShardPool(store, split)
    batches = answer_cases(model, pool, len(pool), seed=seed)
    return [case for _, cases in track(batches, f"answering {split}", -(-len(pool) // 8)) for case in cases]


def main(
    weights: Annotated[Path, typer.Option(help="weights of a training run")],
    store: Annotated[Path, typer.Option(help="folder with validation and test shards")],
    output: Annotated[
        Path, typer.Option(help="safetensors file to write; the scores go beside it, as .json")
    ],
    keep: Annotated[float, typer.Option(min=0.5, max=1.0, help="share of present targets to keep")] = 0.93,
    seed: Annotated[int, typer.Option(help="of the questions")] = 1,
) -> None:
    """Calibrate ivm-tiny and score it."""
    model, _ = load_weights(weights)
    calibration = calibrate(answer_split(model, store, "validation", seed), keep)
    show(calibration)
    scores = score(answer_split(model, store, "test", seed), calibration)
    show(scores)
    notes = {key: value for key, value in read_metadata(weights).items() if key == "step"}
    save_weights(model, output, notes, calibration)
    output.with_suffix(".json").write_text(json.dumps(scores, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
