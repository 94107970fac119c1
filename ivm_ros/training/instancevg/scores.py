"""How good InstanceVG is on samples that were held out: numbers as of `ivm-ros eval`, and pictures."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.page.picture import draw_case
from ivm_ros.evaluation.report import Report
from ivm_ros.evaluation.results import measure
from ivm_ros.grounding import Grounder, Image

_SHOWN = ("giou", "ciou", "acc_50", "n_acc", "t_acc")
_PANELS, _SIDE, _CAPTION = 8, 240, 16


def scores(grounder: Grounder, held_out: Dataset[Sample]) -> dict[str, float]:
    """Return gIoU, cIoU, box Acc@0.5, no-target accuracy and targets kept, those that are defined."""
    report = Report()
    for index, sample in enumerate(held_out):
        report.add(measure(index, sample, grounder(sample.image, sample.instruction)))
    found = report.overall.fractions()
    return {name: value for name in _SHOWN if (value := found[name]) is not None}


def sheet(grounder: Grounder, held_out: Dataset[Sample]) -> Mapping[str, Image]:
    """Return a picture of the first few: answers hatched, truth outlined, words and existence above."""
    panels = []
    for index in range(len(held_out)):
        try:
            sample = held_out.read(index)
        except RecordError:
            continue
        panels.append(_panel(grounder, sample))
        if len(panels) == _PANELS:
            break
    return {"answers": np.concatenate(panels, axis=1)} if panels else {}


def _panel(grounder: Grounder, sample: Sample) -> Image:
    grounding = grounder(sample.image, sample.instruction)
    panel = cv2.resize(draw_case(sample, grounding), (_SIDE, _SIDE))
    caption = np.zeros((_CAPTION, _SIDE, 3), np.uint8)
    words = f"{sample.instruction} [{grounding.existence:.2f}]"
    cv2.putText(caption, words, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([caption, panel])
