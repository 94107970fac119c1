"""What an evaluation found, put together from single results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ivm_ros.evaluation.cases import Cases
from ivm_ros.evaluation.curves import ExistenceCurve, MaskCurve
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.evaluation.reliability import Reliability
from ivm_ros.evaluation.results import Result, Skipped

COLUMNS = {
    "giou": "gIoU",
    "ciou": "cIoU",
    "acc_50": "box Acc@0.5",
    "n_acc": "no-target acc",
    "t_acc": "kept",
}
"""The metrics that tables show -> their headings."""


def shown(value: float | None) -> str:
    """Return a fraction as tables show it."""
    return "-" if value is None else f"{value:.3f}"


@dataclass
class Report:
    """Results over everything, per kind of question, over thresholds, and what could not be used.

    The same results in any order, on any number of processes, make the same report.

    Attributes:
        overall: of all samples.
        by_tag: of the samples that have a tag.
        mask_curve: over the threshold on the heatmap, of all samples with true masks.
        existence_curve: over the threshold on existence, of all samples.
        existence_reliability: of all samples: whether existence says how often something is there.
        score_reliability: of all targets that were found: whether their scores say how often they are right.
        cases: the worst and the best.
        problems: number of a sample in the dataset -> why it could not be used.
    """

    overall: Metrics = field(default_factory=Metrics)
    by_tag: dict[str, Metrics] = field(default_factory=dict)
    mask_curve: MaskCurve = field(default_factory=MaskCurve)
    existence_curve: ExistenceCurve = field(default_factory=ExistenceCurve)
    existence_reliability: Reliability = field(default_factory=Reliability)
    score_reliability: Reliability = field(default_factory=Reliability)
    cases: Cases = field(default_factory=Cases)
    problems: dict[int, str] = field(default_factory=dict)

    @property
    def skipped(self) -> list[str]:
        """Return what is wrong with the samples that could not be used, in the dataset's order."""
        return [self.problems[index] for index in sorted(self.problems)]

    def rows(self) -> dict[str, Metrics]:
        """Return the rows of a table: the tags by name, then all."""
        return {**dict(sorted(self.by_tag.items())), "all": self.overall}

    def add(self, entry: Result | Skipped) -> None:
        """Count what became of one sample."""
        if isinstance(entry, Skipped):
            self.problems[entry.index] = entry.problem
            return
        self.overall.merge_state(entry.metrics)
        if entry.tag is not None:
            self.by_tag.setdefault(entry.tag, Metrics()).merge_state(entry.metrics)
        if entry.heat is not None:
            self.mask_curve.add(entry.heat, entry.present, entry.found)
        own_iou = entry.score if entry.found else None
        self.existence_curve.add(entry.existence, entry.heat, entry.present, own_iou)
        self.existence_reliability.add(entry.existence, entry.present)
        for target in entry.targets:
            self.score_reliability.add(*target)
        self.cases.add(entry)

    def state(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold."""
        return {
            "overall": self.overall.state(),
            "by_tag": {tag: metrics.state() for tag, metrics in self.by_tag.items()},
            "mask_curve": self.mask_curve.state(),
            "existence_curve": self.existence_curve.state(),
            "existence_reliability": self.existence_reliability.state(),
            "score_reliability": self.score_reliability.state(),
            "cases": [result.state() for result in self._cases()],
            "problems": {str(index): problem for index, problem in self.problems.items()},
        }

    def merge_state(self, state: dict[str, Any]) -> None:
        """Add another report, of other samples."""
        self.overall.merge_state(state["overall"])
        for tag, sums in state["by_tag"].items():
            self.by_tag.setdefault(tag, Metrics()).merge_state(sums)
        self.mask_curve.merge_state(state["mask_curve"])
        self.existence_curve.merge_state(state["existence_curve"])
        self.existence_reliability.merge_state(state["existence_reliability"])
        self.score_reliability.merge_state(state["score_reliability"])
        for result in state["cases"]:
            self.cases.add(Result.restore(result))
        self.problems |= {int(index): problem for index, problem in state["problems"].items()}

    def to_json(self) -> dict[str, Any]:
        """Return plain values: `metrics` as fractions, `samples`, the same `by_tag`, `curves`, and `skipped`.

        `calibration` has the expected calibration error and the bins of existence and of targets' scores.
        `incomplete_groups` says how many groups lack samples and are in no mean over groups.
        """
        return {
            "samples": self.overall.samples,
            "metrics": self.overall.fractions(),
            "by_tag": {
                tag: {"samples": metrics.samples, "metrics": metrics.fractions()}
                for tag, metrics in sorted(self.by_tag.items())
            },
            "curves": {
                "mask": asdict(self.mask_curve.curve()),
                "existence": asdict(self.existence_curve.curve()),
            },
            "calibration": {
                "existence": self.existence_reliability.to_json(),
                "target": self.score_reliability.to_json(),
            },
            "incomplete_groups": self.overall.groups.incomplete,
            "skipped": self.skipped,
        }

    def _cases(self) -> Iterator[Result]:
        """Yield each case once, of whatever kind."""
        cases = {result.index: result for results in self.cases.lists().values() for result in results}
        yield from (cases[index] for index in sorted(cases))
