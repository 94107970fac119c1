"""`ivm-ros eval`: a model measured on a dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ivm_ros.cli.choice import ModelChoice
from ivm_ros.datasets.registry import open_any
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.fingerprint import fingerprint, package_fingerprint
from ivm_ros.evaluation.gathering import joined
from ivm_ros.evaluation.journal import Journal
from ivm_ros.evaluation.page.document import document
from ivm_ros.evaluation.report import COLUMNS, Report, shown
from ivm_ros.evaluation.runner import draw_cases, evaluate, samples_here
from ivm_ros.models.registry import pick_device


def run_eval(
    dataset: str,
    root: Path | None,
    choice: ModelChoice,
    output: Path | None,
    folder: Path | None,
    strict: bool,
) -> None:
    """Evaluate, print a table, and write JSON and report; of several processes the first one tells.

    Args:
        dataset: a folder, or with `root` a published dataset's NAME:SPLIT.
        root: that a published dataset lies in.
        choice: the model.
        output: JSON file for the numbers.
        folder: for the report; a run that was killed goes on from what is in it.
        strict: stop at a bad record.
    """
    with Console(stderr=True).status(f"reading {escape(dataset)}"):
        samples = open_any(dataset, root, skip_bad=not strict)
    if not len(samples):
        raise ValueError(f"expected at least one sample in {dataset}, got none")
    with joined() as place, ExitStack() as stack:
        console = Console(stderr=True, quiet=place.rank > 0)
        run = {} if folder is None else _run(dataset, root, choice, samples, place.world)
        journal = None if folder is None else stack.enter_context(_journal(folder, run, samples, console))
        grounder = choice.load()
        report = evaluate(grounder, samples, console, journal)
        if place.rank == 0:
            title = f"{choice.name} on {Path(dataset).name if root else Path(dataset).resolve().name}"
            _tell(report, title)
            result = {"model": choice.name, "dataset": dataset, **report.to_json()}
            for file in filter(None, (output, folder and folder / "result.json")):
                _write(file, json.dumps(result, indent=2) + "\n")
            if folder is not None:
                pictures = draw_cases(grounder, samples, report, console)
                _write(folder / "report.html", document(title, run, report, pictures))
    if not report.overall.samples:
        raise ValueError(f"expected at least one usable sample in {dataset}, got none")


def _run(
    dataset: str, root: Path | None, choice: ModelChoice, samples: Dataset[Sample], processes: int
) -> dict[str, str]:
    """Return what the numbers depend on, by name."""
    where = str(Path(dataset).resolve()) if root is None else f"{dataset} in {root.resolve()}"
    index = " ".join(map(fingerprint, samples.annotations))
    weights = "those of the package"
    if choice.checkpoint is not None:
        path = choice.checkpoint.expanduser().resolve()
        weights = f"{path} ({fingerprint(path)})"
    return {
        "model": choice.name,
        "weights": weights,
        "options": " ".join(sorted(choice.options)) or "none",
        "device": str(pick_device(choice.device)),
        "dataset": f"{where} (index {index})",
        "samples": str(len(samples)),
        "bad records": "are skipped" if samples.skip_bad else "stop it",
        "processes": str(processes),
        "package": f"ivm_ros (files {package_fingerprint()})",
    }


def _journal(folder: Path, run: Mapping[str, str], samples: Dataset[Sample], console: Console) -> Journal:
    """Open the journal of this process's samples in the report's folder, and say what is in it."""
    here = samples_here(samples)
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / (f"samples_{here.start}.jsonl" if here.start else "samples.jsonl"), run, here)
    if journal.done:
        text = f"going on after {journal.done} of {len(here)} samples in {journal.path}"
        if journal.done == len(here):
            text = f"all samples are in {journal.path} already; delete it to measure again"
        console.print(text, highlight=False, soft_wrap=True, markup=False)
    return journal


def _tell(report: Report, title: str) -> None:
    console = Console()
    console.print(_table(report, title))
    for problem in report.skipped[:5]:
        console.print(f"[yellow]skipped[/] {escape(problem)}", highlight=False, soft_wrap=True)
    if len(report.skipped) > 5:
        console.print(f"[yellow]skipped[/] {len(report.skipped) - 5} more")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    Console().print(f"written to {file}", highlight=False, soft_wrap=True, markup=False)


def _table(report: Report, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("questions")
    table.add_column("samples", justify="right")
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right")
    for name, metrics in report.rows().items():
        values = metrics.fractions()
        cells = (shown(values[key]) for key in COLUMNS)
        table.add_row(escape(name), str(metrics.samples), *cells, end_section=metrics is not report.overall)
    return table
