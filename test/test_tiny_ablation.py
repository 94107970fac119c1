"""A part that an ablation takes out learns nothing while the others do."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from tiny_scenes import SMALL, drawn_scene

from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.models.ivm_tiny.files import WEIGHTS, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny

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


@pytest.fixture
def learned(ablation, tmp_path, monkeypatch):
    """What learns without training, from small weights; and in which folders it did."""
    for seed, name in enumerate(("start", "other")):
        torch.manual_seed(seed)
        save_weights(IvmTiny(SMALL), tmp_path / f"{name}.safetensors", {"step": "0"})
    done = []

    def train(rank, settings, port):
        save_weights(IvmTiny(SMALL), settings.output / "ivm_tiny.safetensors", {"step": str(settings.steps)})
        done.append(settings.output.name)

    monkeypatch.setattr(ablation, "run_worker", train)

    def learn(name="closer look", start="start", store="store", steps=3, rate=4e-4):
        weights = tmp_path / f"{start}.safetensors"
        return ablation.learned(name, weights, tmp_path / store, tmp_path / "runs", steps, rate)

    return learn, done


def test_a_row_is_trained_once(learned):
    learn, done = learned
    assert learn() == learn() and learn("outlines") == learn("outlines")
    assert done == ["closer_look", "outlines"]


@pytest.mark.parametrize("other", [{"steps": 4}, {"rate": 1e-3}, {"store": "second"}, {"start": "other"}])
def test_a_row_of_other_settings_is_refused(learned, other):
    learn, done = learned
    learn()
    with pytest.raises(ValueError, match="choose another folder or remove"):
        learn(**other)
    assert done == ["closer_look"]


def test_a_row_of_unknown_settings_is_refused(learned, tmp_path):
    learn, done = learned
    learn()
    (tmp_path / "runs" / "closer_look" / "settings.json").unlink()
    with pytest.raises(ValueError, match="got None"):
        learn()
    assert done == ["closer_look"]
