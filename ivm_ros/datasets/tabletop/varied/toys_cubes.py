"""More designs of cubes."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import chance, pick_rgb, set_down
from ivm_ros.datasets.tabletop.varied.shapes_toys import (
    DARK,
    PAINTED,
    drum,
    on_cube_faces,
    rounded_box,
    sleeve,
)

GLYPHS: tuple[tuple[tuple[float, float, float, float], ...], ...] = (
    ((-0.3, 0, 0.2, 1), (0.3, 0, 0.2, 1), (0, 0, 0.6, 0.2)),
    ((0, 0.4, 0.8, 0.2), (0, 0, 0.2, 1)),
    ((-0.3, 0, 0.2, 1), (0, -0.4, 0.8, 0.2)),
    ((-0.3, 0, 0.2, 1), (0, 0.4, 0.8, 0.2), (0, 0, 0.7, 0.2), (0, -0.4, 0.8, 0.2)),
    ((0, 0, 0.2, 1), (0, 0, 1, 0.2)),
    ((-0.3, 0, 0.2, 1), (0, 0.4, 0.8, 0.2), (0, 0, 0.6, 0.2)),
    ((-0.3, 0, 0.2, 1), (0.3, 0, 0.2, 1), (0, 0.4, 0.8, 0.2), (0, -0.4, 0.8, 0.2)),
)
"""Letters of bars: (x, y, width, height) in parts of the letter's height."""
PIPS = ((), (4,), (0, 8), (0, 4, 8), (0, 2, 6, 8), (0, 2, 4, 6, 8), (0, 2, 3, 5, 6, 8))
"""Places of a die's dots on a grid of three by three, by their number."""


def _cube(side: float, *parts: Part, finishes: tuple[str, ...] = PAINTED) -> Asset:
    return Asset("cube", parts, finishes=finishes, support=Support(side, 0.4 * side))


def _cube_die(random: Random) -> Asset:
    """A die with dots."""
    side, size = random.uniform(0.03, 0.07), random.uniform(0.07, 0.1)
    dot = drum(side * size, 0.0012, 0.0002, 1, 12).moved(z=-0.0006)
    step = side * random.uniform(0.22, 0.27)
    faces = []
    for number in (1, 6, 2, 5, 3, 4):
        dots = [dot.moved((i % 3 - 1) * step, (i // 3 - 1) * step) for i in PIPS[number]]
        faces.append(meshes.merge(*dots))
    body = rounded_box(side, side, side, side * random.uniform(0.05, 0.2))
    tint = pick_rgb(random, "white", "white", "black", "black", "black", "red", "blue")
    return _cube(side, Part(body), Part(on_cube_faces(faces, side), tint), finishes=("plain",))


def _cube_letters(random: Random) -> Asset:
    """A child's block with a raised letter on each face, some with a frame around it."""
    side = random.uniform(0.035, 0.07)
    size, rise = side * random.uniform(0.4, 0.6), side * random.uniform(0.015, 0.03)
    faces = []
    for index in random.permutation(len(GLYPHS))[:6]:
        bars = [
            meshes.box(w * size, h * size, 2 * rise + i * 1e-4).moved(x * size, y * size, -rise)
            for i, (x, y, w, h) in enumerate(GLYPHS[index])
        ]
        faces.append(meshes.merge(*bars))
    parts = [
        Part(rounded_box(side, side, side, 0.03 * side, 1)),
        Part(on_cube_faces(faces, side), pick_rgb(random)),
    ]
    if chance(random, 0.5):
        parts.append(Part(_frame(side, 0.08 * side, rise)))
    return _cube(side + 2 * rise, *set_down(parts))


def _frame(side: float, wide: float, rise: float) -> Mesh:
    """Return bars along the twelve edges of a cube that stand out by `rise`."""
    long = side + 2 * rise
    bar, out = meshes.box(long, wide + rise, wide + rise), (side - wide + rise) / 2
    bars = []
    for turn in (("x", 0), ("z", 90), ("y", 90)):
        for i in (1, -1):
            for j in (1, -1):
                middle = bar.moved(z=-(wide + rise) / 2).moved(0, i * out, j * out)
                bars.append(middle.turned(*turn))
    return meshes.merge(*bars).moved(z=side / 2)


def _cube_framed(random: Random) -> Asset:
    """A cube with raised edges or corners, like a crate; or only its thick edges around a smaller core."""
    side = random.uniform(0.035, 0.08)
    wide, rise = side * random.uniform(0.08, 0.16), side * random.uniform(0.01, 0.05)
    tint = pick_rgb(random) if chance(random, 0.25) else None
    if tint:
        wide, rise = 0.07 * side, 0.02 * side
    core = meshes.box(side, side, side)
    parts = set_down((Part(core), Part(_frame(side, wide, rise), tint)))
    top = side + 2 * rise
    return Asset("cube", parts, finishes=PAINTED, support=Support(top, 0.45 * top))


def _cube_puzzle(random: Random) -> Asset:
    """A cube of two or three small cubes a side, with dark or plain gaps."""
    count = int(random.choice([2, 3, 3, 4]))
    side = random.uniform(0.035, 0.075)
    unit = side / count
    small = rounded_box(unit * 0.96, unit * 0.96, unit * 0.96, unit * random.uniform(0.06, 0.16), 1)
    places = np.stack(np.meshgrid(*[np.arange(count)] * 3), -1).reshape(-1, 3)
    outer = [place for place in places if place.min() == 0 or place.max() == count - 1]
    middle = (count - 1) / 2
    cubes = [small.moved((i - middle) * unit, (j - middle) * unit, (k + 0.02) * unit) for i, j, k in outer]
    core = meshes.box(0.9 * side, 0.9 * side, 0.9 * side).moved(z=0.05 * side)
    parts = (Part(meshes.merge(*cubes)), Part(core, DARK if chance(random, 0.6) else None))
    return _cube(side, *parts, finishes=("plain", "plain", "wooden"))


def _cube_marked(random: Random) -> Asset:
    """A cube with a disc, a hole, a square or a cross on each face, or a wooden bead."""
    side, rise = random.uniform(0.03, 0.07), 0.0005
    size, kind = side * random.uniform(0.13, 0.3), int(random.integers(4))
    if kind == 0:
        mark = drum(size, 2 * rise, 0.2 * rise, 1, 20)
    elif kind == 1:
        mark = meshes.box(1.7 * size, 1.7 * size, 2 * rise).turned("z", 45 * int(random.integers(2)))
    elif kind == 2:
        mark = meshes.merge(
            meshes.box(2.6 * size, 0.6 * size, 2 * rise), meshes.box(0.6 * size, 2.6 * size, 2.1 * rise)
        )
    else:
        mark = sleeve(0.7 * size, 1.1 * size, 0, 2 * rise, 20)
    body = rounded_box(side, side, side, side * random.uniform(0.02, 0.12), 2)
    tint = DARK if chance(random, 0.35) else pick_rgb(random)
    return _cube(side, Part(body), Part(on_cube_faces([mark.moved(z=-rise)] * 6, side), tint))


CUBES: dict[str, tuple[Builder, ...]] = {
    "cube": (_cube_die, _cube_letters, _cube_framed, _cube_puzzle, _cube_marked),
}
