"""What ivm-tiny's closer look learns by itself: from crops of views, before all else."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from tiny_scenes import SMALL, drawn_scene
from typer.testing import CliRunner

from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.files import WEIGHTS, load_weights
from ivm_ros.models.ivm_tiny.glimpses import SIDE
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.training.ivm_tiny import first_looks
from ivm_ros.training.ivm_tiny.views import ShardPool


@pytest.fixture
def store(tmp_path):
    views = [drawn_scene(seed, SMALL) for seed in range(6)]
    write_shard(tmp_path / "train-00000", views, list(range(6)), [0] * 6)
    return tmp_path


@pytest.fixture
def command(monkeypatch):
    monkeypatch.setattr(first_looks, "_VIEWS", 2)
    app = first_looks.typer.Typer()
    app.command()(first_looks.main)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_a_crop_has_its_object_and_its_mask(store):
    config = TinyConfig()
    crops = first_looks.draw_crops(ShardPool(store, "train"), config, Random(0))
    count = len(crops.fine)
    assert crops.glimpses.shape == (count, SIDE, SIDE, 3) and crops.glimpses.dtype == torch.uint8
    assert crops.coarse.shape == crops.fine.shape == (count, SIDE, SIDE)
    assert 0 <= crops.fine.min() < crops.fine.max() <= 1
    assert set(crops.looks[:, 0].tolist()) == {config.kinds.index("cube")}
    for glimpse, fine, color in zip(crops.glimpses, crops.fine, crops.looks[:, 1].tolist(), strict=True):
        inside = glimpse[fine > 0.9].float().mean(dim=0)
        outside = glimpse[fine < 0.1].float().mean(dim=0)
        strongest = {"red": 0, "green": 1, "blue": 2}[config.colors[color]]
        assert int(inside.argmax()) == strongest
        assert outside.max() - outside.min() < 60  # the table is gray
    # a coarse mask lies where the fine one does, but is not as sharp
    agreement = ((crops.coarse > 0.5) == (crops.fine > 0.5)).float().mean()
    assert 0.8 < agreement < 1


@pytest.mark.parametrize("part", first_looks.PARTS)
def test_what_is_learned_starts_a_network(store, tmp_path, command, part):
    output = tmp_path / "looks"
    result = command("--store", store, "--output", output, "--steps", 2, "--part", part)
    assert result.exit_code == 0, result.output
    torch.manual_seed(1)
    model = IvmTiny(TinyConfig())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first_looks.put_into(model, output)
    learned = torch.load(output / f"{part}.pt", weights_only=True)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed <= set(learned) and any(name.startswith(f"{part}.") for name in changed)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in learned.items())


def test_a_closer_look_goes_on_and_what_names_things_rests(store, tmp_path, command):
    output = tmp_path / "looks"
    asked = ("--store", store, "--output", output, "--steps", 1, "--start", WEIGHTS)
    for part in first_looks.PARTS:
        assert command(*asked, "--part", part).exit_code == 0
    before, _ = load_weights(WEIGHTS)
    after = IvmTiny(TinyConfig())
    first_looks.put_into(after, output)
    for part, changes in (("closer", True), ("outliner", True), ("looks.kinds", False)):
        weights = dict(before.get_submodule(part).named_parameters())
        learned = dict(after.get_submodule(part).named_parameters())
        assert any(not torch.equal(learned[name], weights[name]) for name in weights) == changes, part
        for name in weights:  # one step of Adam is as long as its rate
            assert (learned[name] - weights[name]).abs().max() < 0.05


@pytest.mark.parametrize("part", first_looks.PARTS)
def test_the_loss_falls(store, part):
    torch.manual_seed(0)
    config, rng = TinyConfig(), Random(0)
    task = first_looks.Naming(config) if part == "closer" else first_looks.Outlining()
    crops = first_looks.draw_crops(ShardPool(store, "train"), config, rng)
    optimizer = torch.optim.AdamW(task.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = torch.stack(list(task(crops).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-3:]) < 0.9 * losses[0]


def test_what_is_missing_is_said(tmp_path, command):
    with pytest.raises(ValueError, match=r"expected closer.pt or outliner.pt in .*, got neither"):
        first_looks.put_into(IvmTiny(SMALL), tmp_path)
    assert "expected finished train shards" in command("--store", tmp_path, "--output", tmp_path).output
    assert command("--store", tmp_path, "--output", tmp_path, "--part", "nose").exit_code == 2
