"""UGround's metrics, from its golden predictions and truths."""

from __future__ import annotations

from collections.abc import Iterator

import golden
import numpy as np
import pytest
from golden import GoldenCase
from metric_values import assert_metrics

from ivm_ros.evaluation.masks import FalsePremise, Gres, Res
from ivm_ros.evaluation.muse import Muse, paired
from ivm_ros.evaluation.overlap import mask_overlap


@pytest.fixture(scope="module")
def case(golden_root):
    return golden.case(golden_root, "uground", "metrics")


@pytest.fixture(scope="module")
def expected(case):
    return case.index["metrics"]


def images(case: GoldenCase, kind: str) -> Iterator[str]:
    count = sum(name.startswith(f"{kind}.") and name.endswith(".gt") for name in case.tensors)
    assert count
    return (f"{kind}.{image}" for image in range(count))


def test_validate(case, expected):
    metrics = Res(empty="one")
    for name in images(case, "validate"):
        true, ignored = case[f"{name}.gt"].numpy() == 1, case[f"{name}.gt"].numpy() == 255
        for i, mask in enumerate((case[f"{name}.pred_logits"] > 0).numpy()):
            metrics.add(mask_overlap(mask, true[i], ignored[i]))
    ours = metrics.fractions()
    assert_metrics(case, {"giou": ours["miou"], "ciou": ours["oiou"]}, expected["validate"])


@pytest.mark.parametrize("dataset", ["grefcoco", "refzom"])
def test_gres(case, expected, dataset):
    metrics = Gres(rejected="kept", found="counts" if dataset == "grefcoco" else "ignored")
    tokens = expected["gres_tokens"]
    for name in images(case, "gres"):
        answers = [token for token in case[f"{name}.output_ids"].tolist() if token in tokens.values()]
        masks, true = (case[f"{name}.pred_logits"] >= 0).numpy(), case[f"{name}.gt"].bool().numpy()
        for mask, truth, answer in zip(masks, true, answers, strict=True):
            metrics.add(mask_overlap(mask, truth), bool(truth.any()), answer == tokens["rej"])
    assert_metrics(case, metrics.fractions(), expected[f"eval_gres.{dataset}"])


def test_false_premise(case, expected):
    metrics = FalsePremise()
    for name in images(case, "fp"):
        masks, true = case[f"{name}.pred"].bool().numpy(), case[f"{name}.gt"].bool().numpy()
        answers = zip(case[f"{name}.gt_exists"].tolist(), case[f"{name}.pred_exists"].tolist(), strict=True)
        for mask, truth, (present, found) in zip(masks, true, answers, strict=True):
            metrics.add(mask_overlap(mask, truth), present, not found)
    values = {name: value for name, value in expected["run_eval"].items() if name != "printed"}
    assert_metrics(case, metrics.fractions(), values)


def test_muse(case, expected):
    pytest.importorskip("scipy", reason="needs the extra train")
    values = dict(expected["ar_validate"])
    found, true = values.pop("seg_counts_per_question"), values.pop("gt_counts_per_question")
    metrics = Muse()
    for name in images(case, "muse"):
        logits = np.split(case[f"{name}.pred_logits"].numpy(), np.cumsum(found)[:-1])
        masks = np.split(case[f"{name}.gt"].bool().numpy(), np.cumsum(true)[:-1])
        metrics.add([(some, list(truth)) for some, truth in zip(logits, masks, strict=True)])
    assert_metrics(case, metrics.fractions(), values)


def test_muse_pairs(case, expected):
    pytest.importorskip("scipy", reason="needs the extra train")
    pairs = expected["match_pred_case0_first_question"]
    first = expected["ar_validate"]
    logits = case["muse.0.pred_logits"][: first["seg_counts_per_question"][0]].numpy()
    true = case["muse.0.gt"][: first["gt_counts_per_question"][0]].bool().numpy()
    assert paired(logits, list(true)) == list(zip(pairs["pred"], pairs["gt"], strict=True))
