"""InstanceVG's metrics, from its golden predictions and truths."""

from __future__ import annotations

from typing import NamedTuple

import golden
import pytest
from golden import GoldenCase
from metric_values import assert_metrics, boxes

from ivm_ros.evaluation.boxes import Grec, PointCover, Rec
from ivm_ros.evaluation.groups import RRefCoco
from ivm_ros.evaluation.masks import Gres, RefZom, Res
from ivm_ros.evaluation.overlap import Overlap, mask_overlap
from ivm_ros.grounding import Box


class Sample(NamedTuple):
    """One sample: how the masks overlap, the true boxes, the predicted ones and their scores."""

    overlap: Overlap
    true: list[Box]
    found: list[Box]
    scores: list[float]

    def rejected(self, threshold: float) -> bool:
        return not any(score > threshold for score in self.scores)


@pytest.fixture(scope="module")
def case(golden_root):
    return golden.case(golden_root, "instancevg", "f_metrics")


@pytest.fixture(scope="module")
def samples(case):
    return [
        Sample(
            mask_overlap(case["pred_masks"][i].bool().numpy(), case["gt_masks"][i].bool().numpy()),
            boxes(case["gt_boxes_padded"][i][:count]),
            boxes(case["pred_boxes"][i]),
            case["pred_scores"][i].tolist(),
        )
        for i, count in enumerate(case["num_gt"].tolist())
    ]


def by_threshold(case: GoldenCase) -> dict[float, dict]:
    """Return what the index expects at each threshold on scores."""
    values = case.index["f_metrics"]
    return {float(key): about for key, about in values.items() if isinstance(about, dict) and "gres" in about}


def test_grec(case, samples):
    expected = by_threshold(case)
    assert expected
    for threshold, values in expected.items():
        metrics = Grec()
        for sample in samples:
            kept = [box for box, s in zip(sample.found, sample.scores, strict=True) if s >= threshold]
            metrics.add(kept, sample.true)
        assert_metrics(case, metrics.fractions(), values["grec"], percent=True)


def test_gres_and_ref_zom(case, samples):
    for threshold, values in by_threshold(case).items():
        gres, zom = Gres(), RefZom()
        for sample in samples:
            for metrics in (gres, zom):
                metrics.add(sample.overlap, bool(sample.true), sample.rejected(threshold))
        assert_metrics(case, gres.fractions(), values["gres"], percent=True)
        assert_metrics(case, zom.fractions(), values["refzom"], percent=True)


def test_r_refcoco(case, samples):
    values = dict(case.index["f_metrics"]["rrefcoco"])
    threshold, groups = values.pop("threshold"), values.pop("groups")
    metrics = RRefCoco()
    for start, end in groups:
        for sample in samples[start:end]:
            metrics.add(
                f"{start}", end - start, sample.overlap, bool(sample.true), sample.rejected(threshold)
            )
    assert_metrics(case, metrics.fractions(), values, percent=True)


def test_one_target(case, samples):
    values = dict(case.index["f_metrics"]["single_target_accuracy"])
    masks, best = Res(), Rec()
    for sample in (samples[i] for i in values.pop("sample_indices")):
        masks.add(sample.overlap)
        best.add(sample.found[sample.scores.index(max(sample.scores))], sample.true[0])
    assert_metrics(case, masks.fractions() | best.fractions(), values, percent=True)


def test_points_cover_boxes(case, samples):
    height, width = case["gt_masks"].shape[1:]
    points = case["cover.points"].double().numpy() * (width, height)
    expected = case.index["f_metrics"]["cover_acc"]["values"]
    present = [sample for sample in samples if sample.true]
    for sample, value in zip(present, expected, strict=True):
        metrics = PointCover()
        metrics.add(points, sample.true)
        assert metrics.fractions()["cover_acc"] == pytest.approx(value)
