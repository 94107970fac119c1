"""The table of several results beside each other."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def compare():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("compare_scores")


def written(folder: Path, name: str, giou: float, samples: int = 3, dataset: str = "data") -> str:
    metrics = {"giou": giou, "ciou": 0.5, "acc_50": None, "n_acc": 1.0, "t_acc": 0.25}
    content = {"dataset": dataset, "samples": samples, "metrics": metrics}
    (folder / f"{name}.json").write_text(json.dumps(content))
    return f"{name}={folder / name}.json"


def test_a_row_for_each_result(compare, tmp_path):
    results = [compare.read(written(tmp_path, name, giou)) for name, giou in (("a", 0.1), ("b", 0.98765))]
    lines = compare.table(results).splitlines()
    assert lines[0] == "| model | samples | gIoU | cIoU | box Acc@0.5 | no-target acc | kept |"
    assert lines[2:] == [
        "| a | 3 | 0.100 | 0.500 | - | 1.000 | 0.250 |",
        "| b | 3 | 0.988 | 0.500 | - | 1.000 | 0.250 |",
    ]


def test_what_cannot_be_compared_is_refused(compare, tmp_path):
    first = compare.read(written(tmp_path, "a", 0.1))
    for changes in ({"samples": 4}, {"dataset": "other"}):
        with pytest.raises(ValueError, match="expected results on the same samples"):
            compare.table([first, compare.read(written(tmp_path, "b", 0.2, **changes))])
    with pytest.raises(ValueError, match="expected NAME=FILE"):
        compare.read("a.json")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ValueError, match="it has no scores"):
        compare.read(f"c={tmp_path / 'other.json'}")
