"""What the parity tests of metrics share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from golden import GoldenCase
from torch import Tensor

from ivm_ros.evaluation.overlap import PERCENTS
from ivm_ros.grounding import Box

UNDER = {  # a name in the indices -> ours
    "F1score": "f1score",
    "N_acc": "n_acc",
    "T_acc": "t_acc",
    "gIoU": "giou",
    "g_iou": "giou",
    "cIoU": "ciou",
    "c_iou": "ciou",
    "mIoU": "miou",
    "oIoU": "oiou",
    "Acc": "acc",
    "mRR": "mrr",
    "rIoU": "riou",
    "See_accuracy": "see",
    **{f"Pr@{percent / 100}": f"pr_{percent}" for percent in PERCENTS},
    **{f"DetAcc@{percent / 100}": f"acc_{percent}" for percent in PERCENTS},
}
LISTS = {"Pr@0.5-0.9": "pr", "MaskAcc@0.5-0.9": "pr", "DetAcc@0.5-0.9": "acc"}


def boxes(rows: Tensor) -> list[Box]:
    """Return (N, 4) boxes as tuples."""
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in rows.double().tolist()]


def assert_metrics(
    case: GoldenCase,
    fractions: Mapping[str, float | None],
    expected: Mapping[str, Any],
    *,
    percent: bool = False,
) -> None:
    """Hold metrics to the values in the index, all that it names, as close as it wants them."""
    wanted = {UNDER[name]: value for name, value in expected.items() if name in UNDER}
    for name, values in expected.items():
        if name in LISTS:
            shares = zip(PERCENTS, values, strict=True)
            wanted |= {f"{LISTS[name]}_{limit}": value for limit, value in shares}
        elif name not in UNDER:
            raise KeyError(f"{case.path}: its index names a metric {name}, which this test does not know")
    tolerance = case.tolerance("metrics")
    got = {name: (fractions[name] or 0.0) * (100 if percent else 1) for name in wanted}
    assert got == pytest.approx(wanted, abs=tolerance.atol, rel=tolerance.rtol)
