"""The learning curve of the closer look: which shards a row is taught from, and what is counted."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
import typer
from tiny_scenes import drawn_scene
from typer.testing import CliRunner

from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.training.ivm_tiny.first_looks import Naming
from ivm_ros.training.ivm_tiny.views import StoredViews

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
NAMES = ("train-00000", "train-00001", "train-varied-00000", "validation-00000", "test-new-00000")


@pytest.fixture(scope="module")
def curve():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("tiny_curve")


@pytest.fixture
def store(tmp_path):
    """Shards of two scenes, whose views have the numbers of the shard as seeds."""
    for number, name in enumerate(NAMES):
        views = [drawn_scene(4 * number + each) for each in range(4)]
        write_shard(tmp_path / name, views, [number] * 4, [0, 1, 0, 1])
    return tmp_path


def test_shards_are_of_one_world(curve, store):
    def seeds(beginning: str) -> list[int]:
        return [each.records[0].seed for each in curve.shards(store, beginning)]

    assert seeds("train-") == [0, 1]
    assert (seeds("train-varied-"), seeds("test-new-")) == ([2], [4])
    with pytest.raises(ValueError, match="expected shards test-00000"):
        curve.shards(store, "test-")


def test_a_row_sees_the_scenes_of_its_title_and_no_others(curve, store):
    views = curve.first(curve.shards(store, "train-"), 3)
    drawn = {scene.objects for scene in views.draw(200, Random(0))}
    assert len(views) == 6
    assert drawn == {drawn_scene(seed).objects for seed in range(6)}
    with pytest.raises(ValueError, match="expected 5 scenes in the store, got 4; render more"):
        curve.first(curve.shards(store, "train-"), 5)


def test_a_store_that_is_too_small_is_refused_before_anything_is_taught(curve, store):
    app = typer.Typer()
    app.command()(curve.main)
    result = CliRunner().invoke(app, [str(store)])
    assert result.exit_code == 2 and "expected 125 scenes in the store, got 4" in result.output


def test_objects_are_counted_whose_kind_is_named(curve, tmp_path, monkeypatch):
    monkeypatch.setattr(curve, "_CROPS", 2)
    views = []
    for seed in range(4):  # two cubes and a ball
        scene = drawn_scene(seed)
        ball = replace(scene.objects[2], kind="ball")
        views.append(replace(scene, objects=(*scene.objects[:2], ball)))
    write_shard(tmp_path / "train-00000", views, list(range(4)), [0] * 4)
    task = Naming(TinyConfig())
    torch.nn.init.zeros_(task.looks["kinds"].weight)
    for kind, share in (("cube", 2 / 3), ("ball", 1 / 3), ("cup", 0)):
        torch.nn.init.zeros_(task.looks["kinds"].bias)
        task.looks["kinds"].bias.data[TinyConfig().kinds.index(kind)] = 1
        assert curve.named(task, StoredViews(curve.shards(tmp_path, "train-"))) == pytest.approx(share)
