"""Several designs of hammers; their handles lie along x, their heads across."""

from __future__ import annotations

import math
from dataclasses import replace

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import Profile
from ivm_ros.datasets.tabletop.varied.shapes_tools import (
    HANDLE,
    TIMBER,
    along_y,
    dark,
    faceted,
    lying,
    steel,
    strip,
    trim,
    wood,
)


def _haft(random: Random, length: float, radius: float) -> Mesh:
    """Return the handle of a hammer from x = 0 to `length`: straight, waisted, or with a thick grip."""
    grip, neck = random.uniform(0.95, 1.25) * radius, random.uniform(0.6, 1.0) * radius
    flat = random.uniform(0.7, 1.0)
    rows = [
        (0.0, grip * random.uniform(0.9, 1.15), 0.0, flat * grip),
        (random.uniform(0.2, 0.45) * length, grip, 0.0, flat * grip),
        (random.uniform(0.5, 0.7) * length, neck, 0.0, flat * neck),
        (length, neck, 0.0, neck),
    ]
    return strip(rows, int(random.choice([4, 8, 14, 14])), (0.4 * grip, 0.0))


def _hammer(random: Random, length: float, parts: tuple[Part, ...], finishes: tuple[str, ...]) -> Asset:
    """Return a hammer whose head is at x = `length`, laid down so that the end of its handle touches too."""
    radius = -min(float(part.mesh.vertices[:, 2].min()) for part in parts[1:])
    end = -float(parts[0].mesh.vertices[:8, 2].min())
    angle = -math.degrees(math.asin(min(max(radius - end, 0) / length, 0.3)))
    tilted = [replace(part, mesh=part.mesh.turned("y", angle)) for part in parts]
    return Asset("hammer", lying(*tilted), TIMBER if "wooden" in finishes else HANDLE, finishes)


def _sleeve(random: Random, length: float, radius: float) -> Part:
    """Return a rubber grip over the lower part of a handle."""
    span = random.uniform(0.2, 0.35) * length
    r = 1.3 * radius
    return Part(strip([(0.0, r, 0, r), (0.5 * span, 0.9 * r, 0, 0.9 * r), (span, r, 0, r)], 14, (0.4 * r, 0)))


def _drum(profile: Profile, x: float, sides: int = 0) -> Mesh:
    """Return a solid of revolution, or a prism, across the handle at `x`; the profile's z becomes y."""
    widest = max(r for r, _ in profile)
    return along_y(faceted(profile, 1.05 * widest, sides) if sides else meshes.lathe(profile)).moved(x=x)


def _hammer_claw(random: Random) -> Asset:
    length, r = random.uniform(0.2, 0.29), random.uniform(0.0095, 0.014)
    f = random.uniform(0.011, 0.015)
    reach, curl = random.uniform(0.045, 0.065), random.uniform(0.005, 0.03)
    face = _drum(
        [(0, -0.042), (f, -0.042), (f, -0.026), (0.65 * f, -0.02), (f, -0.008), (f, 0.014), (0, 0.014)],
        length,
        int(random.choice([0, 0, 6, 8])),
    )
    claws = [
        meshes.tube(
            [
                (length, 0.008, side * 0.004),
                (length - 0.2 * curl, 0.55 * reach, side * 0.006),
                (length - curl, reach, side * 0.009),
            ],
            [0.008, 0.0055, 0.0025],
            8,
        )
        for side in (-1, 1)
    ]
    iron = Part(meshes.merge(face, *claws), dark(random) if random.random() < 0.3 else steel(random))
    return _hammer(random, length, (Part(_haft(random, length, r)), iron), ("plain", "plain", "wooden"))


def _hammer_club(random: Random) -> Asset:
    length, a = random.uniform(0.15, 0.26), random.uniform(0.015, 0.022)
    half = a * random.uniform(1.5, 2.2)
    bevel = 0.75 * a
    head = _drum(
        [(0, -half), (bevel, -half), (a, -0.8 * half), (a, 0.8 * half), (bevel, half), (0, half)],
        length,
        int(random.choice([4, 6, 8])),
    )
    haft = Part(_haft(random, length + 0.8 * a, random.uniform(0.0095, 0.0125)))
    if random.random() < 0.5:
        return _hammer(random, length, (haft, Part(head, steel(random))), ("plain",))
    return _hammer(
        random,
        length,
        (haft, Part(head), replace(_sleeve(random, length, 0.012), tint=trim(random))),
        ("plain",),
    )


def _hammer_ball_peen(random: Random) -> Asset:
    length, f = random.uniform(0.2, 0.28), random.uniform(0.009, 0.0135)
    ball = f * random.uniform(0.75, 1.0)
    waist = [(0.6 * f, 0.6 * f), (0.6 * f, 1.6 * f)]
    dome = [
        (ball * math.cos(a), 1.6 * f + ball * (1 + math.sin(a)))
        for a in (math.radians(d) for d in range(-60, 90, 25))
    ]
    profile = [(0, -2.6 * f), (f, -2.6 * f), (f, -1.6 * f), (0.6 * f, -1.2 * f), (1.05 * f, -0.5 * f)]
    head = _drum([*profile, (1.05 * f, 0.4 * f), *waist, *dome, (0, 1.6 * f + 2 * ball)], length)
    iron = Part(head, steel(random))
    haft = _haft(random, length, random.uniform(0.0095, 0.013))
    return _hammer(random, length, (Part(haft), iron), ("plain", "wooden"))


def _hammer_mallet(random: Random) -> Asset:
    length, r = random.uniform(0.14, 0.25), random.uniform(0.02, 0.036)
    half, belly = r * random.uniform(1.2, 1.9), random.uniform(0.85, 1.15)
    groove = random.choice([0.0, 0.1])
    profile = [
        (0, -half),
        (0.85 * r, -half),
        (r, -0.88 * half),
        (r * (1 - groove), -0.6 * half),
        (belly * r, 0),
        (r * (1 - groove), 0.6 * half),
        (r, 0.88 * half),
        (0.85 * r, half),
        (0, half),
    ]
    haft = _haft(random, length + 0.6 * r, random.uniform(0.0085, 0.012))
    tint = (None, wood(random), dark(random))[int(random.choice(3, p=[0.35, 0.45, 0.2]))]
    parts = (Part(haft, tint), Part(_drum(profile, length)))
    return _hammer(random, length, parts, ("plain", "wooden") if tint is None else ("plain",))


def _hammer_joiner(random: Random) -> Asset:
    length, w = random.uniform(0.17, 0.26), random.uniform(0.045, 0.065)
    half, t = w * random.uniform(0.75, 1.15), w * random.uniform(0.26, 0.4)
    taper = random.uniform(0.7, 1.0)
    rows = [(-0.5 * w, taper * half, 0.0, t), (0.5 * w, half, 0.0, t)]
    head = strip(rows, 4).moved(x=length)
    haft = _haft(random, length + 0.65 * w, random.uniform(0.01, 0.014))
    return _hammer(random, length, (Part(haft), Part(head)), ("plain", "wooden", "wooden"))


def _hammer_toy(random: Random) -> Asset:
    length, r = random.uniform(0.13, 0.21), random.uniform(0.024, 0.036)
    half, folds = r * random.uniform(1.3, 1.9), int(random.integers(2, 5))
    steps = 2 * folds + 1
    ridges = [(r * (1.0 if k % 2 == 0 else 0.78), half * (0.3 + 0.7 * k / (steps - 1))) for k in range(steps)]
    lower = [(radius, -z) for radius, z in reversed(ridges)]
    head = Part(_drum([(0, -half), *lower, (0.8 * r, 0), *ridges, (0, half)], length))
    haft = Part(
        _haft(random, length, random.uniform(0.008, 0.012)), trim(random) if random.random() < 0.6 else None
    )
    parts = [haft, head]
    if random.random() < 0.5:
        cap = [(0, 0), (1.02 * r, 0), (1.02 * r, 0.1 * r), (0.8 * r, 0.25 * r), (0, 0.25 * r)]
        ends = [_drum([(a, z + half) for a, z in cap], length)]
        ends.append(ends[0].turned("x", 180))
        parts.append(Part(meshes.merge(*ends), trim(random)))
    return _hammer(random, length, tuple(parts), ("plain",))


HAMMERS: tuple[Builder, ...] = (
    _hammer_claw,
    _hammer_club,
    _hammer_ball_peen,
    _hammer_mallet,
    _hammer_joiner,
    _hammer_toy,
)
