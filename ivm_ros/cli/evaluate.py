"""`ivm-ros eval`: a model measured on a dataset."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ivm_ros.cli.choice import ModelChoice
from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.registry import available, open_dataset
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.gathering import joined
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.evaluation.runner import Report, evaluate

_COLUMNS = {
    "giou": "gIoU",
    "ciou": "cIoU",
    "acc_50": "box Acc@0.5",
    "n_acc": "no-target acc",
    "t_acc": "kept",
}


def run_eval(dataset: str, root: Path | None, choice: ModelChoice, output: Path | None, strict: bool) -> None:
    """Evaluate, print a table, and write the JSON; of several processes the first one tells."""
    with Console(stderr=True).status(f"reading {escape(dataset)}"):
        samples = open_samples(dataset, root, skip_bad=not strict)
    if not len(samples):
        raise ValueError(f"expected at least one sample in {dataset}, got none")
    with joined() as place:
        report = evaluate(choice.load(), samples, Console(stderr=True, quiet=place.rank > 0))
    if place.rank == 0:
        _tell(report, dataset, choice, output)
    if not report.overall.samples:
        raise ValueError(f"expected at least one usable sample in {dataset}, got none")


def _tell(report: Report, dataset: str, choice: ModelChoice, output: Path | None) -> None:
    console = Console()
    console.print(_table(report, f"{choice.name} on {Path(dataset).name}"))
    for problem in report.skipped[:5]:
        console.print(f"[yellow]skipped[/] {escape(problem)}", highlight=False, soft_wrap=True)
    if len(report.skipped) > 5:
        console.print(f"[yellow]skipped[/] {len(report.skipped) - 5} more")
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        result = {"model": choice.name, "dataset": dataset, **report.to_json()}
        output.write_text(json.dumps(result, indent=2) + "\n")
        console.print(f"written to {output}", highlight=False, soft_wrap=True)


def open_samples(dataset: str, root: Path | None, skip_bad: bool) -> Dataset[Sample]:
    """Open a folder in the folder format, or with `root` a published dataset's NAME:SPLIT that lies there."""
    name, colon, split = dataset.partition(":")
    if root is None:
        if name in available():
            raise ValueError(f"expected --root with the folder that {name} lies in, got none")
        return Folder(Path(dataset), skip_bad)
    if not (name and colon and split):
        raise ValueError(f"expected --dataset NAME:SPLIT, such as refcoco-unc:testA, got {dataset!r}")
    return open_dataset(name, split, root, skip_bad)


def _table(report: Report, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("questions")
    table.add_column("samples", justify="right")
    for heading in _COLUMNS.values():
        table.add_column(heading, justify="right")
    rows = {**dict(sorted(report.by_tag.items())), "all": report.overall}
    for name, metrics in rows.items():
        table.add_row(name, str(metrics.samples), *_cells(metrics), end_section=name != "all")
    return table


def _cells(metrics: Metrics) -> list[str]:
    fractions = metrics.fractions()
    values = [fractions[name] for name in _COLUMNS]
    return ["-" if value is None else f"{value:.3f}" for value in values]
