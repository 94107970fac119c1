"""PLVL's metrics, from its golden predictions and truths."""

from __future__ import annotations

import golden
import pytest
import torch
from metric_values import boxes
from torch import Tensor

from ivm_ros.evaluation.boxes import Rec
from ivm_ros.evaluation.masks import Res
from ivm_ros.evaluation.overlap import box_iou, mask_overlap


@pytest.fixture(scope="module")
def case(golden_root):
    return golden.case(golden_root, "plvl", "metrics")


def corners(center_size: Tensor) -> Tensor:
    center, size = center_size.double().chunk(2, dim=-1)
    return torch.cat((center - size / 2, center + size / 2), dim=-1)


def test_boxes(case):
    found = boxes(corners(case["box/in/pred_cxcywh"]).clamp(0, 1))
    true = boxes(corners(case["box/in/gt_cxcywh"]))
    metrics = Rec()
    for box, truth in zip(found, true, strict=True):
        metrics.add(box, truth)
    assert metrics.reached.counts[0] == int(case["box/out/num_correct"])
    case.assert_close(torch.tensor(metrics.fractions()["acc_50"]), "box/out/acc")
    ious = [box_iou(box, truth) for box, truth in zip(found, true, strict=True)]
    case.assert_close(torch.tensor(ious), "box/out/iou")
    assert metrics.fractions()["box_iou"] == pytest.approx(sum(ious) / len(ious))


def test_masks(case):
    found = (case["mask/in/pred_prob"] >= 0.5)[:, 0].numpy()
    true = (case["mask/in/gt"] > 0).numpy()
    metrics = Res(empty="left_out")
    overlaps = [mask_overlap(mask, truth) for mask, truth in zip(found, true, strict=True)]
    for overlap in overlaps:
        metrics.add(overlap)
    expected = case["mask/out/per_sample_iou"]
    defined = ~expected.isnan()  # 0 / 0 where neither mask has a pixel
    assert defined.tolist() == [overlap.union > 0 for overlap in overlaps]
    assert metrics.left_out == int((~defined).sum())
    ious = torch.tensor([overlap.iou for overlap in overlaps])
    case.assert_close(ious, "mask/out/per_sample_iou", where=defined)
    if defined.all():
        case.assert_close(torch.tensor(metrics.fractions()["miou"]), "mask/out/miou")
    assert metrics.fractions()["miou"] == pytest.approx(ious[defined].mean().item())
