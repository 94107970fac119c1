"""What is kept of one sample: everything that tables, curves and rankings need, and no pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ivm_ros.datasets.samples import Sample
from ivm_ros.evaluation.curves import HeatCounts
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.evaluation.reliability import Scored, scored_targets
from ivm_ros.grounding import Grounding


@dataclass(frozen=True)
class Result:
    """How one sample was answered.

    Attributes:
        index: of the sample in its dataset.
        instruction: in words.
        tag: what kind of question it is, where the dataset says so.
        present: whether the instruction is about anything in the image.
        found: whether the model found anything.
        existence: as the model says, in [0, 1].
        score: IoU with the truth in [0, 1]; where nothing is there, 1 for "not found", else 0.
        metrics: state of the `Metrics` of this sample alone.
        heat: how the heatmap covers the truth; None where the dataset has boxes alone.
        targets: score of each target that was found, and whether it is right.
        ids: what the dataset calls the image, the expression and so on.
    """

    index: int
    instruction: str
    tag: str | None
    present: bool
    found: bool
    existence: float
    score: float
    metrics: dict[str, Any]
    heat: HeatCounts | None
    targets: tuple[Scored, ...]
    ids: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def confidence(self) -> float:
        """Return how sure the model is of what it decided, in [0, 1]."""
        return self.existence if self.found else 1.0 - self.existence

    def state(self) -> dict[str, Any]:
        """Return it as values that JSON can hold; `Result.restore` reads them."""
        heat = None if self.heat is None else self.heat.state()
        return {**vars(self), "heat": heat, "ids": dict(self.ids)}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Result:
        """Make it of what `state` returned."""
        heat = state["heat"]
        targets = tuple(Scored(*target) for target in state["targets"])
        return cls(
            **{**state, "heat": None if heat is None else HeatCounts.restore(heat), "targets": targets}
        )


@dataclass(frozen=True)
class Skipped:
    """A sample that could not be used.

    Attributes:
        index: of the sample in its dataset.
        problem: what is wrong with it.
    """

    index: int
    problem: str


def measure(index: int, sample: Sample, grounding: Grounding) -> Result:
    """Compare an answer with the truth."""
    metrics = Metrics()
    score = metrics.add(grounding, sample.annotated, sample.boxes, ignored=sample.ignored, group=sample.group)
    heat = None
    if sample.annotated is not None:
        true = np.logical_or.reduce(sample.annotated) if sample.annotated else np.zeros_like(grounding.mask)
        heat = HeatCounts.count(grounding.heatmap, true, sample.ignored)
    return Result(
        index=index,
        instruction=sample.instruction,
        tag=sample.tag,
        present=sample.present,
        found=grounding.found,
        existence=grounding.existence,
        score=score,
        metrics=metrics.state(),
        heat=heat,
        targets=tuple(scored_targets(sample, grounding)),
        ids=sample.ids,
    )
