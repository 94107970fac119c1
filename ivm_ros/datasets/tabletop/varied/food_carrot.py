"""More designs of carrots: long, stubby, blunt, crooked, in a bunch, and as toys."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied import shapes
from ivm_ros.datasets.tabletop.varied import shapes_food as food
from ivm_ros.datasets.tabletop.varied.shapes import chance
from ivm_ros.datasets.tabletop.varied.shapes_food import BARK, LEAF, posed


def _carrot(random: Random, parts: list[Part], colors: tuple[str, ...] = ("orange",)) -> Asset:
    turn = 90 + random.uniform(-20, 20)
    return Asset("carrot", posed(parts, ("x", random.uniform(-25, 25)), ("z", turn)), colors)


def _root(
    random: Random, length: float, widths: list[float], bend: float = 0.0, grooves: float = 0.04
) -> Mesh:
    """Return a root along x, its crown at the origin: `widths` from there to the tip, metres."""
    s = np.linspace(0, 1, 30)
    radii = np.interp(s, np.linspace(0, 1, len(widths)), widths)
    radii *= 1 - grooves * (random.random(30) < 0.4)
    way = random.uniform(0, 2 * math.pi)
    path = np.stack([length * s, bend * s**2, 0.3 * bend * np.sin(4 * s + way)], -1)
    return meshes.tube(path, np.maximum(radii, 0.0006), 12)


def _fronds(random: Random, count: int, length: float, spread: float, leaflets: int, thick: float) -> Mesh:
    """Return green that grows from the origin along -x: stalks, with small leaves on them or without."""
    pieces = []
    for _ in range(count):
        y, z = random.uniform(-spread, spread, 2)
        tip = np.array([-1.0, y, 0.6 * z]) * length * random.uniform(0.7, 1.0)
        middle = 0.5 * tip * np.array([1, 0.5, 0.5])
        pieces.append(meshes.tube([0 * tip, middle, tip], [thick, thick, 0.5 * thick], 6))
        for t in np.linspace(0.4, 1.0, leaflets):
            leaf = meshes.ellipsoid(0.07 * length, 0.025 * length, 0.0015, 6)
            leaf = leaf.turned("z", random.uniform(-60, 60)).turned("x", random.uniform(-40, 40))
            pieces.append(leaf.moved(*(middle + (tip - middle) * (2 * t - 1) if t > 0.5 else 2 * t * middle)))
    return meshes.merge(*pieces)


def _carrot_long(random: Random) -> Asset:
    length, r = random.uniform(0.16, 0.25), random.uniform(0.011, 0.018)
    root = _root(random, length, [0.5 * r, r, 0.95 * r, 0.8 * r, 0.6 * r, 0.4 * r, 0.05 * r], grooves=0.07)
    leaves = _fronds(random, int(random.integers(3, 6)), random.uniform(0.04, 0.08), 0.35, 4, 0.0014)
    return _carrot(random, [Part(root), Part(leaves, LEAF)], ("orange",) * 5 + ("purple",))


def _carrot_stubby(random: Random) -> Asset:
    """Short and thick, its green cropped."""
    length = random.uniform(0.055, 0.1)
    r = length * random.uniform(0.2, 0.32)
    root = _root(random, length, [0.45 * r, 0.9 * r, r, 0.95 * r, 0.82 * r, 0.6 * r, 0.3 * r, 0.03 * r])
    stub = _fronds(random, int(random.integers(5, 9)), r * random.uniform(0.6, 1.6), 0.5, 0, 0.12 * r)
    return _carrot(random, [Part(root), Part(stub, (0.3, 0.55, 0.15))])


def _carrot_blunt(random: Random) -> Asset:
    """As thick at its end as at its crown, with a high tuft."""
    length, r = random.uniform(0.1, 0.17), random.uniform(0.012, 0.021)
    root = _root(random, length, [0.6 * r, r, r, 0.97 * r, 0.93 * r, 0.9 * r, 0.84 * r, 0.7 * r, 0.1 * r])
    leaves = _fronds(random, int(random.integers(3, 6)), random.uniform(0.045, 0.085), 0.5, 3, 0.0015)
    return _carrot(random, [Part(root), Part(leaves, LEAF)])


def _carrot_crooked(random: Random) -> Asset:
    length, r = random.uniform(0.12, 0.2), random.uniform(0.012, 0.02)
    bend = random.choice([-1, 1]) * random.uniform(0.025, 0.07)
    widths = [0.6 * r, r, 0.9 * r, 0.75 * r, 0.5 * r, 0.22 * r, 0.1 * r, 0.06 * r, 0.04 * r]
    parts = [Part(_root(random, length, widths, bend, 0.1))]
    leaves = _fronds(random, int(random.integers(2, 6)), random.uniform(0.02, 0.07), 0.6, 3, 0.002)
    return _carrot(random, [*parts, Part(leaves, LEAF)])


def _gathered(green: Mesh) -> Mesh:
    """Return the green of a bunch drawn together in y where it is tied."""
    pull = 1 - 0.65 * np.clip(-green.vertices[:, 0] / 0.025, 0, 1)
    return Mesh(
        np.column_stack([green.vertices[:, 0], green.vertices[:, 1] * pull, green.vertices[:, 2]]),
        green.faces,
    )


def _carrot_bunch(random: Random) -> Asset:
    """Two to four side by side with their green tied together."""
    length, r, count = random.uniform(0.1, 0.17), random.uniform(0.01, 0.015), int(random.integers(2, 5))
    widths = [0.6 * r, r, 0.9 * r, 0.75 * r, 0.5 * r, 0.25 * r, 0.05 * r]
    roots, leaves = [], []
    for k in range(count):
        fan, aside = (k - (count - 1) / 2) * random.uniform(3, 8), (k - (count - 1) / 2) * 1.9 * r
        one = _root(random, length * random.uniform(0.8, 1.1), widths, random.uniform(-0.01, 0.01))
        roots.append(one.turned("z", fan).moved(y=aside))
        green = _fronds(random, 2, random.uniform(0.05, 0.08), 0.25, 2, 0.002)
        leaves.append(_gathered(green.turned("z", fan).moved(y=aside)))
    parts = [Part(meshes.merge(*roots)), Part(meshes.merge(*leaves), LEAF)]
    if chance(random, 0.6):
        tie = (
            meshes.ring(1.0, 0.2)
            .scaled((0.35 * r * count + 0.3 * r, r, 0.02))
            .turned("z", 90)
            .turned("y", 90)
        )
        parts.append(Part(tie.moved(x=-0.025), shapes.pick_rgb(random, "red", "blue", "purple", "white")))
    return Asset("carrot", posed(parts, ("z", 90)), ("orange",))


def _carrot_toy(random: Random) -> Asset:
    """A thick cone with rings around it and broad leaves, as toys and drawings have."""
    length = random.uniform(0.08, 0.15)
    r = length * random.uniform(0.14, 0.22)
    root = _root(random, length, [0.85 * r, r, 0.8 * r, 0.55 * r, 0.3 * r, 0.12 * r], grooves=0.0)
    marks = [
        meshes.tube(
            [(s * length, (1.02 - s) * r * math.cos(a), (1.02 - s) * r * math.sin(a)) for a in arc], 0.0012, 6
        )
        for s in (0.25, 0.45, 0.65)
        for arc in [np.linspace(0, 1.4, 6) + random.uniform(0, 6)]
    ]
    count = int(random.integers(3, 6))
    leaves = []
    for k in range(count):
        leaf = food.blade(length * random.uniform(0.35, 0.6), 0.7 * r, 0.1 * r, 0.12 * r)
        leaves.append(leaf.turned("z", 180 + (k - (count - 1) / 2) * random.uniform(18, 32)))
    tuft = Part(meshes.merge(*leaves), (0.2, 0.6, 0.15))
    return _carrot(random, [Part(root), tuft, Part(meshes.merge(*marks), BARK)][: 2 + chance(random, 0.6)])


CARROT: tuple[Builder, ...] = (
    _carrot_long,
    _carrot_stubby,
    _carrot_blunt,
    _carrot_crooked,
    _carrot_bunch,
    _carrot_toy,
)
