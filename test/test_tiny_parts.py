"""Each part of ivm-tiny can be left out, and that changes what it answers."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

import ivm_ros
from ivm_ros.clip import load_clip

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TEXTS = ("the red cup", "the crimson cup", "the rde cup", "the leftmost cup", "the thing left of the plate")


@pytest.fixture(scope="module")
def parts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("tiny_parts")


def answers() -> np.ndarray:
    picture = next(load_clip().frames())
    grounder = ivm_ros.load("ivm-tiny", device="cpu", engine="torch")
    groundings = grounder.ground_many(grounder.encode(picture), TEXTS)
    return np.stack([grounding.heatmap for grounding in groundings])


def test_what_is_left_out_is_missed_and_comes_back(parts):
    whole = answers()
    for name, without in parts.WITHOUT.items():
        with without():
            changed = np.abs(answers() - whole).max() > 0.01
        assert changed == (name != parts.NOTHING), name
    np.testing.assert_array_equal(answers(), whole)
