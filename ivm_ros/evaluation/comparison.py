"""Two models on the same samples: their reports, and how each sample fared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.report import COLUMNS, Report
from ivm_ros.evaluation.results import Result, Skipped, measure
from ivm_ros.evaluation.runner import progress_bar
from ivm_ros.grounding import Grounder, Image


class Pair(NamedTuple):
    """One sample, answered twice."""

    before: Result
    after: Result

    @property
    def gain(self) -> float:
        """IoU, or 1 and 0 for right and wrong where nothing matches: after, less before."""
        return self.after.score - self.before.score


@dataclass
class Comparison:
    """What two models say to one dataset.

    Attributes:
        name: of the dataset.
        before: report of the first model.
        after: report of the second.
        pairs: the samples that could be used.
    """

    name: str
    before: Report = field(default_factory=Report)
    after: Report = field(default_factory=Report)
    pairs: list[Pair] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Return plain values: both reports without their curves."""
        reports = {"before": self.before.to_json(), "after": self.after.to_json()}
        for report in reports.values():
            del report["curves"]
        return {"name": self.name, **reports}

    def line(self) -> str:
        """Return the change of each metric that tables show, as one line."""
        before, after = self.before.overall.fractions(), self.after.overall.fractions()
        known = [(title, before[key], after[key]) for key, title in COLUMNS.items()]
        return ", ".join(f"{t} {b:.3f} -> {a:.3f}" for t, b, a in known if b is not None and a is not None)

    def telling(self, count: int) -> dict[str, list[Pair]]:
        """Return up to `count` samples of each kind by a title: most gained, most lost, and of all."""
        ranked = sorted(self.pairs, key=lambda pair: (-pair.gain, pair.after.index))
        gained = [pair for pair in ranked if pair.gain > 0.02][:count]
        lost = [pair for pair in reversed(ranked) if pair.gain < -0.02][:count]
        taken = {pair.after.index for pair in (*gained, *lost)}
        rest = [pair for pair in self.pairs if pair.after.index not in taken]
        stride = max(1, -(-len(rest) // count))
        return {"Most gained": gained, "Most lost": lost, "Some of the others": rest[::stride]}


def compare(
    name: str, before: Grounder, after: Grounder, dataset: Dataset[Sample], console: Console
) -> Comparison:
    """Ask two models about every sample of a dataset; bad ones are skipped and named in both reports.

    Args:
        name: of the dataset.
        before: the first model.
        after: the second.
        dataset: of samples with masks or boxes.
        console: where progress is shown.
    """
    found = Comparison(name)
    image: Image | None = None
    features: list[Any] = []
    with progress_bar(console) as progress:
        for index in progress.track(range(len(dataset)), description=f"comparing on {name}"):
            try:
                sample = dataset.read(index)
            except RecordError as error:
                for report in (found.before, found.after):
                    report.add(Skipped(index, str(error)))
                continue
            if image is None or not np.array_equal(
                image, sample.image
            ):  # questions about one follow each other
                image, features = (
                    sample.image,
                    [grounder.encode(sample.image) for grounder in (before, after)],
                )
            results = [
                measure(index, sample, grounder.ground(features[place], sample.instruction))
                for place, grounder in enumerate((before, after))
            ]
            found.before.add(results[0])
            found.after.add(results[1])
            found.pairs.append(Pair(*results))
    return found
