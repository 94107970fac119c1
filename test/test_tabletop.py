from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import pytest

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.colors import RANGES, sample_rgb
from ivm_ros.datasets.tabletop.kinds import BUILDERS
from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.datasets.tabletop.store import StoreError, complete_shards, load_store, map_shards, write_shard
from ivm_ros.language.vocabulary import COLORS, KINDS

SOLIDS = {
    "box": meshes.box(0.1, 0.2, 0.3),
    "wedge": meshes.wedge(0.1, 0.2, 0.3),
    "lathe": meshes.lathe([(0, 0), (0.1, 0), (0.1, 0.2), (0, 0.2)]),
    "vessel": meshes.vessel([(0.05, 0), (0.06, 0.1)], 0.004, 0.005),
    "tube": meshes.tube([(0, 0, 0), (0.1, 0, 0), (0.2, 0.1, 0)], [0.01, 0.02, 0.01]),
    "ring": meshes.ring(0.05, 0.02),
    "ellipsoid": meshes.ellipsoid(0.1, 0.2, 0.3),
    "merged": meshes.merge(meshes.box(1, 1, 1), meshes.box(1, 1, 1).moved(x=3)),
    "turned": meshes.box(0.1, 0.2, 0.3).turned("y", 30),
}


def volume(mesh: meshes.Mesh) -> float:
    """Return the signed volume; it is positive when the faces look outwards."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("name", SOLIDS)
def test_meshes_are_closed_and_face_outwards(name: str) -> None:
    mesh = SOLIDS[name]
    _, places = np.unique(np.round(mesh.vertices, 9), axis=0, return_inverse=True)
    edges = places.reshape(-1)[mesh.faces[:, [[0, 1], [1, 2], [2, 0]]]].reshape(-1, 2)
    forth = {(start, end) for start, end in edges.tolist()}
    assert forth == {(end, start) for start, end in forth}  # every edge has a face on either side
    assert volume(mesh) > 0


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        (SOLIDS["box"], 0.1 * 0.2 * 0.3),
        (meshes.lathe([(0, 0), (0.1, 0), (0.1, 0.2), (0, 0.2)], 256), np.pi * 0.1**2 * 0.2),
        (meshes.ellipsoid(0.1, 0.2, 0.3, 128), 4 / 3 * np.pi * 0.1 * 0.2 * 0.3),
        (SOLIDS["merged"], 2.0),
    ],
)
def test_meshes_have_the_volume_of_their_shape(mesh: meshes.Mesh, expected: float) -> None:
    assert volume(mesh) == pytest.approx(expected, rel=0.01)


def test_an_obj_file_is_read_with_its_texture(tmp_path: Path) -> None:
    file = tmp_path / "square.obj"
    file.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 1\nf 1/1 2/2/1 3/2 4/1\n")
    mesh = meshes.read_obj(file)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.texture is not None and mesh.texture.tolist() == [[0, 0], [1, 1], [1, 1], [0, 0]]


def test_every_kind_is_built_at_the_size_of_real_things() -> None:
    assert set(BUILDERS) == set(KINDS)
    for kind, build in BUILDERS.items():
        asset = build(np.random.default_rng(0))
        points = np.concatenate([part.mesh.vertices for part in asset.parts])
        assert asset.kind == kind and set(asset.colors) <= set(COLORS)
        assert 0.02 < np.ptp(points, axis=0).max() < 0.4, kind


def test_scaled_assets_say_their_size() -> None:
    asset = BUILDERS["plate"](np.random.default_rng(0))
    assert [asset.scaled(factor).size for factor in (0.7, 1.0, 1.4)] == ["small", None, "large"]
    large = asset.scaled(2.0)
    assert asset.support and large.support and large.support.radius == pytest.approx(2 * asset.support.radius)


def test_colors_are_the_vocabulary_and_do_not_overlap() -> None:
    assert set(RANGES) == set(COLORS)
    random = np.random.default_rng(0)
    for name in RANGES:
        for _ in range(20):
            hue, saturation, value = colorsys.rgb_to_hsv(*sample_rgb(name, random))
            fitting = [
                other
                for other, (hues, saturations, values) in RANGES.items()
                if (hues[0] - 0.01 <= hue * 360 <= hues[1] + 0.01 or hues[0] <= hue * 360 - 360)
                and saturations[0] - 0.01 <= saturation <= saturations[1] + 0.01
                and values[0] - 0.01 <= value <= values[1] + 0.01
            ]
            assert fitting == [name]


def small_scene(number: int) -> Scene:
    instances = np.full((4, 6), number, np.uint8)
    item = SceneObject(number, "cup", "red", None, None, 0.8, (0.1, 0.2, 0.7), None)
    image = np.full((4, 6, 3), number, np.uint8)
    return Scene(image, instances, None, (5.0, 5.0, 3.0, 2.0), (item,))


def test_a_store_gives_back_what_was_written(tmp_path: Path) -> None:
    write_shard(tmp_path / "train-00001", [small_scene(3)], [9], [1])
    write_shard(tmp_path / "train-00000", [small_scene(1), small_scene(2)], [7, 7], [0, 1])
    store = load_store(complete_shards(tmp_path), progress=False)
    assert len(store) == 3 and [(r.seed, r.view) for r in store.records] == [(7, 0), (7, 1), (9, 1)]
    for index in range(3):
        scene, expected = store.scene(index), small_scene(index + 1)
        assert (scene.image == expected.image).all() and (scene.instances == expected.instances).all()
        assert (scene.intrinsics, scene.objects) == (expected.intrinsics, expected.objects)


def test_shards_can_stay_on_disk(tmp_path: Path) -> None:
    for number in (1, 2):
        write_shard(tmp_path / f"train-0000{number}", [small_scene(number)], [number], [0])
    first, second = map_shards(complete_shards(tmp_path))
    assert isinstance(first.images, np.memmap) and len(first) == len(second) == 1
    assert (second.scene(0).image == small_scene(2).image).all()
    with pytest.raises(StoreError, match="at least one"):
        map_shards([])


def test_a_shard_without_its_jsonl_is_not_complete(tmp_path: Path) -> None:
    write_shard(tmp_path / "train-00000", [small_scene(1)], [7], [0])
    (tmp_path / "train-00000.jsonl").rename(tmp_path / "train-00000.jsonl.partial")
    assert complete_shards(tmp_path) == []


def test_broken_shards_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="at least one"):
        load_store([])
    stem = tmp_path / "train-00000"
    write_shard(stem, [small_scene(1), small_scene(2)], [7, 7], [0, 1])
    lines = Path(f"{stem}.jsonl").read_text().splitlines()
    Path(f"{stem}.jsonl").write_text(lines[0] + "\n")
    with pytest.raises(StoreError, match="does not agree"):
        load_store([stem], progress=False)
    Path(f"{stem}.images.npy").unlink()
    with pytest.raises(StoreError, match="incomplete"):
        load_store([stem], progress=False)
