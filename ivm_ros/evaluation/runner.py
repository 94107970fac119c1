"""Run a grounder over a dataset and measure it, with a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ivm_ros.datasets.folder import Folder
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.grounding import Grounder


@dataclass
class Report:
    """What an evaluation found: over everything, per kind of question, and what could not be used."""

    overall: Metrics = field(default_factory=Metrics)
    by_tag: dict[str, Metrics] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain values: `metrics` as fractions, `samples`, the same `by_tag`, and `skipped`."""
        return {
            "samples": self.overall.samples,
            "metrics": self.overall.fractions(),
            "by_tag": {
                tag: {"samples": metrics.samples, "metrics": metrics.fractions()}
                for tag, metrics in sorted(self.by_tag.items())
            },
            "skipped": self.skipped,
        }


def evaluate(grounder: Grounder, dataset: Folder, console: Console) -> Report:
    """Ground every sample of `dataset` and compare with its truth.

    Unusable samples are skipped and named in the report where `dataset` skips them; else they raise.
    """
    report = Report()
    with progress_bar(console) as progress:
        for sample in progress.track(dataset, total=len(dataset), description="grounding"):
            grounding = grounder(sample.image, sample.instruction)
            report.overall.add(grounding, sample.masks, sample.boxes)
            if sample.tag is not None:
                metrics = report.by_tag.setdefault(sample.tag, Metrics())
                metrics.add(grounding, sample.masks, sample.boxes)
    report.skipped = [str(error) for error in dataset.skipped]
    return report


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """Show progress as all of `ivm-ros` does: what, how far, how much longer."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=False) as progress:
        yield progress
