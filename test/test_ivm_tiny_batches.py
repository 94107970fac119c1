"""ivm-tiny's batches: augmented views, larger ones, their labels, and false objects."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from tiny_scenes import SMALL, drawn_scene, twice

from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.training.augment import augment
from ivm_ros.training.ivm_tiny.data import CLOSE_UP, IGNORE, make_batch
from ivm_ros.training.ivm_tiny.instances import view_objects
from ivm_ros.training.ivm_tiny.task import padded, with_false
from ivm_ros.training.ivm_tiny.views import ShardPool


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


@pytest.mark.parametrize(("whole", "least", "most"), [(0.0, 0, 0), (0.5, 15, 25), (1.0, 40, 40)])
def test_so_many_views_are_shown_whole(whole, least, most):
    scene, rng = drawn_scene(0), Random(0)
    maps = [augment(scene.image, scene.instances, rng, whole)[1] for _ in range(40)]
    same = [any((shown == scene.instances[:, ::step]).all() for step in (1, -1)) for shown in maps]
    assert least <= sum(same) <= most


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


def test_larger_views_are_shown_small_and_kept_as_they_are():
    scenes = [drawn_scene(seed) for seed in (0, 1)]
    large = [twice(scene) for scene in scenes]
    small = make_batch(scenes, Random(0), 6, SMALL, split="validation")
    batch = make_batch(large, Random(0), 6, SMALL, split="validation")
    for scene, picture, map_ in zip(large, batch.pictures, batch.maps, strict=True):
        assert (picture == scene.image).all() and (map_ == scene.instances).all()
    assert [picture.shape for picture in small.pictures] == [(64, 64, 3)] * 2
    for name, expected in vars(small).items():
        value = getattr(batch, name)
        if name == "questions":
            assert value == expected
        elif name not in ("pictures", "maps"):
            assert torch.equal(value, expected), name


@pytest.mark.parametrize("close_ups", [False, True])
def test_a_training_batch_agrees_with_its_larger_views(close_ups):
    share = CLOSE_UP if close_ups else 1
    for seed in range(5):
        scenes = [twice(drawn_scene(index)) for index in (seed, seed + 5)]
        batch = make_batch(scenes, Random(seed), 2, SMALL, close_ups=close_ups)
        side = round(64 * share)
        assert batch.images.shape == (2, side, side, 3) and batch.masks.shape[1:] == (side, side)
        assert batch.heat.shape == batch.kinds.shape == (2, side // 4, side // 4)
        assert len(batch.ids) == len(batch.image) == len(batch.masks) == len(batch.looks)
        for image, picture, map_ in zip(batch.images, batch.pictures, batch.maps, strict=True):
            assert picture.shape == (2 * side, 2 * side, 3) and map_.shape == (2 * side, 2 * side)
            assert picture.flags.c_contiguous and map_.flags.c_contiguous
            means = picture.reshape(side, 2, side, 2, 3).mean(axis=(1, 3))
            np.testing.assert_allclose(image.numpy(), means, atol=0.51)
        for view, number, mask in zip(batch.image.tolist(), batch.ids.tolist(), batch.masks, strict=True):
            assert (mask.numpy() == (batch.maps[view][::2, ::2] == number)).all()
        assert {*batch.ids.tolist()} <= {1, 2, 3} and len(batch.ids)


@pytest.mark.parametrize("views", [1.0, 0.0])
def test_views_of_a_batch_are_shown_whole_as_often_as_asked(views):
    scenes = [twice(drawn_scene(seed)) for seed in range(8)]
    batch = make_batch(scenes, Random(0), 0, SMALL, whole=views)
    for scene, map_ in zip(scenes, batch.maps, strict=True):
        assert any((map_ == scene.instances[:, ::step]).all() for step in (1, -1)) == bool(views)


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
