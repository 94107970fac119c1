"""The training store: rendered shard by shard, goes on where it stopped, of any distance and size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from ivm_ros.datasets.tabletop import generate, seeds
from ivm_ros.datasets.tabletop.store import complete_shards, load_store

if TYPE_CHECKING:
    from ivm_ros.datasets.tabletop.renderer import TabletopRenderer

SIZE = (128, 96)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> type[TabletopRenderer]:
    """What renders small shards of two small scenes."""
    try:
        from ivm_ros.datasets.tabletop.renderer import TabletopRenderer

        TabletopRenderer((16, 16)).close()
    except Exception as error:  # whatever a missing MuJoCo or a missing or broken OpenGL library raises
        pytest.skip(f"cannot render without a screen: {error}")
    monkeypatch.setattr(generate, "SHARD_SCENES", 2)
    monkeypatch.setattr(generate, "STORE_SIZE", SIZE)
    return TabletopRenderer


def test_a_store_goes_on_where_it_stopped(tmp_path: Path, small: type[TabletopRenderer]) -> None:
    generate.write_store(tmp_path, "train", scenes=4)
    first = tmp_path / "train-00000.images.npy"
    before = first.stat().st_mtime_ns
    whole = load_store(complete_shards(tmp_path), progress=False)
    (tmp_path / "train-00001.jsonl").unlink()
    stems = generate.write_store(tmp_path, "train", scenes=4)
    again = load_store(stems, progress=False)
    assert first.stat().st_mtime_ns == before
    assert (again.images == whole.images).all() and again.records == whole.records
    assert [record.seed for record in again.records] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_scenes_of_a_store_are_as_far_apart_as_asked(tmp_path: Path, small: type[TabletopRenderer]) -> None:
    stems = generate.write_store(tmp_path, "validation", scenes=3, apart=5)  # two whole shards
    assert [stem.name for stem in stems] == ["validation-00000", "validation-00001"]
    first = seeds.VALIDATION_SEEDS.start
    seen = [(record.seed - first, record.view) for record in load_store(stems, progress=False).records]
    assert seen == [(seed, view) for seed in (0, 5, 10, 15) for view in (0, 1)]


def test_a_larger_store_shows_the_same_scenes(
    tmp_path: Path, small: type[TabletopRenderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "SHARD_SCENES", 1)
    seed = seeds.VALIDATION_SEEDS.start
    store = load_store(generate.write_store(tmp_path, "validation", scenes=1, scale=2), progress=False)
    assert store.images.shape == (2, 192, 256, 3) and store.instances.shape == (2, 192, 256)
    renderer = small(SIZE)
    usual = renderer.render(seed)
    renderer.close()
    for index, scene in enumerate(usual):
        large = store.scene(index)
        assert large.objects == scene.objects
        assert large.intrinsics == pytest.approx([2 * value for value in scene.intrinsics])
        assert (large.instances[::2, ::2] == scene.instances).mean() > 0.98
        means = large.image.reshape(96, 2, 128, 2, 3).mean(axis=(1, 3))
        assert np.abs(means - scene.image).mean() < 3


@pytest.mark.parametrize(("scenes", "apart"), [(1_000_001, 1), (200_001, 5)])
def test_a_split_has_only_so_many_scenes(tmp_path: Path, scenes: int, apart: int) -> None:
    most = f"expected at most {1_000_000 // apart} scenes {apart} apart, got {scenes}"
    with pytest.raises(ValueError, match=most):
        generate.write_store(tmp_path / "store", "train", scenes, apart=apart)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("split", "world", "message"),
    [
        ("train", "old", "expected one of known, varied, new, got 'old'"),
        ("exam", "known", "expected one of train, validation, test, got 'exam'"),
        ("train", "new", "expected the split test for the world that is held out, got train"),
    ],
)
def test_what_there_is_not_is_refused_before_anything_is_made(
    tmp_path: Path, split: str, world: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate.write_store(tmp_path / "store", split, 2, world=world)
    app = typer.Typer()
    app.command()(generate.main)
    result = CliRunner().invoke(app, [str(tmp_path / "store"), "--split", split, "--world", world])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "store").exists()
