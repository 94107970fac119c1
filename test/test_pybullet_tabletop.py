import importlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pybullet", reason="PyBullet is not installed")

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def tabletop(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        module = importlib.import_module("pybullet_tabletop")
    return module.PyBulletTabletop(tmp_path_factory.mktemp("meshes"))


def whole(mask):
    """Whether something is seen, and the picture's border does not cut it."""
    return mask.any() and mask.sum() == mask[1:-1, 1:-1].sum()


def test_objects_are_where_masks_and_depth_say(tabletop):
    checked = 0
    for scene in [*tabletop.render(1), *tabletop.render(2)]:
        assert 3 <= len(scene.objects) <= 7
        fx, fy, cx, cy = scene.intrinsics
        for item in scene.objects:
            mask = scene.instances == item.instance
            if not whole(mask):
                continue
            rows, columns = np.nonzero(mask)
            x, y, z = item.position
            assert columns.min() - 3 < fx * x / z + cx < columns.max() + 3
            assert rows.min() - 3 < fy * y / z + cy < rows.max() + 3
            assert np.median(scene.depth[mask]) / 1000 == pytest.approx(z, abs=0.1)
            checked += 1
    assert checked >= 4


def test_what_lies_in_a_tray_is_just_above_it(tabletop):
    pairs = []
    for seed in range(6):
        scene = tabletop.render(seed)[0]
        by_instance = {item.instance: item for item in scene.objects}
        pairs += [(item, by_instance[item.on]) for item in scene.objects if item.on is not None]
    assert pairs
    for item, support in pairs:
        assert support.kind == "tray" and item.kind != "tray"
        assert np.linalg.norm(np.subtract(item.position, support.position)) < 0.12


def test_the_same_seed_gives_the_same_picture(tabletop):
    first = tabletop.render(3)[0]
    tabletop.render(4)
    again = tabletop.render(3)[0]
    assert np.array_equal(first.image, again.image)
    assert first.objects == again.objects
    assert not np.array_equal(first.image, tabletop.render(4)[0].image)
