"""Run a grounder over a dataset and measure it, with a progress bar, on one process or several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.gathering import gathered, place
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.grounding import Grounder, Grounding


@dataclass
class Report:
    """What an evaluation found: over everything, per kind of question, and what could not be used.

    Attributes:
        overall: of all samples.
        by_tag: of the samples that have a tag.
        problems: number of a sample in the dataset -> why it could not be used.
    """

    overall: Metrics = field(default_factory=Metrics)
    by_tag: dict[str, Metrics] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)

    @property
    def skipped(self) -> list[str]:
        """Return what is wrong with the samples that could not be used, in the dataset's order."""
        return [self.problems[index] for index in sorted(self.problems)]

    def add(self, grounding: Grounding, sample: Sample) -> None:
        """Count one sample and the model's answer."""
        metrics = [self.overall]
        if sample.tag is not None:
            metrics.append(self.by_tag.setdefault(sample.tag, Metrics()))
        for sums in metrics:
            sums.add(grounding, sample.annotated, sample.boxes, ignored=sample.ignored, group=sample.group)

    def state(self) -> dict[str, Any]:
        """Return all sums as values that JSON can hold."""
        return {
            "overall": self.overall.state(),
            "by_tag": {tag: metrics.state() for tag, metrics in self.by_tag.items()},
            "problems": {str(index): problem for index, problem in self.problems.items()},
        }

    def merge_state(self, state: dict[str, Any]) -> None:
        """Add the sums of another report, of other samples."""
        self.overall.merge_state(state["overall"])
        for tag, sums in state["by_tag"].items():
            self.by_tag.setdefault(tag, Metrics()).merge_state(sums)
        self.problems |= {int(index): problem for index, problem in state["problems"].items()}

    def to_json(self) -> dict[str, Any]:
        """Return plain values: `metrics` as fractions, `samples`, the same `by_tag`, and `skipped`.

        `incomplete_groups` says how many groups lack samples and are in no mean over groups.
        """
        return {
            "samples": self.overall.samples,
            "metrics": self.overall.fractions(),
            "by_tag": {
                tag: {"samples": metrics.samples, "metrics": metrics.fractions()}
                for tag, metrics in sorted(self.by_tag.items())
            },
            "incomplete_groups": self.overall.groups.incomplete,
            "skipped": self.skipped,
        }


def evaluate(grounder: Grounder, dataset: Dataset[Sample], console: Console) -> Report:
    """Ground every sample of `dataset` and compare with its truth.

    Unusable samples are skipped and named in the report where `dataset` skips them; else they raise.
    Processes that have joined (`gathering.joined`) share the samples, and all return the same report, which
    is that of one process.
    """
    rank, world = place()
    report = Report()
    with progress_bar(console) as progress:
        for index in progress.track(range(rank, len(dataset), world), description="grounding"):
            try:
                sample = dataset.read(index)
            except RecordError as error:
                if not dataset.skip_bad:
                    raise
                report.problems[index] = str(error)
                continue
            report.add(grounder(sample.image, sample.instruction), sample)
    together = Report()
    for state in gathered(report.state()):
        together.merge_state(state)
    return together


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """Show progress as all of `ivm-ros` does: what, how far, how much longer."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=False) as progress:
        yield progress
