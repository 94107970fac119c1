"""More designs of toy bricks and of pyramids."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh, Points
from ivm_ros.datasets.tabletop.varied.shapes import chance, pick_rgb, set_down
from ivm_ros.datasets.tabletop.varied.shapes_toys import (
    PAINTED,
    SOLID,
    drum,
    rectangle,
    rounded_box,
    sleeve,
    tapering,
)


def _studs(columns: int, rows: int, unit: float, z: float, hollow: bool = False) -> list[Mesh]:
    """Return the knobs of a brick at height z."""
    r, high = 0.31 * unit, 0.22 * unit
    stud = sleeve(0.6 * r, r, 0, high, 12) if hollow else drum(r, high, 0.15 * high, 1, 12)
    places = [(i - (columns - 1) / 2, j - (rows - 1) / 2) for i in range(columns) for j in range(rows)]
    return [stud.moved(i * unit, j * unit, z) for i, j in places]


def _brick(
    columns: int, rows: int, unit: float, high: float, hollow: bool = False, bevel: float = 0.03
) -> Mesh:
    """Return a brick of this many knobs, with fine chamfers, on z = 0."""
    block = rounded_box(columns * unit, rows * unit, high, bevel * unit, 1)
    return meshes.merge(block, *_studs(columns, rows, unit, high, hollow))


def _lego_plate(random: Random) -> Asset:
    """A flat plate with many knobs."""
    unit = random.uniform(0.009, 0.016)
    columns, rows = int(random.integers(3, 9)), int(random.integers(2, 5))
    unit = max(unit, 0.036 / columns)
    return Asset("lego", (Part(_brick(columns, rows, unit, unit * random.uniform(0.4, 0.6))),))


def _lego_duplo(random: Random) -> Asset:
    """A large brick for small children with round edges and open knobs."""
    unit = random.uniform(0.02, 0.034)
    columns, rows = int(random.integers(1, 5)), int(random.integers(2, 4))
    high = unit * random.uniform(0.9, 1.35)
    return Asset("lego", (Part(_brick(columns, rows, unit, high, chance(random, 0.7), 0.08)),))


def _lego_tall(random: Random) -> Asset:
    """A slim high brick or pillar."""
    unit = random.uniform(0.014, 0.024)
    columns, rows = int(random.integers(1, 4)), int(random.integers(1, 3))
    high = unit * max(2.2, 1.3 * columns) * random.uniform(1.0, 1.35)
    return Asset("lego", (Part(_brick(columns, rows, unit, high)),))


def _lego_slope(random: Random) -> Asset:
    """A roof brick: knobs on a ridge at one side, the rest slopes down."""
    unit, columns, rows = random.uniform(0.016, 0.028), int(random.integers(2, 4)), int(random.integers(1, 5))
    ridge, high = 1, unit * random.uniform(1.1, 1.4) * (columns - 1)
    low = unit * random.uniform(0.12, 0.3)
    half, wide = columns * unit / 2, rows * unit
    cut = meshes.box(columns * unit, wide, high)
    right = (cut.vertices[:, 0] > 0) & (cut.vertices[:, 2] > 0)
    top = cut.vertices.copy()
    top[right, 0] = -half + ridge * unit
    slope = Mesh(top, cut.faces).moved(z=low)
    studs = [stud.moved(x=-half + ridge * unit / 2) for stud in _studs(ridge, rows, unit, high + low)]
    return Asset("lego", (Part(meshes.merge(meshes.box(columns * unit, wide, low), slope, *studs)),))


def _lego_stack(random: Random) -> Asset:
    """Two to four bricks put together, shifted and turned; the smallest may have a second colour."""
    unit = random.uniform(0.01, 0.017)
    columns, rows = int(random.integers(3, 7)), 2
    high, levels = 1.2 * unit, int(random.integers(2, 4))
    bricks = []
    for level in range(levels):
        width = columns - int(random.integers(0, 2)) * (level > 0)
        shift = int(random.integers(-1, 2)) * (level > 0) + (columns - width) / 2
        bricks.append(_brick(width, rows, unit, high).moved(shift * unit, 0, level * high))
    parts = [Part(meshes.merge(*bricks))]
    if chance(random, 0.5):
        parts.append(Part(_brick(1, 2, unit, high).moved(0, 0, levels * high), pick_rgb(random)))
    return Asset("lego", set_down(parts))


def _lego_corner(random: Random) -> Asset:
    """An L-shaped brick, or a bridge on two legs."""
    unit, high = random.uniform(0.016, 0.024), random.uniform(1.0, 1.4)
    high *= unit
    if chance(random, 0.5):
        long = int(random.integers(2, 5))
        arm = _brick(long, 1, unit, high, bevel=0.02)
        legs = [
            arm,
            _brick(1, long - 1, unit, high, bevel=0.02).moved((1 - long) / 2 * unit, long / 2 * unit),
        ]
        return Asset("lego", set_down([Part(meshes.merge(*legs))]))
    long, rows = int(random.integers(3, 7)), int(random.integers(1, 3))
    legs = [meshes.box(unit, rows * unit, high).moved(x=side * (long - 1) / 2 * unit) for side in (1, -1)]
    bridge = _brick(long, rows, unit, unit * random.uniform(0.5, 1.0)).moved(z=high)
    return Asset("lego", (Part(meshes.merge(*legs, bridge)),))


def _lego_round(random: Random) -> Asset:
    """A round brick with four knobs, low or high."""
    unit = random.uniform(0.015, 0.03)
    high = unit * random.uniform(0.7, 2.2)
    body = drum(1.02 * unit, high, 0.06 * unit, 1)
    return Asset("lego", (Part(meshes.merge(body, *_studs(2, 2, 0.72 * unit * math.sqrt(2), high))),))


def _ground_plan(random: Random, r: float) -> Points:
    """Draw a pyramid's base: a square, at times a rectangle or a triangle."""
    kind = int(random.integers(6))
    if kind == 0:
        angles = np.radians([90, 210, 330])
        return 1.15 * r * np.stack([np.cos(angles), np.sin(angles)], -1)
    stretch = random.uniform(1.1, 1.4) if kind == 1 else 1.0
    return rectangle(1.5 * r * stretch, 1.5 * r / stretch, 0.0, 0)[:4]


def _pyramid(
    random: Random, factors: list[tuple[float, float]], r: float, *parts: Part, lean: float = 0.0
) -> Asset:
    """Return a pyramid of these (factor, z) on a drawn plan."""
    mesh = tapering(_ground_plan(random, r), factors, lean)
    return Asset("pyramid", (Part(mesh), *parts), finishes=SOLID)


def _pyramid_plain(random: Random) -> Asset:
    """A flat to steep pyramid, upright or leaning a little, its tip sharp or cut."""
    r, tip = random.uniform(0.026, 0.06), random.uniform(0.004, 0.16)
    h = r * random.uniform(0.8, 2.3)
    lean = random.uniform(-0.5, 0.5) * r if chance(random, 0.3) else 0.0
    return _pyramid(random, [(1.0, 0.0), (tip, h * (1 - 0.5 * tip))], r, lean=lean)


def _pyramid_stepped(random: Random) -> Asset:
    """A pyramid of steps, as in Mexico or Sakkara, with upright or sloped walls."""
    r, count = random.uniform(0.03, 0.06), int(random.integers(4, 9))
    h, slope = r * random.uniform(0.9, 1.7), random.uniform(0.0, 0.6)
    layers = []
    for i in range(count):
        low, high = 1 - 0.92 * i / count, 1 - 0.92 * (i + slope) / count
        layers += [(low, i * h / count), (high, (i + 1) * h / count)]
    return _pyramid(random, layers, r)


def _pyramid_plinth(random: Random) -> Asset:
    """A pyramid on an upright plinth, flush or wider."""
    r = random.uniform(0.028, 0.055)
    h, foot, wide = r * random.uniform(1.0, 2.0), r * random.uniform(0.1, 0.3), random.uniform(1.0, 1.2)
    layers = [(wide, 0.0), (wide, foot)] + ([(1.0, foot)] if wide > 1.05 else []) + [(0.01, foot + h)]
    return _pyramid(random, layers, r)


def _pyramid_rounded(random: Random) -> Asset:
    """A pyramid with rounded edges and tip."""
    side = random.uniform(0.045, 0.09)
    h, soft, tip = (
        side * random.uniform(0.6, 1.2),
        side * random.uniform(0.04, 0.12),
        random.uniform(0.05, 0.12),
    )
    foot = 0.3 * soft
    layers = [(1 - foot / side, 0.0), (1.0, foot), (tip, h * (1 - tip))]
    layers += [(0.75 * tip, h * (1 - 0.72 * tip)), (0.35 * tip, h * (1 - 0.58 * tip))]
    mesh = tapering(rectangle(side, side, soft, 3), layers)
    return Asset("pyramid", (Part(mesh),), finishes=SOLID)


def _pyramid_banded(random: Random) -> Asset:
    """A pyramid with a tip, a belt or thin courses of a second colour."""
    side = random.uniform(0.045, 0.09)
    h, plan, out = side * random.uniform(0.6, 1.3), rectangle(side, side, 0.0, 0)[:4], 1.015
    body = tapering(plan, [(1.0, 0.0), (0.01, h * 0.99)])
    kind = int(random.integers(3))
    if kind == 0:
        cut = random.uniform(0.6, 0.75)
        bands = [tapering(plan * 1.05, [(1 - cut, cut * h), (0.01, h)])]
    else:
        wide = random.uniform(0.1, 0.2) if kind == 1 else random.uniform(0.015, 0.03)
        low = random.uniform(0.2, 0.35)
        places = (low,) if kind == 1 else (low, low + 0.3)
        bands = [tapering(plan, [(out - t, t * h), (out - t - wide, (t + wide) * h)]) for t in places]
    return Asset("pyramid", (Part(body), Part(meshes.merge(*bands), pick_rgb(random))), finishes=PAINTED)


BRICKS: dict[str, tuple[Builder, ...]] = {
    "lego": (_lego_plate, _lego_duplo, _lego_tall, _lego_slope, _lego_stack, _lego_corner, _lego_round),
    "pyramid": (_pyramid_plain, _pyramid_stepped, _pyramid_plinth, _pyramid_rounded, _pyramid_banded),
}
