"""A part that an ablation takes out learns nothing while the others do."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from tiny_scenes import drawn_scene

from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.models.ivm_tiny.files import WEIGHTS, load_weights

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def ablation():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("tiny_ablation")


@pytest.mark.parametrize("name", ["nothing", "closer look", "outlines"])
def test_what_is_taken_out_stays_as_it_is(ablation, tmp_path, name):
    views = [drawn_scene(seed) for seed in range(4)]
    write_shard(tmp_path / "train-00000", views, list(range(4)), [0] * 4)
    file = ablation.learned(name, WEIGHTS, tmp_path, tmp_path / "runs", steps=1, rate=4e-4)
    before, calibration = load_weights(WEIGHTS)
    after, kept = load_weights(file)
    assert kept == calibration
    changed = {
        key for key, value in after.named_parameters() if not torch.equal(value, before.get_parameter(key))
    }
    for part, beginning in (("closer look", "closer."), ("outlines", "outliner."), (None, "matcher.")):
        assert any(key.startswith(beginning) for key in changed) == (part != name), part
