"""ivm-tiny's training: losses, and runs that stop and go on, and show other views at last."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from tiny_scenes import SMALL, drawn_scene

from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.models.ivm_tiny.files import load_weights
from ivm_ros.training.ivm_tiny import train
from ivm_ros.training.ivm_tiny.data import IGNORE, Batch, make_batch
from ivm_ros.training.ivm_tiny.losses import WEIGHTS, _classes, heat_loss, losses, pointed, total
from ivm_ros.training.ivm_tiny.settings import Settings
from ivm_ros.training.ivm_tiny.task import TinyTask
from ivm_ros.training.ivm_tiny.train import Trainer, run_worker, schedule
from ivm_ros.training.losses import dice

# Losses


def test_what_is_unclear_teaches_nothing():
    logits = torch.zeros(2, 3, requires_grad=True)
    pointed(logits, torch.tensor([[1, 0, IGNORE], [IGNORE, IGNORE, IGNORE]])).backward()
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]
    assert not logits.grad[0, 2] and not logits.grad[1].any()

    logits = torch.zeros(2, 4, requires_grad=True)
    value = _classes(logits, torch.tensor([2, IGNORE]))
    assert value.item() == pytest.approx(np.log(4))
    value.backward()
    assert logits.grad[0].any() and not logits.grad[1].any()
    nothing = _classes(logits, torch.tensor([IGNORE, IGNORE]))
    assert nothing.item() == 0


def test_heat_is_judged_by_how_far_it_is_off():
    truth = torch.tensor([[[1.0, 0.5, 0.0]]])
    right = torch.logit(truth.clamp(1e-4, 1 - 1e-4))
    assert heat_loss(right, truth).item() == pytest.approx(0, abs=1e-3)
    value = heat_loss(torch.zeros(1, 1, 3), truth).item()
    assert value == pytest.approx(2 * np.log(2) * 0.25 / 1.5)  # off by a half at two of three


def test_dice_of_good_and_bad_masks():
    truth = torch.zeros(1, 8, 8)
    truth[:, :4] = 1
    counted = torch.ones_like(truth, dtype=torch.bool)
    good, bad = 20 * (truth - 0.5), -20 * (truth - 0.5)
    assert dice(good, truth, counted).item() < 0.01 < 0.9 < dice(bad, truth, counted).item()
    counted[:, :, :] = truth == 0
    assert dice(good, truth, counted).item() < 0.01


def test_training_on_drawn_scenes_lowers_the_loss():
    torch.manual_seed(0)
    task, rng = TinyTask(SMALL), Random(0)
    scenes = [drawn_scene(seed) for seed in range(6)]
    optimizer = torch.optim.AdamW(task.parameters(), lr=5e-3)
    history = []
    for _ in range(20):
        batch = make_batch(scenes, rng, 2, SMALL)
        terms = losses(*task(batch, rng), batch)
        assert terms.keys() == WEIGHTS.keys()
        value = total(terms)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        history.append(value.item())
    assert np.mean(history[-4:]) < 0.75 * np.mean(history[:4])


def test_a_batch_without_questions_teaches_looking_alone():
    torch.manual_seed(0)
    task, rng = TinyTask(SMALL), Random(0)
    batch = make_batch([drawn_scene(0)], rng, 0, SMALL)
    perceived, answered = task(batch, rng)
    assert answered is None
    assert losses(perceived, None, batch).keys() == {"heat", "mask", "dice", "fine", "looks", "dense"}


# Runs


def test_the_learning_rate_rises_and_falls():
    rates = [schedule(progress / 100) for progress in range(101)]
    assert rates[0] < 0.05
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates[-1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("close_ups", "whole", "first", "last"),
    [
        ((0.0, 1.0), (1.0, 1.0), (64, True), (48, False)),
        ((1.0, 0.0), (1.0, 1.0), (48, False), (64, True)),
        ((0.0, 0.0), (0.0, 1.0), (64, False), (64, True)),
    ],
)
def test_views_are_shown_otherwise_at_last(settings, close_ups, whole, first, last):
    settings = replace(settings, close_ups=close_ups, whole=whole, at_last=0.6)
    trainer = Trainer(settings, 0)
    drawn = [drawn_scene(seed).instances for seed in range(6)]
    drawn += [map_[:, ::-1] for map_ in drawn]
    shown: list[Batch] = []
    trainer.task.register_forward_pre_hook(lambda task, arguments: shown.append(arguments[0]))
    for progress, (side, complete) in ((0.0, first), (0.59, first), (0.61, last), (0.99, last)):
        trainer.progress = progress
        trainer.train_step()
        batch = shown[-1]
        assert batch.images.shape[1:] == (side, side, 3)
        assert [any(np.array_equal(map_, each) for each in drawn) for map_ in batch.maps] == [complete] * 2


@pytest.fixture
def settings(tmp_path):
    for split, seeds in (("train", range(6)), ("validation", range(10, 12))):
        views = [drawn_scene(seed) for seed in seeds]
        write_shard(tmp_path / f"{split}-00000", views, list(seeds), [0] * len(views))
    (tmp_path / "run").mkdir()
    return Settings(tmp_path, tmp_path / "run", minutes=1, workers=1, batch=2, per_view=2, config=SMALL)


def test_what_goes_on_from_a_checkpoint_computes_the_same(settings):
    first = Trainer(settings, 0)
    first.train_step()
    first.save()
    runs = []
    for _ in range(2):
        trainer = Trainer(settings, 0)
        assert trainer.step == 1
        for name, value in first.task.state_dict().items():
            assert torch.equal(trainer.task.state_dict()[name], value), name
        terms = [trainer.train_step() for _ in range(2)]
        runs.append((terms, trainer.averaged.state_dict()))
    assert runs[0][0] == runs[1][0]
    for name, value in runs[0][1].items():
        assert torch.equal(runs[1][1][name], value), name


def test_a_run_of_steps_goes_on_from_weights(settings, tmp_path):
    run_worker(0, replace(settings, steps=2), port=0)
    first = settings.output / "ivm_tiny.safetensors"
    assert torch.load(settings.checkpoint, weights_only=True)["step"] == 2
    (tmp_path / "second").mkdir()
    trainer = Trainer(replace(settings, output=tmp_path / "second", start=first), 0)
    learned, _ = load_weights(first)
    for name, value in trainer.task.model.state_dict().items():
        assert torch.equal(value, learned.state_dict()[name]), name
    assert trainer.step == 0 and trainer.progress == 0


def test_a_run_resumes_where_it_stopped(settings):
    output = settings.output
    run_worker(0, replace(settings, minutes=0.01), port=0)
    first = torch.load(output / "checkpoint.pt", weights_only=True)
    run_worker(0, replace(settings, minutes=first["elapsed"] / 60 + 0.01), port=0)
    second = torch.load(output / "checkpoint.pt", weights_only=True)
    assert 0 < first["step"] < second["step"]
    assert 0 < first["elapsed"] < second["elapsed"]
    lines = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "giou" in line] == [first["step"], second["step"]]
    assert load_weights(output / "ivm_tiny.safetensors")[0].config == SMALL


@pytest.fixture
def parent(monkeypatch):
    """The pid of what started a worker, as long as that lives: an item to change."""
    alive = [4711]
    monkeypatch.setattr(train.os, "getppid", lambda: alive[0])
    return alive


@pytest.mark.parametrize("alone", [False, True])
def test_a_worker_that_is_left_saves_and_ends(settings, parent, monkeypatch, alone):
    step, ended = Trainer.train_step, []

    def killed(trainer):
        if trainer.step == 2:  # while a third step would be taken
            parent[0] = 1
            if alone:
                raise RuntimeError("Connection closed by peer")
        return step(trainer)

    monkeypatch.setattr(Trainer, "train_step", killed)
    monkeypatch.setattr(train.Monitor, "close", lambda monitor: ended.append(monitor))
    run_worker(0, replace(settings, steps=50), port=0, parent=4711)
    assert torch.load(settings.checkpoint, weights_only=True)["step"] == (2 if alone else 3)
    assert len(ended) == 1


def test_a_step_that_fails_while_the_parent_lives_is_an_error(settings, parent, monkeypatch):
    def failing(trainer):
        raise RuntimeError("no memory")

    monkeypatch.setattr(Trainer, "train_step", failing)
    with pytest.raises(RuntimeError, match="no memory"):
        run_worker(0, replace(settings, steps=2), port=0, parent=4711)


def test_a_worker_whose_parent_died_before_it_looked_begins_nothing(settings, parent):
    run_worker(0, replace(settings, steps=2), port=0, parent=4710)
    assert not any(settings.output.iterdir())
