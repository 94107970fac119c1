"""MLLMSeg's metrics, from its golden predictions and truths."""

from __future__ import annotations

import golden
import pytest
import torch
import torch.nn.functional as F
from golden import GoldenCase
from metric_values import assert_metrics
from torch import Tensor

from ivm_ros.evaluation.boxes import Rec
from ivm_ros.evaluation.groups import PerImage
from ivm_ros.evaluation.masks import Gres, Res
from ivm_ros.evaluation.overlap import box_iou, mask_overlap, pixel_box


@pytest.fixture(scope="module")
def case(golden_root):
    return golden.case(golden_root, "mllmseg", "metrics")


def images(case: GoldenCase, kind: str) -> int:
    return sum(name.startswith(f"{kind}.") and name.endswith(".gt") for name in case.tensors)


def probability(case: GoldenCase, name: str) -> Tensor:
    """Return the (phrases, H, W) predictions at the size of the true masks."""
    low, size = case[f"{name}.pred"].float(), case[f"{name}.gt"].shape[1:]
    return F.interpolate(low[None], size, mode="bilinear", align_corners=False)[0]


def test_res_and_rec(case):
    masks, per_image, rec = Res(empty="one"), PerImage(), Rec(strict=True)
    queries = {(query["image"], query["query"]): query for query in case.index["per_query"]}
    assert queries
    for image in range(images(case, "res")):
        name = f"res.{image}"
        scores, true = probability(case, name), case[f"{name}.gt"].bool().numpy()
        x, y, width, height = (
            case[f"{name}.bbox_xywh"].half().double().unbind(1)
        )  # rounded, as the reference does
        rounded = torch.stack((x, y, x + width, y + height), 1)
        for i, true_box in enumerate(rounded.tolist()):
            overlap = mask_overlap((scores[i] >= 0.5).numpy(), true[i])
            best = pixel_box((scores[i] > 0.5).numpy())
            masks.add(overlap)
            per_image.add(name, len(true), overlap)
            rec.add(best, tuple(true_box))
            query = queries.pop((image, i))
            assert overlap == (query["inter"][1], query["union"][1])
            assert list(best) == query["pred_box"]
            assert true_box == query["gt_box"]
            assert box_iou(best, tuple(true_box)) == pytest.approx(query["box_iou"], abs=1e-6)
    assert not queries
    got = {"cIoU": masks.fractions()["oiou"], "gIoU": per_image.fractions()["giou_per_image"]}
    got["Prec@0.5"] = rec.fractions()["acc_50"]
    values = case.index["res"]
    expected = {"cIoU": values["ciou"], "gIoU": values["giou"], "Prec@0.5": values["rec_bbox_iou_0.5"]}
    tolerance = case.tolerance("metrics")
    percent = {name: 100 * value for name, value in got.items()}
    assert percent == pytest.approx(expected, abs=tolerance.atol)


def test_gres(case):
    metrics = Gres(rejected="kept")
    for image in range(images(case, "gres")):
        name = f"gres.{image}"
        scores, true = probability(case, name), case[f"{name}.gt"].bool().numpy()
        for i, rejected in enumerate(case[f"{name}.pred_no_target"].bool().tolist()):
            metrics.add(mask_overlap((scores[i] >= 0.5).numpy(), true[i]), bool(true[i].any()), rejected)
    expected = {name: value for name, value in case.index["gres"].items() if name != "dataset_name"}
    assert_metrics(case, metrics.fractions(), expected, percent=True)
