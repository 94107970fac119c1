"""Calibrate trained weights of ivm-tiny on validation scenes, and score them on test scenes.

python -m ivm_ros.training.ivm_tiny.calibrate --weights WEIGHTS --validation FOLDER --test FOLDER --output OUT

That anything is meant becomes a probability by logistic regression on the existence head and on the highest
object; its threshold is the highest that keeps a given share of the present targets. That an object is meant
becomes one by Platt scaling (Platt, 1999); its threshold, and that of the masks' pixels, give the best gIoU.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
import typer
from rich import print as show
from rich.console import Console
from torch import Tensor

from ivm_ros.checkpoints import read_metadata
from ivm_ros.datasets.folder import Folder
from ivm_ros.evaluation.runner import evaluate
from ivm_ros.models.ivm_tiny.grounder import Calibration, TinyGrounder, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.training.ivm_tiny.clues import MASK_THRESHOLDS, UNCLEAR, Clues, gather

TARGET_THRESHOLDS = tuple(step / 20 for step in range(4, 17))
"""Probabilities that are tried as the one from which an object is a target."""

_PULL = 1e-4
"""Weight of the squared parameters: keeps them finite where all is told apart."""


def calibrate(clues: Sequence[Clues], keep: float) -> Calibration:
    """Return the calibration that fits validation samples.

    Args:
        clues: of present and of absent targets.
        keep: share of the present targets that must pass the existence threshold.
    """
    return calibrate_objects(calibrate_existence(Calibration(), clues, keep), clues)


def calibrate_existence(start: Calibration, clues: Sequence[Clues], keep: float) -> Calibration:
    """Return a calibration with the part anew that says whether anything is meant; see `calibrate`."""
    heads = np.array([clue.head for clue in clues], np.float32)
    highest = np.array([clue.peak for clue in clues], np.float32)
    present = np.array([clue.present for clue in clues])
    values = torch.tensor(np.stack([np.ones_like(heads), heads, highest], axis=1), dtype=torch.float64)
    bias, head, peak = _fitted(torch.zeros(3), present, lambda weights: values @ weights)
    fitted = replace(start, bias=bias, head=head, peak=peak)
    chances = fitted.anything(heads[present], highest[present]).astype(np.float64)
    # rounded down: rounding up could drop the very target that the threshold is of
    threshold = float(np.floor(np.quantile(chances, 1 - keep, method="lower") * 1e4) / 1e4)
    return replace(fitted, existence=threshold)


def calibrate_objects(start: Calibration, clues: Sequence[Clues]) -> Calibration:
    """Return a calibration with the part anew that says which objects are meant; see `calibrate`."""
    logits = np.concatenate([clue.objects[clue.meant != UNCLEAR] for clue in clues])
    meant = np.concatenate([clue.meant[clue.meant != UNCLEAR] for clue in clues]) == 1
    values = torch.tensor(logits, dtype=torch.float64)
    # by its logarithm, so that the scale is positive: a higher logit never means a lower probability
    shift, log_scale = _fitted(torch.zeros(2), meant, lambda weights: weights[0] + values * weights[1].exp())
    fitted = replace(start, shift=shift, scale=float(np.exp(log_scale)))
    target, mask = best_thresholds(fitted, clues)
    return replace(fitted, target=target, mask=mask)


def _fitted(weights: Tensor, truth: npt.NDArray[np.bool_], logits: Callable[[Tensor], Tensor]) -> list[float]:
    """Return the weights under which `logits` of them fit a truth best, by the binary cross entropy."""
    weights = weights.double().requires_grad_()
    expected = torch.tensor(truth, dtype=torch.float64)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(logits(weights), expected)
        value = value + _PULL * weights.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    found: list[float] = weights.tolist()
    return found


def best_thresholds(calibration: Calibration, clues: Sequence[Clues]) -> tuple[float, float]:
    """Return the thresholds of targets and of pixels with the best gIoU; of equals, those nearest to 0.5."""
    rows = []
    for clue in clues:
        if clue.present:
            chances = calibration.each(clue.objects)
            counts = [int((chances >= threshold).sum()) for threshold in TARGET_THRESHOLDS]
            rows.append(clue.overlap[[min(max(1, count), len(clue.overlap)) - 1 for count in counts]])
    giou = np.mean(rows, axis=0).round(6)
    away = np.add.outer(
        np.abs(np.subtract(TARGET_THRESHOLDS, 0.5)), np.abs(np.subtract(MASK_THRESHOLDS, 0.5))
    )
    target, mask = np.unravel_index(int(np.lexsort((away.ravel(), -giou.ravel()))[0]), giou.shape)
    return TARGET_THRESHOLDS[target], MASK_THRESHOLDS[mask]


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
    show({name: report[name] for name in ("samples", "metrics", "by_tag")})
    for name, found in report["calibration"].items():
        show(f"expected calibration error of {name}: {found['ece']:.3f} over {found['samples']}")
    output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
