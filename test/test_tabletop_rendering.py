"""What needs MuJoCo and an OpenGL library that works without a screen."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

try:
    from ivm_ros.datasets.tabletop.renderer import TabletopRenderer

    TabletopRenderer((16, 16)).close()
except Exception as error:  # whatever a missing MuJoCo or a missing or broken OpenGL library raises
    pytest.skip(f"cannot render without a screen: {error}", allow_module_level=True)

from ivm_ros.datasets.folder import INDEX, Folder
from ivm_ros.datasets.tabletop import seeds, write_folder
from ivm_ros.datasets.tabletop.layout import Layout, draw_layout, footprint, overlap
from ivm_ros.datasets.tabletop.paraphrases import PLAIN, TYPES
from ivm_ros.datasets.tabletop.pool import Pool, build_pool
from ivm_ros.datasets.tabletop.renderer import SCENES_PER_POOL, PoolRenderer
from ivm_ros.datasets.tabletop.surroundings import Paint

if TYPE_CHECKING:
    from ivm_ros.datasets.tabletop.scene import Scene

SIZE = (128, 96)
SEEDS = range(40, 60)


@pytest.fixture(scope="module")
def renderer() -> Iterator[TabletopRenderer]:
    renderer = TabletopRenderer(SIZE)
    yield renderer
    renderer.close()


@pytest.fixture(scope="module")
def scenes(renderer: TabletopRenderer) -> list[Scene]:
    return [scene for seed in SEEDS for scene in renderer.render(seed)]


@pytest.fixture(scope="module")
def pool() -> Pool:
    return build_pool(0, SIZE)


@pytest.fixture(scope="module")
def layouts(pool: Pool) -> list[Layout]:
    return [draw_layout(pool, np.random.default_rng(seed), 1) for seed in range(30)]


def test_a_seed_fixes_the_picture_whatever_came_before(
    renderer: TabletopRenderer, scenes: list[Scene]
) -> None:
    for index in (13, 4):
        again = renderer.render(SEEDS[index])
        for view, scene in enumerate(again):
            expected = scenes[2 * index + view]
            assert (scene.image == expected.image).all() and (scene.instances == expected.instances).all()
            assert scene.objects == expected.objects


def test_pictures_show_objects_and_differ(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.image.shape == (96, 128, 3) and scene.image.std() > 3
        assert set(np.unique(scene.instances)) <= {0, *(item.instance for item in scene.objects)}
        assert (scene.instances > 0).mean() > 0.002
    means = np.array([scene.image.mean() for scene in scenes])
    assert means.std() > 10  # not everything in one light and on one table


def test_objects_are_where_the_record_says(scenes: list[Scene]) -> None:
    """Project each centre with the intrinsics: it lies in the box of a wholly visible object."""
    checked = 0
    for scene in scenes:
        fx, fy, cx, cy = scene.intrinsics
        for item in scene.objects:
            rows, columns = np.nonzero(scene.instances == item.instance)
            x, y, z = item.position
            if (
                rows.size < 150
                or rows.min() == 0
                or rows.max() == 95
                or columns.min() == 0
                or columns.max() == 127
            ):
                continue
            checked += 1
            assert columns.min() - 4 <= cx + fx * x / z <= columns.max() + 5
            assert rows.min() - 4 <= cy + fy * y / z <= rows.max() + 5
            assert item.distance == pytest.approx(np.linalg.norm(item.position), abs=1e-3)
    assert checked > 30


def test_depth_is_that_of_the_objects(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.depth is not None and scene.depth.dtype == np.uint16
        for item in scene.objects:
            depths = scene.depth[scene.instances == item.instance]
            if depths.size > 100:
                assert abs(float(np.median(depths)) / 1000 - item.position[2]) < 0.2


def test_colors_look_like_their_names(scenes: list[Scene]) -> None:
    channels = {"red": 0, "green": 1, "blue": 2}
    looks_right = {}
    for number, scene in enumerate(scenes):
        for item in scene.objects:
            pixels = scene.image[scene.instances == item.instance]
            if len(pixels) > 100 and item.color in channels and item.material is None:
                strongest = np.argmax(np.median(pixels, axis=0))
                looks_right[number, item.instance] = strongest == channels[item.color]
    assert len(looks_right) >= 5
    assert np.mean(list(looks_right.values())) >= 0.9, looks_right  # glare bleaches one now and then


def test_objects_rest_on_the_table_or_on_one_another(pool: Pool, layouts: list[Layout]) -> None:
    stacked = 0
    for layout in layouts:
        for placement in layout.placements:
            item = pool.items[placement.item]
            lowest = (item.points @ placement.turn.T + placement.position)[:, 2].min()
            if placement.on is None:
                assert lowest == pytest.approx(0, abs=1e-9)
                continue
            stacked += 1
            below = layout.placements[placement.on]
            support = pool.items[below.item].asset.support
            assert support is not None and below.on is None
            assert lowest == pytest.approx(below.position[2] + support.z, abs=1e-9)
    assert stacked >= 3


def test_objects_on_the_table_do_not_meet(pool: Pool, layouts: list[Layout]) -> None:
    for layout in layouts:
        flat = [footprint(pool.items[p.item], p.turn, p.position) for p in layout.placements if p.on is None]
        assert not any(overlap(a, b) for i, a in enumerate(flat) for b in flat[:i])


def test_scenes_have_twins(pool: Pool, layouts: list[Layout]) -> None:
    """Most scenes have two objects of one kind, and most have two of one colour."""
    kinds = [[pool.items[p.item].asset.kind for p in layout.placements] for layout in layouts]
    colors = [[p.color for p in layout.placements if p.color] for layout in layouts]
    for names in (kinds, colors):
        assert np.mean([len(set(found)) < len(found) for found in names]) > 0.6


def test_the_table_takes_every_texture_it_is_given(layouts: list[Layout]) -> None:
    """MuJoCo renders from the context's copy of a texture's number where the model's is not enough."""
    renderer = TabletopRenderer(SIZE)  # its OpenGL context is the one that is current
    pool = build_pool(0, SIZE)
    painter = PoolRenderer(pool, SIZE)
    pictures = set()
    for texture in (*pool.surfaces[:5], None):
        room = (Paint((1, 1, 1), texture, 2.0), *layouts[0].room[1:])
        (scene,) = painter.render(replace(layouts[0], room=room, placements=()))
        pictures.add(scene.image.tobytes())
    painter.close()
    renderer.close()
    assert len(pictures) == 6


def test_splits_share_neither_seeds_nor_pools() -> None:
    splits = list(seeds.SPLITS.values())
    for one, other in itertools.pairwise(splits):
        assert one[-1] < other[0]
        assert one[-1] // SCENES_PER_POOL < other[0] // SCENES_PER_POOL


def test_a_rendered_folder_is_read_back_and_does_not_depend_on_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_folder, "_CHUNK", 1)
    seed = seeds.TEST_SEEDS.start + 3
    count = write_folder.write_folder(tmp_path / "one", scenes=2, seed=seed, size=SIZE, workers=1)
    write_folder.write_folder(tmp_path / "two", scenes=2, seed=seed, size=SIZE, workers=2)
    samples = list(Folder(tmp_path / "one"))
    assert len(samples) == count >= 4
    assert all(sample.depth is not None and sample.tag for sample in samples)
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert files == sorted(file.name for file in (tmp_path / "two").iterdir())
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    with pytest.raises(FileExistsError, match="another folder"):
        write_folder.write_folder(tmp_path / "one", scenes=1, seed=seed, size=SIZE)


def test_paraphrases_ask_the_same_of_the_same_views(tmp_path: Path) -> None:
    seed = seeds.TEST_SEEDS.start + 3
    for wording in write_folder.WORDINGS:
        write_folder.write_folder(tmp_path / wording, scenes=1, seed=seed, size=SIZE, wording=wording)
    usual, entries = (
        [json.loads(line) for line in (tmp_path / wording / INDEX).read_text().splitlines()]
        for wording in write_folder.WORDINGS
    )
    for name in {entry["image"] for entry in usual}:
        assert (tmp_path / "usual" / name).read_bytes() == (tmp_path / "paraphrased" / name).read_bytes()
    by_question: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_question.setdefault(entry["question"], []).append(entry)
    asked = [(group[0]["image"], group[0]["masks"]) for group in by_question.values()]
    assert asked == [(entry["image"], entry["masks"]) for entry in usual]
    for group in by_question.values():
        plain, *others = group
        assert plain["tag"] == PLAIN and len(others) >= 3
        for entry in others:
            assert entry["masks"] == plain["masks"] and entry["tag"] in TYPES
            assert entry["instruction"] != plain["instruction"]


def test_new_instances_are_rendered_and_described(tmp_path: Path) -> None:
    seed = seeds.TEST_SEEDS.start + 3
    count = write_folder.write_folder(tmp_path / "new", scenes=1, seed=seed, size=SIZE, instances="new")
    assert count == len(list(Folder(tmp_path / "new"))) > 0
    with pytest.raises(ValueError, match=r"expected one of known, new, got 'other'"):
        write_folder.write_folder(tmp_path / "other", scenes=1, seed=seed, size=SIZE, instances="other")
