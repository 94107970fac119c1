"""More designs of lemons and apples: whole, with leaves, cut, bitten, and as toys."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh, Points
from ivm_ros.datasets.tabletop.varied import shapes
from ivm_ros.datasets.tabletop.varied import shapes_food as food
from ivm_ros.datasets.tabletop.varied.shapes import chance
from ivm_ros.datasets.tabletop.varied.shapes_food import BARK, CREAM, LEAF, posed


def _lemon(random: Random, *parts: Part, lean: float = 0.0) -> Asset:
    return Asset("lemon", posed(parts, ("x", 90 + lean), ("z", random.uniform(-25, 25))), ("yellow",))


def _lemon_profile(random: Random, long: float, nipple: float, steps: int = 30) -> list[tuple[float, float]]:
    """Return the (radius, z) of a lemon of radius 1 and half length `long` without its two tips."""
    power = random.uniform(0.8, 1.15)
    ends = (1 + nipple * random.uniform(0.3, 0.7), 1 + nipple)
    profile = []
    for t in np.linspace(math.pi, 0, steps):
        s = math.cos(t) * (ends[1] if t < math.pi / 2 else ends[0])
        body = math.sqrt(max(1 - s * s, 0.0)) ** power
        end = ends[1] if s > 0 else ends[0]
        tip = random.uniform(0.2, 0.21) * math.sqrt(min(max((end - abs(s)) / (end - 0.8), 0), 1))
        profile.append(((body**4 + tip**4) ** 0.25, s * long))
    return profile


def _leaf(random: Random, size: float) -> Mesh:
    """Return a fruit's leaf from the origin, aside and upwards."""
    leaf = food.blade(size, size * random.uniform(0.35, 0.55), size * random.uniform(0.1, 0.4))
    return leaf.turned("y", -random.uniform(10, 50)).turned("z", random.uniform(0, 360))


def _lemon_long(random: Random) -> Asset:
    r, long = random.uniform(0.022, 0.032), random.uniform(1.25, 1.7)
    body = meshes.lathe(_lemon_profile(random, long, random.uniform(0.12, 0.3))).scaled(r)
    return _lemon(random, Part(food.lumpy(body, random, random.uniform(0.01, 0.035))))


def _lemon_round(random: Random) -> Asset:
    """Almost a ball, but for its tip and the green where it grew."""
    r, long, nipple = random.uniform(0.024, 0.036), random.uniform(1.02, 1.2), random.uniform(0.14, 0.24)
    body = meshes.lathe(_lemon_profile(random, long, nipple)).scaled(r)
    star = meshes.lathe([(0, -0.02), (0.2, 0), (0.12, 0.05), (0, 0.05)], 5).scaled(r)
    button = star.turned("x", 180).moved(z=-r * long * (1 + 0.4 * nipple))
    tilt = random.uniform(-35, 35)
    body = food.lumpy(body, random, random.uniform(0.005, 0.03))
    return _lemon(random, Part(body), Part(button, (0.35, 0.45, 0.15)), lean=tilt)


def _lemon_leafy(random: Random) -> Asset:
    r, long = random.uniform(0.022, 0.032), random.uniform(1.1, 1.45)
    body = meshes.lathe(_lemon_profile(random, long, random.uniform(0.1, 0.22))).scaled(r)
    end = -1.03 * r * long
    stalk = meshes.tube([(0, 0, end), (0.1 * r, 0, end - 0.3 * r), (0.25 * r, 0, end - 0.5 * r)], 0.0018, 8)
    leaves = [
        _leaf(random, r * random.uniform(1.2, 1.9)).turned("x", 180).moved(0.1 * r, 0, end - 0.3 * r)
        for _ in range(int(random.integers(1, 3)))
    ]
    parts = (Part(food.lumpy(body, random, 0.02)), Part(meshes.merge(*leaves), LEAF), Part(stalk, BARK))
    return _lemon(random, *parts, lean=random.uniform(-15, 15))


def _sector(radius: float, degrees: float) -> Points:
    """Return the (N, 2) outline of a slice of cake that points to the origin, a little off it."""
    arc = np.radians(np.linspace(-degrees / 2, degrees / 2, 7))
    rim = radius * np.stack([np.cos(arc), np.sin(arc)], -1)
    return np.concatenate([[(0.16 * radius, 0.0)], rim])


def _lemon_half(random: Random) -> Asset:
    """Half a lemon; its cut face with the segments looks up or aside."""
    r, long, nipple = random.uniform(0.024, 0.036), random.uniform(1.0, 1.35), random.uniform(0.12, 0.3)
    lower = [(w, z) for w, z in _lemon_profile(random, long, nipple, 40) if z < -0.05]
    edge = lower[-1][0]
    body = meshes.lathe([*lower, (edge, 0), (0, 0)]).scaled(r)
    pith = shapes.cylinder(0.97 * edge * r, 0.0007, 28)
    count = int(random.integers(7, 11))
    flesh = food.prism(_sector(0.88 * edge * r, 0.82 * 360 / count), 0.0014)
    segments = meshes.merge(*(flesh.turned("z", 360 * k / count) for k in range(count)))
    lean = random.uniform(-75, 10)
    parts = (Part(meshes.merge(body, segments)), Part(pith, (0.98, 0.95, 0.78)))
    return Asset("lemon", posed(parts, ("x", -lean), ("z", random.uniform(-60, 60))), ("yellow",))


def _lemon_toy(random: Random) -> Asset:
    """With facets or wound of few rings, as toys are, with strong tips."""
    r, long = random.uniform(0.02, 0.034), random.uniform(1.15, 1.5)
    profile = _lemon_profile(random, long, random.uniform(0.22, 0.36), int(random.integers(11, 15)))
    body = meshes.lathe(profile, int(random.integers(6, 10))).scaled(r)
    parts = [Part(body)]
    if chance(random, 0.5):
        leaf = food.blade(1.1 * r, 0.6 * r, 0.2 * r, 0.06 * r)
        parts.append(Part(leaf.turned("y", -20).moved(z=r * long), LEAF))
    return _lemon(random, *parts)


def _apple(parts: list[Part], *turns: tuple[str, float]) -> Asset:
    return Asset("apple", posed(parts, *turns), ("red", "red", "red", "green", "green", "yellow"))


def _apple_profile(random: Random, tall: float, taper: float, steps: int = 24) -> list[tuple[float, float]]:
    """Return the (radius, z) of an apple of radius about 1: `tall` its half height, narrower below."""
    top, bottom = random.uniform(0.3, 0.5), random.uniform(0.15, 0.3)
    profile = []
    for t in np.linspace(math.pi, 0, steps):
        r = math.sin(t) ** 0.85 * (1 + taper * math.cos(t)) if 0 < t < math.pi else 0.0
        hollow = top * math.exp(-((r / 0.3) ** 2)) * (t < 1.5) - bottom * math.exp(-((r / 0.25) ** 2)) * (
            t > 1.6
        )
        profile.append((r, tall * (math.cos(t) - hollow)))
    return profile


def _ribbed(mesh: Mesh, count: int, depth: float) -> Mesh:
    """Return a body of revolution with so many soft ribs, deepest at its two ends."""
    x, y, z = mesh.vertices.T
    wave = 1 + depth * np.cos(count * np.arctan2(y, x)) * (z / np.abs(z).max()) ** 2
    return Mesh(np.stack([x * wave, y * wave, z * (1 + 0.5 * (wave - 1))], -1), mesh.faces)


def _stem(random: Random, r: float, z: float, thick: float = 0.05) -> Part:
    """Return a stem from height `z` up, thicker at its end."""
    x, y = random.uniform(-0.3, 0.3, 2) * r
    high = z + r * random.uniform(0.45, 0.9)
    path = [(0, 0, z), (0.3 * x, 0.3 * y, 0.5 * (z + high)), (x, y, high)]
    return Part(meshes.tube(path, [thick * r, 0.8 * thick * r, 1.3 * thick * r], 8), BARK)


def _top(profile: list[tuple[float, float]], r: float) -> float:
    """Return the height of the bottom of the hollow on top."""
    return profile[-1][1] * r


def _tilt(random: Random) -> tuple[tuple[str, float], tuple[str, float]]:
    """Return turns that lay an apple down now and then."""
    angle = random.uniform(35, 80) if chance(random, 0.15) else random.uniform(0, 14)
    return ("x", angle), ("z", random.uniform(0, 360))


def _apple_tall(random: Random) -> Asset:
    """High and narrow below, with five bumps."""
    r = random.uniform(0.032, 0.04)
    profile = _apple_profile(random, random.uniform(0.95, 1.12), random.uniform(0.14, 0.22))
    body = _ribbed(meshes.lathe(profile, 30), 5, random.uniform(0.02, 0.055)).scaled(r)
    return _apple([Part(body), _stem(random, r, _top(profile, r))], *_tilt(random))


def _apple_flat(random: Random) -> Asset:
    r = random.uniform(0.034, 0.048)
    profile = _apple_profile(random, random.uniform(0.68, 0.8), random.uniform(0.0, 0.1))
    body = _ribbed(meshes.lathe(profile, 32), int(random.integers(4, 7)), random.uniform(0.0, 0.1)).scaled(r)
    parts = [Part(food.lumpy(body, random, 0.02)), _stem(random, r, _top(profile, r), 0.04)]
    return _apple(parts, *_tilt(random))


def _apple_leafy(random: Random) -> Asset:
    r = random.uniform(0.024, 0.042)
    profile = _apple_profile(random, random.uniform(0.8, 1.0), random.uniform(0.02, 0.18))
    body = food.lumpy(meshes.lathe(profile).scaled(r), random, random.uniform(0.01, 0.04))
    low = _top(profile, r)
    leaves = [
        _leaf(random, r * random.uniform(0.8, 1.4)).moved(z=low + 0.45 * r)
        for _ in range(int(random.integers(1, 3)))
    ]
    parts = [Part(body), _stem(random, r, low), Part(meshes.merge(*leaves), LEAF)]
    return _apple(parts, ("x", random.uniform(0, 14)))


def _bites(body: Mesh, random: Random, r: float) -> tuple[Mesh, Mesh]:
    """Return the peel that is left of an apple of radius `r`, and the flesh where it was bitten."""
    shrink = np.ones(len(body.vertices))
    deep, first = random.uniform(0.42, 0.58) * r, random.uniform(0, 0.5)
    for k in range(int(random.integers(1, 4))):
        angle, z = first + 0.55 * k, random.uniform(0.0, 0.45) * r
        centre = np.array([math.cos(angle) * r, math.sin(angle) * r, z])
        along = body.vertices @ centre
        square = (body.vertices**2).sum(axis=1)
        inside = along**2 - square * (centre @ centre - deep**2)
        entry = (along - np.sqrt(np.maximum(inside, 0))) / square
        hit = (inside > 0) & (entry > 0)
        shrink = np.where(hit, np.minimum(shrink, entry), shrink)
    bitten = Mesh(body.vertices * shrink[:, None], body.faces)
    return shapes.split(bitten, np.any(shrink[body.faces] < 1, axis=1))


def _apple_bitten(random: Random) -> Asset:
    r = random.uniform(0.033, 0.044)
    profile = _apple_profile(random, random.uniform(0.8, 1.05), random.uniform(0.02, 0.18), 36)
    peel, flesh = _bites(meshes.lathe(profile, 48).scaled(r), random, r)
    parts = [Part(peel), Part(flesh, CREAM), _stem(random, r, _top(profile, r))]
    return _apple(parts, ("x", random.uniform(-10, 10)), ("z", random.uniform(0, 360)))


def _apple_half(random: Random) -> Asset:
    """Half an apple; its cut face with the core looks up or aside."""
    r = random.uniform(0.033, 0.044)
    profile = np.array(_apple_profile(random, random.uniform(0.75, 1.0), random.uniform(0.02, 0.15), 20)) * r
    outline = np.concatenate([profile, profile[-2:0:-1] * [-1, 1]])
    shape = food.dome(outline, r * random.uniform(0.9, 1.05)).turned("x", 180).scaled((1, -1, 1))
    body = Mesh(shape.vertices, shape.faces[:, ::-1])
    face = Part(food.prism(0.94 * outline, 0.0006), CREAM)
    pips = [meshes.ellipsoid(0.04 * r, 0.09 * r, 0.001, 8).moved(s * 0.12 * r, 0, 0.001) for s in (-1, 1)]
    stem = meshes.tube([(0, profile[-1, 1], 0), (0, 0.9 * r, 0), (0.1 * r, 1.2 * r, 0)], 0.05 * r, 8)
    parts = [Part(body), face, Part(meshes.merge(stem, *pips), BARK)]
    return _apple(parts, ("x", random.uniform(0, 65)), ("z", random.uniform(-60, 60)))


def _apple_toy(random: Random) -> Asset:
    """With facets or smooth, with a thick stem and a broad leaf."""
    r, segments = random.uniform(0.025, 0.045), int(random.choice([7, 8, 9, 10, 26]))
    profile = _apple_profile(
        random, random.uniform(0.8, 1.0), random.uniform(0.0, 0.2), int(random.integers(9, 13))
    )
    low = _top(profile, r)
    parts = [
        Part(meshes.lathe(profile, segments).scaled(r)),
        _stem(random, r, low, random.uniform(0.08, 0.14)),
    ]
    if chance(random, 0.7):
        leaf = food.blade(r * random.uniform(0.6, 1.1), 0.5 * r, 0.1 * r, 0.05 * r).turned("y", -30)
        parts.append(Part(leaf.moved(z=low + 0.5 * r), LEAF))
    return _apple(parts, ("z", random.uniform(0, 360)))


LEMON: tuple[Builder, ...] = (_lemon_long, _lemon_round, _lemon_leafy, _lemon_half, _lemon_toy)
APPLE: tuple[Builder, ...] = (_apple_tall, _apple_flat, _apple_leafy, _apple_bitten, _apple_half, _apple_toy)
