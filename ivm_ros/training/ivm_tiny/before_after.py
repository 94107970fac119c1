"""What comes after fine-tuning: thresholds chosen anew, and a report of before and after."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from rich.console import Console

from ivm_ros.checkpoints import read_metadata
from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.comparison import Comparison, compare
from ivm_ros.evaluation.page.comparison import comparison_page, triples
from ivm_ros.models.ivm_tiny.grounder import Calibration, TinyGrounder, load_weights, save_weights
from ivm_ros.training.ivm_tiny.calibrate import calibrate_existence, calibrate_objects
from ivm_ros.training.ivm_tiny.clues import gather

BEST = "best.safetensors"
SHOWN = ("giou", "ciou", "acc_50", "n_acc", "t_acc")
"""Metrics that runs show."""

_ENOUGH = 20  # samples of each kind to choose a threshold by
_KEEP = 0.95
_SUREST = 0.5  # no threshold above: where all is told apart, the share to keep would put it next to 1


def refit(grounder: TinyGrounder, held_out: Dataset[Sample]) -> tuple[Calibration, str]:
    """Choose thresholds anew on samples that were not trained on, as far as there are enough of them.

    Returns:
        The calibration, and what was done in words.
    """
    clues, start = gather(grounder, held_out), grounder.calibration
    present = sum(clue.present for clue in clues)
    absent = len(clues) - present
    if min(present, sum(bool((clue.meant == 1).any()) for clue in clues)) < _ENOUGH:
        return start, (
            f"Thresholds are those of the start: {present} questions with a target are too few to choose by "
            f"({_ENOUGH} whose targets are found as objects are enough)."
        )
    fitted = calibrate_objects(start, clues)
    if absent < _ENOUGH:
        return fitted, (
            "Scores and thresholds of targets and masks were chosen on the validation pictures; existence is "
            f"the start's, since {absent} questions without a target are too few to choose by ({_ENOUGH} are "
            "enough)."
        )
    fitted = calibrate_existence(fitted, clues, _KEEP)
    return replace(fitted, existence=min(fitted.existence, _SUREST)), (
        "Scores, existence and all thresholds were chosen on the validation pictures too, so that "
        f"at least {_KEEP:.0%} of the targets are kept there; on new pictures expect a little less."
    )


def finish(
    output: Path,
    start: Path,
    device: torch.device,
    held_out: Dataset[Sample],
    name: str,
    also: Sequence[Path],
    about: dict[str, str],
) -> dict[str, float]:
    """Calibrate the best weights, compare them with the start, write the report; return their scores.

    Args:
        output: folder of the run, with `BEST`.
        start: the weights before.
        device: to run on.
        held_out: samples to choose thresholds by and to compare on.
        name: of these.
        also: folders to compare on besides.
        about: what the run was.
    """
    console, best = Console(stderr=True), output / BEST
    notes = {key: value for key, value in read_metadata(best).items() if key == "tuned"}
    calibration, said = refit(TinyGrounder(*load_weights(best), device), held_out)
    save_weights(load_weights(best)[0], best, notes, calibration)
    before = TinyGrounder(*load_weights(start), device)
    after = TinyGrounder(*load_weights(best), device)
    compared = [compare(f"validation: {name}", before, after, held_out, console)]
    for path in also:
        compared.append(compare(str(path), before, after, Folder(path, skip_bad=True), console))
    for comparison in compared:
        console.print(
            f"{comparison.name}: {comparison.line()}", highlight=False, soft_wrap=True, markup=False
        )
    said = f"The best weights of the run were chosen by gIoU on the validation pictures. {said}"
    run = {**about, "weights": str(best), "thresholds": json.dumps(asdict(calibration))}
    _write(output, compared, [said], run, triples(compared[0], before, after, held_out))
    fractions = compared[0].after.overall.fractions()
    return {key: value for key in SHOWN if (value := fractions[key]) is not None}


def _write(
    output: Path,
    compared: Sequence[Comparison],
    notes: Sequence[str],
    run: dict[str, str],
    pictures: dict[int, str],
) -> None:
    page = comparison_page("ivm-tiny before and after", notes, run, compared, pictures)
    (output / "report.html").write_text(page, encoding="utf-8")
    values = {"run": run, "notes": list(notes), "datasets": [each.to_json() for each in compared]}
    (output / "report.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
