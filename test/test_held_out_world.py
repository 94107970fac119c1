"""The held-out world: everything in it is outside of what training draws, and is what it is called."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ivm_ros.datasets.tabletop import surroundings, textures
from ivm_ros.datasets.tabletop.assets import Asset
from ivm_ros.datasets.tabletop.held_out import surroundings as new_surroundings
from ivm_ros.datasets.tabletop.held_out import textures as new_textures
from ivm_ros.datasets.tabletop.held_out.world import NEW
from ivm_ros.datasets.tabletop.kinds import BUILDERS
from ivm_ros.datasets.tabletop.varied import surroundings as varied_surroundings
from ivm_ros.datasets.tabletop.varied.world import STYLES, VARIED
from ivm_ros.datasets.tabletop.world import KNOWN, World
from ivm_ros.language.vocabulary import COLORS, KINDS

LEVELS, DRAWS = 12, 16


def spread(triangles: np.ndarray) -> np.ndarray:
    """Return points all over (N, 3, 3) triangles, more where these are few and large."""
    n = 8 if len(triangles) < 60 else 1
    spots = [(i, j, n - i - j) for i, j in itertools.product(range(n + 1), repeat=2) if i + j <= n]
    return (np.array(spots) / n @ triangles).reshape(-1, 3)


def outline(asset: Asset) -> np.ndarray:
    """Return what a shape is, whatever its size: its sides, and how wide it is at each height."""
    corners = [part.mesh.vertices[part.mesh.faces] for part in asset.parts]
    points = np.concatenate([spread(each) for each in corners])
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    points = (points - [*(low[:2] + high[:2]) / 2, low[2]]) / size
    level = np.minimum((points[:, 2] * LEVELS / points[:, 2].max()).astype(int), LEVELS - 1)
    wide = np.zeros((LEVELS, 2))
    for axis in range(2):
        np.maximum.at(wide[:, axis], level, np.abs(points[:, axis]))
    radius = np.hypot(points[:, 0], points[:, 1])
    bars = [np.quantile(radius, q) for q in (0.1, 0.3, 0.5, 0.7, 0.9)]
    return np.concatenate([(high - low) / size, wide.ravel() / 2, bars])


@pytest.mark.parametrize("kind", KINDS)
def test_no_shape_is_one_that_training_draws(kind: str) -> None:
    """Each is farther from all of training's shapes than those usually are from their nearest neighbours."""
    random = np.random.default_rng(0)
    known = np.stack([outline(BUILDERS[kind](random)) for _ in range(DRAWS)])
    new = np.stack([outline(NEW.builders[kind](random)) for _ in range(DRAWS)])
    own = np.linalg.norm(known[:, None] - known[None], axis=-1) + 1e9 * np.eye(DRAWS)
    other = np.linalg.norm(new[:, None] - known[None], axis=-1).min(axis=1)
    assert other.min() > 2 * np.median(own.min(axis=1))
    assert other.min() > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_no_shape_is_one_of_the_varied_designs(kind: str) -> None:
    """Stretched ones too: `VARIED` makes these of every design."""
    random = np.random.default_rng(0)
    varied = [outline(build(random)) for build in STYLES[kind] for _ in range(DRAWS)]
    varied += [outline(VARIED.builders[kind](random)) for _ in range(4 * DRAWS)]
    new = np.stack([outline(NEW.builders[kind](random)) for _ in range(DRAWS)])
    assert np.linalg.norm(new[:, None] - np.stack(varied)[None], axis=-1).min() > 0.04


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_there_at_the_size_of_real_things(kind: str) -> None:
    for seed in range(8):
        asset = NEW.builders[kind](np.random.default_rng(seed))
        points = np.concatenate([part.mesh.vertices for part in asset.parts])
        assert asset.kind == kind and set(asset.colors) <= set(COLORS)
        assert 0.02 < np.ptp(points, axis=0).max() < 0.4
        if asset.support is not None:  # what stands there must not stand in the air
            assert np.abs(points[:, 2] - asset.support.z).min() < 0.002


def test_surfaces_are_of_other_families() -> None:
    assert not set(new_textures.SURFACES) & set(textures.SURFACES)
    assert not NEW.borrows and NEW.surface not in (KNOWN.surface, VARIED.surface)
    for make in new_textures.SURFACES:
        texture = make(np.random.default_rng(0))
        assert texture.shape == (256, 256, 3) and texture.dtype == np.uint8 and texture.std() > 2


def runs(face: np.ndarray) -> int:
    """Return how often a row or a column of a face changes its colour, whichever does more often."""
    changed = [np.abs(np.diff(face.astype(int), axis=axis)).sum(axis=-1) > 30 for axis in (0, 1)]
    return max(int(changed[0][:, 24].sum()), int(changed[1][24].sum()))


def straight(face: np.ndarray) -> bool:
    """Return whether a pattern runs along the sides of its face, as all held-out ones do."""
    return len(np.unique(face, axis=0)) <= 2 and np.unique(face, axis=1).shape[1] <= 2


def test_finishes_have_other_counts() -> None:
    def drawn(world: World, name: str) -> list[np.ndarray]:
        pattern = world.patterns[name]
        return [pattern(np.random.default_rng(seed), (1, 0, 0), (1, 1, 1))[:48] for seed in range(40)]

    for name in ("checkered", "striped"):
        new, known, varied = (drawn(world, name) for world in (NEW, KNOWN, VARIED))
        assert all(map(straight, new + known))
        alike = [face for face in varied if straight(face)]
        assert 0 < len(alike) < len(varied)  # the others are slanted, as no held-out one is
        assert not set(map(runs, new)) & set(map(runs, known + alike))

    def brightest(world: object) -> list[float]:
        make = world.finishes["wooden"]  # type: ignore[attr-defined]
        return [make(np.random.default_rng(seed)).max() / 255 for seed in range(40)]

    assert max(brightest(NEW)) < min(brightest(KNOWN))


def test_lamps_stand_lower_and_have_more_colour_than_any_of_training() -> None:
    def drawn(draw: object) -> tuple[list[float], list[float]]:
        heights, tints = [], []
        for seed in range(200):
            lights, *_ = draw(np.random.default_rng(seed), bool(seed % 2))  # type: ignore[operator]
            for light in lights:
                x, y, z = light.position
                heights.append(math.degrees(math.atan2(z, math.hypot(x, y))))
            red, _, blue = lights[0].diffuse
            tints.append(abs(red - blue) / (red + blue))
        return heights, tints

    new = drawn(new_surroundings.draw_lights)
    for draw in (surroundings.draw_lights, varied_surroundings.draw_lights):
        heights, tints = drawn(draw)
        assert max(new[0]) < min(heights)
        assert min(new[1]) > max(tints)
