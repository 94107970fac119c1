"""ivm-tiny's training: labels, augmentation, losses, false objects, and runs that stop and go on."""

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
from ivm_ros.training.augment import augment
from ivm_ros.training.ivm_tiny.data import IGNORE, ShardPool, make_batch
from ivm_ros.training.ivm_tiny.instances import view_objects
from ivm_ros.training.ivm_tiny.losses import WEIGHTS, _classes, heat_loss, losses, pointed, total
from ivm_ros.training.ivm_tiny.task import TinyTask, padded, with_false
from ivm_ros.training.ivm_tiny.train import Settings, Trainer, run_worker, schedule
from ivm_ros.training.losses import dice


def test_augmented_maps_stay_with_their_pictures():
    for seed in range(10):
        scene = drawn_scene(seed)
        image, instances = augment(scene.image, scene.instances, Random(seed))
        assert image.shape == scene.image.shape and instances.shape == scene.instances.shape
        assert set(np.unique(instances)) <= {0, 1, 2, 3}
        for item in scene.objects:
            inside = image[instances == item.instance]
            if len(inside) > 40:
                strongest = np.argmax(np.median(inside, axis=0))
                assert strongest == {"red": 0, "green": 1, "blue": 2}[item.color]


# What the network is shown


def test_the_deepest_cell_of_an_object_is_one():
    instances = np.zeros((64, 64), np.uint8)
    instances[8:36, 12:40] = 7
    instances[50:58, 4:12] = 9
    seen = view_objects(instances, Random(0))
    assert seen.ids.tolist() == [7, 9]
    for mask in seen.masks:
        inside = mask.reshape(16, 4, 16, 4).any(axis=(1, 3))
        assert seen.heat[inside].max() == 1
    assert seen.heat[5, 6] > seen.heat[2, 3] > 0  # the middle is deeper than the corner
    assert not seen.heat[~(instances > 0).reshape(16, 4, 16, 4).any(axis=(1, 3))].any()


def test_a_cell_is_always_inside_its_object():
    instances = np.zeros((64, 64), np.uint8)
    instances[3:24, 5] = 1  # one pixel wide
    instances[40:60, 8:12] = 2
    instances[40:44, 8:40] = 2  # bent: its middle is outside
    instances[60:64, 60:64] = 3  # in the corner
    for seed in range(30):
        seen = view_objects(instances, Random(seed))
        assert len(seen.cells) == 3
        for mask, (row, column) in zip(seen.masks, seen.cells, strict=True):
            assert mask[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].any()


def test_what_is_hardly_visible_is_not_looked_for():
    instances = np.zeros((64, 64), np.uint8)
    instances[8:10, 8:15] = 1  # 14 pixels
    seen = view_objects(instances, Random(0))
    assert len(seen.ids) == len(seen.cells) == len(seen.masks) == 0 and not seen.heat.any()


def test_a_batch_is_labelled_by_the_renderer():
    scenes = [drawn_scene(seed) for seed in (0, 1)]
    batch = make_batch(scenes, Random(0), per_view=6, config=SMALL, split="validation")
    assert len(batch.texts) == 12 and batch.image.tolist() == [0, 0, 0, 1, 1, 1]
    for index in range(6):
        scene, item = scenes[index // 3], scenes[index // 3].objects[index % 3]
        assert (batch.masks[index].numpy() == (scene.instances == item.instance)).all()
        kind, color, material = batch.looks[index].tolist()
        assert SMALL.kinds[kind] == item.kind and SMALL.colors[color] == item.color
        assert material == len(SMALL.materials)  # none of them
    cube = SMALL.kinds.index("cube")
    for index, scene in enumerate(scenes):
        small = scene.instances[2::4, 2::4]
        assert (batch.kinds[index].numpy() == np.where(small > 0, cube, len(SMALL.kinds))).all()
    for index, question in enumerate(batch.questions):
        expected = [IGNORE if i in question.ignored else int(i in question.targets) for i in (1, 2, 3)]
        assert batch.targets[index].tolist() == expected
        assert batch.anchors[index].tolist() == [int(i == question.anchor) for i in (1, 2, 3)]
        assert batch.present[index].item() == bool(question.targets)


def test_a_view_with_fewer_objects_is_padded():
    full, bare = drawn_scene(0), drawn_scene(1)
    instances = np.where(bare.instances == 2, bare.instances, 0).astype(np.uint8)
    bare = type(bare)(bare.image, instances, None, bare.intrinsics, bare.objects)
    batch = make_batch([full, bare], Random(0), per_view=4, config=SMALL, split="validation")
    assert batch.targets.shape == (8, 3) and batch.image.tolist() == [0, 0, 0, 1]
    assert (batch.targets[4:, 1:] == IGNORE).all() and (batch.targets[4:, 0] != IGNORE).any()


def test_a_pool_picks_up_new_shards(tmp_path):
    for index in range(4):
        write_shard(tmp_path / f"train-{index:05d}", [drawn_scene(index)], [index], [0])
    pools = [ShardPool(tmp_path, "train", rank, 2) for rank in range(2)]
    assert [[pool.scene(i).objects for i in range(len(pool))] for pool in pools] == [
        [drawn_scene(0).objects, drawn_scene(2).objects],
        [drawn_scene(1).objects, drawn_scene(3).objects],
    ]
    write_shard(tmp_path / "train-00004", [drawn_scene(4)], [4], [0])
    assert [pool.rescan() for pool in pools] == [1, 0]
    assert [len(pool) for pool in pools] == [3, 2]


# False objects


def test_the_background_that_is_taken_for_an_object_is_shown_too():
    scenes = [drawn_scene(seed) for seed in (0, 1)]
    batch = make_batch(scenes, Random(0), per_view=1, config=SMALL, split="validation")
    heat = torch.full(batch.heat.shape, -9.0)
    heat[0, 15, 15] = 3.0  # background of the first view
    row, column = batch.cells[4].tolist()
    heat[1, row, column] = 3.0  # an object of the second
    image, cells, true = with_false(heat, batch, len(SMALL.kinds))
    assert image.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert true.tolist() == [True] * 3 + [False] + [True] * 3
    assert cells[3].tolist() == [15, 15]
    assert torch.equal(cells[true], batch.cells)


def test_false_objects_are_never_meant():
    labels = torch.tensor([[1, 0], [0, IGNORE]])
    there = torch.tensor([[True, True, True, False], [True, True, False, False]])
    result = padded(labels, torch.tensor([2, 1]), there)
    assert result.tolist() == [[1, 0, 0, IGNORE], [0, 0, IGNORE, IGNORE]]


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
