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


def truth(case: GoldenCase, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the (N, H, W) true masks, and the pixels that do not count."""
    values = case[f"{name}.gt"].numpy()
    return values == 1, values == 255


def test_validate(case, expected):
    metrics = Res(empty="one")
    for name in images(case, "validate"):
        true, ignored = truth(case, name)
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
        masks, (true, ignored) = (case[f"{name}.pred_logits"] >= 0).numpy(), truth(case, name)
        for i, (mask, answer) in enumerate(zip(masks, answers, strict=True)):
            overlap = mask_overlap(mask, true[i], ignored[i])
            metrics.add(overlap, bool(true[i].any()), answer == tokens["rej"])
    assert_metrics(case, metrics.fractions(), expected[f"eval_gres.{dataset}"])


def test_false_premise(case, expected):
    metrics = FalsePremise()
    for name in images(case, "fp"):
        true, ignored = truth(case, name)
        present, found = case[f"{name}.gt_exists"].tolist(), case[f"{name}.pred_exists"].tolist()
        for i, mask in enumerate(case[f"{name}.pred"].bool().numpy()):
            metrics.add(mask_overlap(mask, true[i], ignored[i]), present[i], not found[i])
    values = {name: value for name, value in expected["run_eval"].items() if name != "printed"}
    assert_metrics(case, metrics.fractions(), values)


def test_muse(case, expected):
    pytest.importorskip("scipy", reason="needs the extra train")
    values = dict(expected["ar_validate"])
    found, true = values.pop("seg_counts_per_question"), values.pop("gt_counts_per_question")
    metrics = Muse()
    for name in images(case, "muse"):
        logits = np.split(case[f"{name}.pred_logits"].numpy(), np.cumsum(found)[:-1])
        masks = np.split(truth(case, name)[0], np.cumsum(true)[:-1])
        metrics.add([(some, list(known)) for some, known in zip(logits, masks, strict=True)])
    assert_metrics(case, metrics.fractions(), values)


def test_muse_pairs(case, expected):
    pytest.importorskip("scipy", reason="needs the extra train")
    pairs = expected["match_pred_case0_first_question"]
    first = expected["ar_validate"]
    logits = case["muse.0.pred_logits"][: first["seg_counts_per_question"][0]].numpy()
    true = truth(case, "muse.0")[0][: first["gt_counts_per_question"][0]]
    assert paired(logits, list(true)) == list(zip(pairs["pred"], pairs["gt"], strict=True))
