"""Reliability and the expected calibration error: tables of small numbers, and what reports make of them."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest

from ivm_ros.datasets.samples import Sample
from ivm_ros.evaluation.page.document import document
from ivm_ros.evaluation.reliability import BINS, Bin, Reliability, Scored, scored_targets
from ivm_ros.evaluation.report import Report
from ivm_ros.evaluation.results import measure
from ivm_ros.grounding import Grounding, Target

WIDTH = 12


def counted(*answers: tuple[float, bool]) -> Reliability:
    found = Reliability()
    for confidence, right in answers:
        found.add(confidence, right)
    return found


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([(1.0, True)], 0.0),
        ([(0.0, False)], 0.0),
        ([(1.0, False)], 1.0),
        ([(0.0, True), (0.0, False)], 0.5),
        ([(0.75, True), (0.75, True), (0.75, True), (0.75, False)], 0.0),
        ([(0.5, True), (0.5, True)], 0.5),
        ([(0.5, True), (0.25, False)], 0.375),  # two bins, 0.5 and 0.25 off
        ([(0.48, False), (0.52, True)], 0.0),  # one bin: taken together, they are right
        ([(0.9, True), (0.9, False), (0.1, False), (0.1, False)], 0.25),  # 0.4 and 0.1 off
    ],
)
def test_expected_calibration_error(answers, error):
    assert counted(*answers).error == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize(
    ("confidence", "place"),
    [(0.0, 0), (1e-9, 0), (0.0666, 0), (0.0667, 1), (0.5, 7), (0.9333, 13), (0.9334, 14), (1.0, 14)],
)
def test_bins_are_equal_parts(confidence, place):
    assert counted((confidence, True)).samples.index(1) == place


def test_bins_tell_what_is_in_them():
    assert counted((0.5, True), (0.5, True), (0.5, False), (1.0, True)).bins() == (
        Bin(0.5, 2 / 3, 3),
        Bin(1.0, 1.0, 1),
    )
    assert Reliability().error is None and Reliability().bins() == ()
    assert Reliability().to_json() == {"ece": None, "samples": 0, "bins": []}


def test_honest_answers_have_a_small_error_and_boasting_ones_a_large_one():
    random = Random(0)
    said = [random.random() for _ in range(20_000)]
    honest = counted(*((p, random.random() < p) for p in said))
    boasting = counted(*((p, random.random() < p**3) for p in said))
    assert honest.error < 0.02
    assert boasting.error == pytest.approx(0.25, abs=0.02)  # the mean of p - p**3


def test_parts_add_up_exactly_in_any_order():
    random = Random(1)
    answers = [(random.random(), random.random() < 0.5) for _ in range(500)]
    whole, together = counted(*answers), Reliability()
    for start in (2, 0, 1):
        together.merge_state(json.loads(json.dumps(counted(*reversed(answers[start::3])).state())))
    assert together.state() == whole.state() and together.error == whole.error
    assert len(whole.state()["samples"]) == BINS


# targets


def strip(*columns: int) -> np.ndarray:
    mask = np.zeros((4, WIDTH), np.bool_)
    mask[:, list(columns)] = True
    return mask


def asked(*true: np.ndarray, ignored: np.ndarray | None = None, masks: bool = True) -> Sample:
    boxes = tuple(Target.from_mask(mask, 1.0).box for mask in true)
    image = np.zeros((4, WIDTH, 3), np.uint8)
    return Sample(image, "x", boxes, true if masks else None, ignored)


def answer(*found: tuple[float, np.ndarray], existence: float = 0.9) -> Grounding:
    targets = tuple(Target.from_mask(mask, score) for score, mask in found)
    return Grounding("x", np.zeros((4, WIDTH), np.float32), targets, existence)


@pytest.mark.parametrize("masks", [True, False])
def test_a_target_is_right_where_it_covers_one_true_target(masks):
    sample = asked(strip(0, 1, 2, 3), strip(8, 9, 10), masks=masks)
    found = answer(
        (0.9, strip(8, 9, 10)),
        (0.8, strip(0, 1)),  # an IoU of 0.5 is not above 0.5
        (0.7, strip(1, 2, 3)),
        (0.2, strip(5, 6)),
    )
    assert list(scored_targets(sample, found)) == [(0.9, True), (0.8, False), (0.7, True), (0.2, False)]
    assert list(scored_targets(asked(masks=masks), answer((0.4, strip(2))))) == [Scored(0.4, False)]


def test_two_true_targets_are_not_one():
    both = strip(0, 1, 2, 8, 9, 10)
    assert list(scored_targets(asked(strip(0, 1, 2), strip(8, 9, 10)), answer((0.9, both)))) == [(0.9, False)]


def test_ignored_pixels_decide_nothing():
    ignored = strip(4, 5, 6, 7)
    sample = asked(strip(0, 1, 2), ignored=ignored)
    found = answer((0.9, strip(0, 1, 2, 4, 5)), (0.8, strip(3, 4, 5)), (0.7, strip(3, 4)))
    assert list(scored_targets(sample, found)) == [(0.9, True), (0.7, False)]


def test_a_report_has_both():
    report = Report()
    answers = [
        (asked(strip(0, 1)), answer((0.75, strip(0, 1)), existence=0.75)),
        (asked(strip(0, 1)), answer((0.75, strip(5)), existence=0.75)),
        (asked(), answer(existence=0.25)),
    ]
    for index, (sample, grounding) in enumerate(answers):
        report.add(measure(index, sample, grounding))
    again = Report()
    again.merge_state(json.loads(json.dumps(report.state())))
    for each in (report, again):
        found = each.to_json()["calibration"]
        assert found["existence"]["ece"] == pytest.approx(0.25) and found["existence"]["samples"] == 3
        assert found["target"] == {
            "ece": 0.25,
            "samples": 2,
            "bins": [{"confidence": 0.75, "right": 0.5, "samples": 2}],
        }
    page = document("title", {}, report, {})
    assert "Expected calibration error 0.250, of 2 targets in 15 bins" in page
    assert "share right 0.500 at 0.75" in page and page.count("<svg") == 4
