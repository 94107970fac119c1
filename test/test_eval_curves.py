"""Curves over thresholds against masks that are really thresholded, and the cases that a report shows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ivm_ros.datasets.samples import Sample
from ivm_ros.evaluation.curves import EXISTENCE_THRESHOLDS, MASK_THRESHOLDS
from ivm_ros.evaluation.report import Report
from ivm_ros.evaluation.results import Result, Skipped, measure
from ivm_ros.grounding import Grounding, Target

SHAPE = (6, 8)


def questions(count, seed=0):
    """Yield samples with answers of every kind: present, absent, found, not found, with ignored pixels."""
    random = np.random.default_rng(seed)
    for index in range(count):
        heatmap = random.random(SHAPE, np.float32) ** 3
        heatmap[0, :3] = (0.5, 0.35, 1.0)  # on thresholds
        mask = heatmap > 0.6
        mask[0, 2] = True
        found = bool(random.random() < 0.7)
        targets = (Target.from_mask(mask, 0.5),) if found else ()
        existence = float(random.choice([0.29, 0.3, 1.0, 0.0, random.random()]))
        true = random.random(SHAPE) < 0.4
        true[1, 1] = True
        present = random.random() < 0.6
        yield (
            Sample(
                image=np.zeros((*SHAPE, 3), np.uint8),
                instruction=f"thing {index}",
                boxes=((0, 0, 8, 6),) if present else (),
                annotated=(true,) if present else (),
                ignored=random.random(SHAPE) < 0.2 if index % 2 else None,
                tag=("odd" if index % 2 else "even") if index % 5 else None,
                ids={"image": index},
            ),
            Grounding("thing", heatmap, targets, existence),
        )


def reported(entries):
    report = Report()
    for entry in entries:
        report.add(entry)
    return report


def results(count):
    return [measure(index, *question) for index, question in enumerate(questions(count))]


def iou(mask, sample):
    true = sample.masks[0]
    kept = True if sample.ignored is None else ~sample.ignored
    union = np.count_nonzero((mask | true) & kept)
    return np.count_nonzero(mask & true & kept) / union if union else 0.0


def mean(values):
    return float(np.mean(list(values)))


def test_mask_thresholds_give_what_thresholded_masks_give():
    every = list(questions(60))
    curve = reported(results(60)).mask_curve.curve()
    assert curve.threshold == MASK_THRESHOLDS
    for position, threshold in enumerate(MASK_THRESHOLDS):
        answers = []
        for sample, grounding in every:
            mask = grounding.heatmap > threshold if grounding.found else np.zeros(SHAPE, bool)
            counted = mask if sample.ignored is None else mask & ~sample.ignored
            answers.append((sample, mask, bool(counted.any())))
        present = [answer for answer in answers if answer[0].present]
        assert curve.giou[position] == pytest.approx(mean(iou(mask, sample) for sample, mask, _ in present))
        assert curve.t_acc[position] == mean(found for *_, found in present)
        assert curve.n_acc[position] == mean(not found for sample, _, found in answers if not sample.present)


def test_existence_thresholds_give_what_other_decisions_give():
    every = list(questions(60))
    curve = reported(results(60)).existence_curve.curve()
    assert curve.threshold == EXISTENCE_THRESHOLDS
    for position, threshold in enumerate(EXISTENCE_THRESHOLDS):
        present = [(s, g) for s, g in every if s.present]
        absent = [g for s, g in every if not s.present]
        assert curve.t_acc[position] == mean(g.existence >= threshold for _, g in present)
        assert curve.n_acc[position] == mean(g.existence < threshold for g in absent)
        ious = [
            iou(g.mask if g.found else g.heatmap > 0.5, s) if g.existence >= threshold else 0.0
            for s, g in present
        ]
        assert curve.giou[position] == pytest.approx(mean(ious))


def test_boxes_alone_have_no_curve_over_masks():
    sample, grounding = next(questions(1))
    boxes = Sample(sample.image, "thing", ((0, 0, 8, 6),), None)
    report = reported([measure(0, boxes, grounding)])
    assert report.mask_curve.samples == 0
    assert set(report.existence_curve.curve().giou) == {None}
    assert set(report.existence_curve.curve().t_acc) <= {0.0, 1.0}


def test_results_survive_json():
    for result in results(20):
        assert Result.restore(json.loads(json.dumps(result.state()))) == result


def test_parts_of_a_report_add_up_to_the_whole():
    entries = [*results(60), Skipped(60, "bad")]
    whole, together = reported(entries), Report()
    for start in (2, 0, 1):
        part = reported(entries[start::3])
        together.merge_state(json.loads(json.dumps(part.state())))
    assert together.to_json() == whole.to_json()
    assert together.cases.lists() == whole.cases.lists()


def test_a_report_does_not_grow_with_the_samples():
    def held(count):
        state = reported(results(count)).state()
        for metrics in (state["overall"], *state["by_tag"].values()):
            metrics["ranked"]["steps"] = {}  # at most one entry for each step of the scores
        return len(json.dumps(state))

    assert held(900) < 1.05 * held(300)


def result(index, present, found, score, existence):
    return Result(index, "x", None, present, found, existence, score, {}, None, ())


def test_cases_are_the_worst_and_the_best_in_order():
    cases = Report().cases
    cases.limit = 2
    entries = [
        result(0, True, True, 0.9, 0.8),
        result(1, True, True, 0.0, 0.7),
        result(2, True, False, 0.0, 0.2),  # surer of itself than 1
        result(3, True, True, 0.9, 0.9),
        result(4, True, True, 0.9, 0.9),
        result(5, False, True, 0.0, 0.6),
        result(6, False, True, 0.0, 0.9),
        result(7, False, False, 1.0, 0.4),
        result(8, False, False, 1.0, 0.1),
    ]
    for entry in reversed(entries):
        cases.add(entry)
    chosen = {title: [entry.index for entry in listed] for title, listed in cases.lists().items()}
    assert chosen == {
        "Worst where something is there": [2, 1],
        "Found something where nothing matches": [6, 5],
        "Best where something is there": [3, 4],
        "Rightly found nothing": [8, 7],
    }
