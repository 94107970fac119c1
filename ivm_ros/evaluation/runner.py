"""Run a grounder over a dataset and measure it, with a progress bar, on one process or several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.gathering import gathered, place
from ivm_ros.evaluation.journal import Journal
from ivm_ros.evaluation.page.picture import data_url, draw_case
from ivm_ros.evaluation.report import Report
from ivm_ros.evaluation.results import Result, Skipped, measure
from ivm_ros.grounding import Grounder, Grounding, Image, check_image


def evaluate(
    grounder: Grounder, dataset: Dataset[Sample], console: Console, journal: Journal | None = None
) -> Report:
    """Ground every sample of `dataset` and compare with its truth.

    Unusable samples are skipped and named in the report where `dataset` skips them; else they raise.
    Processes that have joined (`gathering.joined`) share the samples, and all return the same report, which
    is that of one process.

    Args:
        grounder: the model.
        dataset: what it is measured on.
        console: where progress is shown.
        journal: of this process's samples. Those that it holds are not measured again, the others are
            written to it; the report is the same as without.
    """
    samples = samples_here(dataset)
    report, done = Report(), 0
    with progress_bar(console) as progress:
        bar = progress.add_task("grounding", total=len(samples))
        for entry in journal.entries() if journal is not None else ():
            report.add(entry)
            done += 1
            progress.advance(bar)
        for entry in _entries(grounder, dataset, samples[done:]):
            if journal is not None:
                journal.add(entry)
            report.add(entry)
            progress.advance(bar)
    together = Report()
    for state in gathered(report.state()):
        together.merge_state(state)
    return together


def samples_here(dataset: Dataset[Sample]) -> range:
    """Return the numbers of the samples that this process measures."""
    rank, world = place()
    return range(rank, len(dataset), world)


def draw_cases(
    grounder: Grounder, dataset: Dataset[Sample], report: Report, console: Console
) -> dict[int, str]:
    """Ground the report's cases again, and return number of the sample -> data URL of its picture."""
    indices = sorted({result.index for results in report.cases.lists().values() for result in results})
    grounds = _GroundsOnce(grounder)
    pictures = {}
    with progress_bar(console) as progress:
        for index in progress.track(indices, description="drawing"):
            sample = dataset.read(index)
            pictures[index] = data_url(draw_case(sample, grounds(sample.image, sample.instruction)))
    return pictures


def _entries(
    grounder: Grounder, dataset: Dataset[Sample], samples: Iterable[int]
) -> Iterator[Result | Skipped]:
    grounds = _GroundsOnce(grounder)
    for index in samples:
        try:
            sample = dataset.read(index)
        except RecordError as error:
            if not dataset.skip_bad:
                raise
            yield Skipped(index, str(error))
            continue
        yield measure(index, sample, grounds(sample.image, sample.instruction))


class _GroundsOnce:
    """A grounder that encodes an image once for all questions about it that follow each other."""

    def __init__(self, grounder: Grounder) -> None:
        self._grounder = grounder
        self._image: Image | None = None
        self._features: Any = None

    def __call__(self, image: Image, instruction: str) -> Grounding:
        if self._image is None or not np.array_equal(self._image, image):
            self._features = self._grounder.encode(check_image(image))
            self._image = image
        return self._grounder.ground(self._features, instruction)


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """Show progress as all of `ivm-ros` does: what, how far, how much longer."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=False) as progress:
        yield progress
