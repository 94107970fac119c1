"""More designs of bread: loaf from a tin, baguette, round, plaited, rolls, slices."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Points
from ivm_ros.datasets.tabletop.varied import shapes
from ivm_ros.datasets.tabletop.varied import shapes_food as food
from ivm_ros.datasets.tabletop.varied.shapes import chance
from ivm_ros.datasets.tabletop.varied.shapes_food import CREAM, posed


def _bread(random: Random, *parts: Part) -> Asset:
    return Asset(
        "bread", posed(parts, ("z", random.uniform(-15, 15) + 180 * chance(random, 0.5))), ("brown",)
    )


def _crumb(random: Random) -> tuple[float, float, float]:
    """Return the colour of scores and cut faces."""
    light = random.uniform(0.65, 1.0)
    return (0.95 * light, 0.8 * light, (0.7 * light) ** 1.5)


def _loaf_outline(random: Random, width: float, height: float) -> Points:
    """Return the cross-section of a loaf from a tin, (N, 2): a foot, and a crown that bulges over it."""
    side, bulge = height * random.uniform(0.45, 0.8), width * random.uniform(-0.02, 0.1)
    arch = np.linspace(-0.15, math.pi + 0.15, 17)
    power = random.uniform(0.5, 1.0)
    crown = np.abs(np.sin(arch)) ** power * np.sign(np.sin(arch)) * (height - side)
    top = np.stack([(width / 2 + bulge) * np.cos(arch), side + crown], -1)
    foot = width * random.uniform(0.42, 0.5)
    return np.concatenate([[(-foot, 0.0), (0.0, 0.0), (foot, 0.0)], top])


def _bread_tin(random: Random) -> Asset:
    """A loaf from a tin, whole or cut with a slice or two before it."""
    cut = chance(random, 0.45)
    length, width = random.uniform(0.12, 0.18 if cut else 0.26), random.uniform(0.075, 0.11)
    outline = _loaf_outline(random, width, width * random.uniform(0.75, 1.15))
    steps = [(0.0, 0.84), (0.03, 0.95), (0.1, 1.0), (0.9, 1.0)]
    steps += [(1.0, 1.0)] if cut else [(0.97, 0.95), (1.0, 0.84)]
    body = shapes.loft_ends_last([shapes.at_height(outline * scale, length * s) for s, scale in steps])
    parts = [Part(food.axes_passed_on(body))]
    if cut:
        face = food.prism(outline * [0.92, 0.9] + [0, 0.03 * width], 0.001)
        tint = _crumb(random)
        parts.append(Part(food.axes_passed_on(face).moved(x=length), tint))
        if chance(random, 0.6):
            thick, lean = random.uniform(0.009, 0.016), random.uniform(3, 80)
            crust = food.axes_passed_on(food.prism(outline, thick)).turned("y", lean)
            place = length + 0.02
            parts.append(Part(crust.moved(x=place, z=thick), None))
            soft = food.axes_passed_on(face).moved(x=thick).turned("y", lean)
            parts.append(Part(soft.moved(x=place, z=thick), tint))
    elif chance(random, 0.5):
        top = float(outline[:, 1].max())
        split = meshes.tube(
            [(0.1 * length, 0, top), (0.5 * length, 0.003, top), (0.9 * length, 0, top)], 0.004
        )
        parts.append(Part(split, _crumb(random)))
    return _bread(random, *parts)


def _bread_baguette(random: Random) -> Asset:
    length, r = random.uniform(0.19, 0.33), random.uniform(0.017, 0.036)
    s, flat = np.linspace(-1, 1, 23), random.uniform(0.7, 1.0)
    sway = random.uniform(-0.02, 0.02)
    path = np.stack([s * length / 2, sway * np.cos(2 * s), 0 * s], -1)
    widths = r * np.maximum(1 - np.abs(s) ** random.uniform(2.2, 7), 0.02) ** 0.5
    body = shapes.flattened(meshes.tube(path, widths, 16).scaled((1, 1, flat)), -0.6 * r * flat, 0.02)
    count, slope = int(random.integers(3, 7)), random.uniform(0.5, 1.6)
    t = np.linspace(-0.75, 0.75, 5)
    scores = []
    for middle in np.linspace(-0.68, 0.68, count):
        x = middle * length / 2 + slope * r * t
        local = np.interp(x, path[:, 0], widths)
        y = 0.75 * t * local + np.interp(x, path[:, 0], path[:, 1])
        z = flat * local * np.sqrt(1 - (0.75 * t) ** 2)
        scores.append(meshes.tube(np.stack([x, y, z], -1), [0.001, 0.004, 0.005, 0.004, 0.001], 8))
    return _bread(random, Part(body), Part(meshes.merge(*scores), _crumb(random)))


def _score_paths(random: Random) -> list[Points]:
    """Return the cuts on a round loaf as (N, 2) paths in its unit circle."""
    t = np.linspace(-0.62, 0.62, 9)
    sort = str(random.choice(["one", "cross", "grid", "leaf"]))
    if sort == "one":
        return [np.stack([t, 0.15 * np.sin(2 * t)], -1)]
    if sort == "leaf":
        barbs = [np.stack([m + 0.4 * u, s * u], -1) for m in (-0.3, 0, 0.3) for s in (-1, 1) for u in [t[4:]]]
        return [np.stack([t, 0 * t], -1), *(0.85 * barb for barb in barbs)]
    places = [0.0] if sort == "cross" else list(np.linspace(-0.35, 0.35, int(random.integers(2, 4))))
    return [np.stack(pair, -1) for p in places for pair in ((t, p + 0 * t), (p + 0 * t, t))]


def _bread_round(random: Random) -> Asset:
    x, power = random.uniform(0.055, 0.11), random.uniform(0.7, 1.0)
    y, z = x * random.uniform(0.6, 1.0), x * random.uniform(0.45, 0.7)
    body = shapes.flattened(food.puffed(x, y, z, power), -0.45 * z, 0.02)
    cuts = []
    for path in _score_paths(random):
        height = z * (1 - (np.abs(path) ** (2 / power)).sum(axis=1)).clip(0.02) ** (power / 2)
        cuts.append(meshes.tube(np.column_stack([path * [x, y], height]), 0.045 * z + 0.001, 8))
    return _bread(random, Part(body), Part(meshes.merge(*cuts), _crumb(random)))


def _bread_plait(random: Random) -> Asset:
    length, r, turns = random.uniform(0.17, 0.3), random.uniform(0.018, 0.027), random.uniform(2.0, 3.5)
    s = np.linspace(-1, 1, 44)
    taper = np.maximum(1 - np.abs(s) ** random.uniform(2.5, 5), 0.12) ** 0.6
    strands = []
    for k in range(3):
        phase = turns * math.pi * s + 2 * math.pi * k / 3
        path = np.stack(
            [length / 2 * s, 1.25 * r * taper * np.sin(phase), 0.6 * r * taper * np.sin(2 * phase)], -1
        )
        strands.append(meshes.tube(path, r * taper, 12))
    parts = [Part(meshes.merge(*strands).scaled((1, 1, 0.9)))]
    if chance(random, 0.3):
        seeds = [
            meshes.ellipsoid(0.003, 0.0016, 0.0012, 6).moved(length * u, r * v, 1.18 * r)
            for u, v in random.uniform(-0.25, 0.25, (12, 2))
        ]
        parts.append(Part(meshes.merge(*seeds), CREAM))
    return _bread(random, *parts)


def _bread_rolls(random: Random) -> Asset:
    """Rolls that were baked together."""
    columns, rows = ((2, 2), (3, 2), (4, 2), (3, 3))[int(random.integers(4))]
    r, power = random.uniform(0.024, 0.042), random.uniform(0.65, 0.95)
    z, pitch = r * random.uniform(0.65, 1.1), r * random.uniform(1.4, 1.7)
    rolls = []
    for i in range(columns):
        for j in range(rows):
            roll = food.puffed(r, r, z * random.uniform(0.9, 1.1), power, 16)
            roll = shapes.flattened(roll, -0.45 * z, 0.02)
            rolls.append(roll.moved((i - (columns - 1) / 2) * pitch, (j - (rows - 1) / 2) * pitch))
    return _bread(random, Part(meshes.merge(*rolls)))


def _bread_slices(random: Random) -> Asset:
    """One to three slices of dark bread with their crust."""
    width, thick = random.uniform(0.08, 0.125), random.uniform(0.009, 0.018)
    outline = _loaf_outline(random, width, width * random.uniform(0.75, 1.15))
    outline = outline - [0, outline[:, 1].mean()]
    closed = shapes.at_height(np.concatenate([outline, outline[:1]]), thick / 2)
    slice_, rim = food.prism(outline, thick), meshes.tube(closed, 0.3 * thick, 8)
    soft, crusts = [], []
    for k in range(int(random.integers(1, 4))):
        x, y = random.uniform(-0.2, 0.2, 2) * width * (k > 0)
        turn, z = random.uniform(-25, 25), 1.05 * k * thick
        soft.append(slice_.turned("z", turn).moved(x, y, z))
        crusts.append(rim.turned("z", turn).moved(x, y, z))
    parts = [Part(meshes.merge(*soft)), Part(meshes.merge(*crusts), (0.2, 0.1, 0.05))]
    return _bread(random, *parts)


BREAD: tuple[Builder, ...] = (
    _bread_tin,
    _bread_baguette,
    _bread_round,
    _bread_plait,
    _bread_rolls,
    _bread_slices,
)
