"""More designs of bananas: single, as a hand, short, peeled, cut."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh, Points
from ivm_ros.datasets.tabletop.varied import shapes
from ivm_ros.datasets.tabletop.varied import shapes_food as food
from ivm_ros.datasets.tabletop.varied.shapes import chance
from ivm_ros.datasets.tabletop.varied.shapes_food import BARK, CREAM, posed

_STEPS = 21


def _banana(parts: list[Part], *turns: tuple[str, float]) -> Asset:
    return Asset("banana", posed(parts, *turns), ("yellow", "yellow", "yellow", "yellow", "green"))


def _spine(length: float, bend: float, even: float) -> Points:
    """Return the (21, 3) middle line from the stem at the origin along x, curving by `bend` radians to y."""
    s = np.linspace(0, 1, _STEPS)
    heading = bend * (s**even - 0.5)
    steps = np.stack([np.cos(heading), np.sin(heading), 0 * s], -1) * length / (_STEPS - 1)
    return np.cumsum(steps, axis=0) - steps[0]


def _widths(r: float, stem: float, neck: float = 0.12, tip: float = 0.25) -> Points:
    """Return the (21,) radii from a stem, a part `neck` of the length, to the tip."""
    places = [0, neck, neck + 0.14, 0.45, 0.7, 0.86, 0.95, 1.0]
    sizes = [stem, 0.9 * stem, 0.8, 1.0, 0.98, 0.75, 0.42, tip]
    return r * np.interp(np.linspace(0, 1, _STEPS), places, sizes)


def _end(path: Points, widths: Points) -> Mesh:
    """Return a dark stub at the beginning of a path."""
    out = (path[0] - path[1]) / np.linalg.norm(path[0] - path[1]) * widths[0]
    ring = widths[0] * np.array([1.05, 1.12, 0.85])
    return meshes.tube([path[0] - 0.8 * out, path[0], path[0] + 0.45 * out], ring, 8)


def _ends(path: Points, widths: Points) -> Mesh:
    """Return the dark stem end and blossom end."""
    return meshes.merge(_end(path, widths), _end(path[::-1], widths[::-1]))


def _spots(random: Random, path: Points, widths: Points) -> list[Part]:
    """Return the brown spots of a ripe banana, or none."""
    spots = []
    for _ in range(int(random.integers(3, 12)) * chance(random, 0.35)):
        k, angle = int(random.integers(6, _STEPS - 6)), random.uniform(0, 2 * math.pi)
        tangent = path[k + 1] - path[k - 1]
        side = np.cross(tangent, [0, 0, 1]) / np.linalg.norm(tangent)
        place = path[k] + 0.97 * widths[k] * (math.cos(angle) * side + math.sin(angle) * np.array([0, 0, 1]))
        size = widths[k] * random.uniform(0.08, 0.22)
        spots.append(meshes.ellipsoid(1.6 * size, 1.2 * size, 0.7 * size, 8).moved(*place))
    return [Part(meshes.merge(*spots), (0.35, 0.22, 0.08))] if spots else []


def _single(
    random: Random, length: float, r: float, bend: float, sides: int, stem: float, neck: float
) -> list[Part]:
    """Return the parts of one banana in the plane of x and y."""
    path, widths = _spine(length, bend, random.uniform(0.7, 1.5)), _widths(r, stem, neck)
    parts = [Part(meshes.tube(path, widths, sides)), Part(_ends(path, widths), BARK)]
    return parts + _spots(random, path, widths)


def _turn(random: Random) -> tuple[str, float]:
    return "z", random.uniform(-40, 40)


def _banana_curved(random: Random) -> Asset:
    """Long and strongly bent, with five edges."""
    length, bend = random.uniform(0.18, 0.25), random.uniform(1.2, 2.1)
    stem, neck = random.uniform(0.25, 0.4), random.uniform(0.08, 0.2)
    parts = _single(random, length, random.uniform(0.014, 0.021), bend, 5, stem, neck)
    return _banana(parts, ("x", random.uniform(-18, 18)), _turn(random))


def _banana_straight(random: Random) -> Asset:
    length, bend = random.uniform(0.15, 0.22), random.uniform(0.5, 0.9)
    stem, sides = random.uniform(0.3, 0.5), int(random.integers(5, 9))
    parts = _single(random, length, random.uniform(0.016, 0.023), bend, sides, stem, 0.15)
    return _banana(parts, ("x", random.uniform(-18, 18)), _turn(random))


def _banana_short(random: Random) -> Asset:
    """Small and thick; smooth as a toy or with edges."""
    length = random.uniform(0.08, 0.125)
    r, bend = length * random.uniform(0.13, 0.19), random.uniform(0.8, 1.7)
    parts = _single(random, length, r, bend, int(random.choice([5, 6, 14])), random.uniform(0.22, 0.4), 0.12)
    return _banana(parts, ("x", random.uniform(-15, 15)), _turn(random))


def _banana_hand(random: Random) -> Asset:
    """Two to five on one stalk; the hand arches over its tips, or lies on its side or its back."""
    count, length, r = int(random.integers(2, 6)), random.uniform(0.13, 0.2), random.uniform(0.013, 0.018)
    bend, fan = random.uniform(0.8, 1.6), random.uniform(5, 13)
    fingers = []
    for k in range(count):
        place = k - (count - 1) / 2
        path, widths = _spine(length * random.uniform(0.9, 1.05), bend, 1.0), _widths(r, 0.45)
        pieces = [Part(meshes.tube(path, widths, 6)), Part(_ends(path, widths), BARK)]
        fingers.append([part.mesh.turned("y", -fan * place).moved(z=0.8 * r * place) for part in pieces])
    crown = meshes.tube(
        [(-0.02, 0.01, 0), (0.002, 0, 0), (0.012, -0.003, 0)], [0.5 * r, 0.8 * r, 0.6 * r], 10
    )
    crown = crown.scaled((1, 1, 0.5 + 0.55 * count))
    skin, tips = (meshes.merge(*(finger[part] for finger in fingers)) for part in (0, 1))
    roll = float(random.choice([-90, -90, 0, 90]))
    parts = [Part(skin), Part(tips, BARK), Part(crown, (0.55, 0.5, 0.2) if chance(random, 0.5) else None)]
    return _banana(parts, ("x", roll), _turn(random))


def _banana_peeled(random: Random) -> Asset:
    """Half out of its skin, whose strips hang back."""
    length, r, bend = random.uniform(0.14, 0.2), random.uniform(0.015, 0.02), random.uniform(0.5, 1.2)
    path, widths = _spine(length, bend, 1.0), _widths(r, 0.35, 0.12, 0.4)
    opening = int(random.integers(11, 15))
    peel = meshes.tube(path[: opening + 1], 1.06 * widths[: opening + 1], 7)
    flesh = meshes.tube(path[opening - 1 :], 0.86 * widths[opening - 1 :], 12)
    tangent = path[opening + 1] - path[opening - 1]
    strips = []
    for angle in np.linspace(-85, 85, int(random.integers(3, 5))) + random.uniform(-10, 10):
        long = length * random.uniform(0.3, 0.45)
        strip = food.blade(long, 1.9 * r, long * random.uniform(0.1, 0.4)).turned("z", 180)
        strip = strip.moved(x=0.01).turned("y", random.uniform(15, 40)).moved(z=0.8 * r).turned("x", -angle)
        heading = math.degrees(math.atan2(tangent[1], tangent[0]))
        strips.append(strip.turned("z", heading).moved(*path[opening]))
    stalk = _end(path, 1.06 * widths)
    parts = [Part(meshes.merge(peel, *strips)), Part(flesh, CREAM), Part(stalk, BARK)]
    return _banana(parts, _turn(random))


def _banana_cut(random: Random) -> Asset:
    """A banana cut across: most of it, with its flesh to be seen, and perhaps the rest beside."""
    length, r, bend = random.uniform(0.16, 0.22), random.uniform(0.016, 0.022), random.uniform(0.8, 1.5)
    path, widths, at = _spine(length, bend, 1.0), _widths(r, 0.35), int(random.integers(11, 16))
    pieces, discs = [], []
    for part, end, gap in ((slice(0, at + 1), at, 0.0), (slice(at, _STEPS), at, random.uniform(0.008, 0.03))):
        way = path[at + 1] - path[at - 1]
        way /= np.linalg.norm(way)
        pieces.append(meshes.tube(path[part] + gap * way, widths[part], 6))
        disc = food.facing(shapes.cylinder(0.86 * widths[end], 0.0012, 14), way if gap == 0 else -way)
        discs.append(disc.moved(*(path[end] + gap * way)))
    keep = 2 if chance(random, 0.5) else 1
    tips = _end(path, widths)
    parts = [Part(meshes.merge(*pieces[:keep])), Part(meshes.merge(*discs[:keep]), CREAM), Part(tips, BARK)]
    return _banana(parts, ("x", random.uniform(-12, 12)), _turn(random))


BANANA: tuple[Builder, ...] = (
    _banana_curved,
    _banana_straight,
    _banana_short,
    _banana_hand,
    _banana_peeled,
    _banana_cut,
)
