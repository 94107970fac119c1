"""Several designs of nuts."""

from __future__ import annotations

import math

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.varied.shapes_tools import faceted, slab, strip, trim

IRON = ("gray", "gray", "yellow", "black")
ANODISED = ("gray", "gray", "gray", "gray", "yellow", "black", "blue", "red", "green", "purple", "orange")


def _bored(random: Random, r: float, h: float, chamfer: float) -> tuple[list[tuple[float, float]], float]:
    """Return the closed profile of a threaded body of these size, and its hole's radius."""
    hole = random.uniform(0.48, 0.64) * r
    c, turns = chamfer * h, int(random.integers(3, 7))
    thread = [(hole * (1 + 0.06 * (k % 2)), h * (1 - (k + 1) / (2 * turns + 1))) for k in range(2 * turns)]
    rim = 1.15 * hole
    low, high = r * (1 - 0.6 * chamfer), r * (1 - 0.6 * chamfer)
    outside = [(rim, 0.0), (low, 0.0), (r, c), (r, h - c), (high, h), (rim, h), (hole, h - 0.05 * h)]
    return [*outside, *thread[:-1], (hole, 0.05 * h), (rim, 0.0)], hole


def _nut_hex(random: Random) -> Asset:
    r = random.uniform(0.018, 0.034)
    h = r * random.choice([random.uniform(0.3, 0.5), random.uniform(0.6, 1.0), random.uniform(1.1, 1.5)])
    profile, hole = _bored(random, r, h, random.uniform(0.1, 0.25))
    parts = [Part(faceted(profile, r, 6))]
    if h < r and random.random() < 0.35:
        insert = [
            (0.95 * hole, 0),
            (1.2 * hole, 0),
            (1.16 * hole, 0.08 * r),
            (0.95 * hole, 0.08 * r),
            (0.95 * hole, 0),
        ]
        parts.append(Part(meshes.lathe(insert).moved(z=0.97 * h), trim(random)))
    return Asset("nut", tuple(parts), ANODISED, ("metal",), lies=h > 1.1 * r)


def _nut_flange(random: Random) -> Asset:
    r = random.uniform(0.015, 0.026)
    h = r * random.uniform(0.7, 1.3)
    profile, hole = _bored(random, r, h, random.uniform(0.08, 0.2))
    wide, t = r * random.uniform(1.25, 1.6), 0.14 * r
    flange = meshes.lathe([(hole, 0), (wide, 0), (wide, t), (0.9 * r, 2.5 * t), (hole, 2.5 * t), (hole, 0)])
    return Asset("nut", (Part(meshes.merge(faceted(profile, r, 6), flange)),), IRON, ("metal",))


def _nut_square(random: Random) -> Asset:
    r = random.uniform(0.022, 0.036)
    h = r * random.uniform(0.25, 0.55)
    inner = 0.74 * r
    profile, _ = _bored(random, inner, h, 0.1)
    outline = [(r if a > 0.9 * inner else a, z) for a, z in profile]
    return Asset("nut", (Part(faceted(outline, r, 4)),), IRON, ("metal", "metal", "plain"))


def _nut_cap(random: Random) -> Asset:
    r = random.uniform(0.017, 0.03)
    h, dome = r * random.uniform(0.55, 0.9), r * random.uniform(0.72, 0.84)
    body = faceted([(0, 0), (0.9 * r, 0), (r, 0.1 * h), (r, 0.85 * h), (0.86 * r, h), (0, h)], r, 6)
    tall = dome * random.uniform(0.8, 1.3)
    angles = [math.radians(d) for d in (0, 18, 36, 54, 72)]
    arc = [(dome * math.cos(a), 0.3 * tall + 0.7 * tall * math.sin(a)) for a in angles]
    top = meshes.lathe([(0, -0.001), (dome, -0.001), *arc, (0, tall)]).moved(z=h)
    return Asset("nut", (Part(meshes.merge(body, top)),), IRON, ("metal",))


def _nut_castle(random: Random) -> Asset:
    r = random.uniform(0.02, 0.033)
    h = r * random.uniform(0.5, 0.9)
    profile, hole = _bored(random, r, h, 0.12)
    thick, tall = 0.86 * r - 1.05 * hole, r * random.uniform(0.25, 0.45)
    tooth = slab(thick, r * random.uniform(0.42, 0.58), tall, 0.0).moved(
        x=1.05 * hole + thick / 2, z=0.99 * h
    )
    teeth = [tooth.turned("z", 60 * k + 30) for k in range(6)]
    return Asset("nut", (Part(meshes.merge(faceted(profile, r, 6), *teeth)),), IRON, ("metal",))


def _nut_wing(random: Random) -> Asset:
    r = random.uniform(0.009, 0.014)
    h = r * random.uniform(0.9, 1.5)
    profile, _ = _bored(random, r, h, 0.1)
    hub = meshes.lathe([(a * (1 - 0.25 * z / h), z) if a > 0.9 * r else (a * 0.85, z) for a, z in profile])
    rise, reach = random.uniform(0.6, 1.4) * h, r * random.uniform(1.2, 2.0)
    t = random.uniform(0.14, 0.24) * r
    rows = [
        (0.72 * r, t, 0.4 * h, 0.38 * h),
        (r + 0.4 * reach, t, 0.4 * h + 0.5 * rise, 0.34 * h),
        (r + reach, t, 0.4 * h + rise, random.uniform(0.4, 0.6) * h),
    ]
    wing = strip(rows, 10, (0.0, 0.4 * h))
    mesh = meshes.merge(hub, wing, wing.turned("z", 180))
    return Asset("nut", (Part(mesh),), IRON, ("metal", "metal", "plain"))


NUTS: tuple[Builder, ...] = (
    _nut_hex,
    _nut_flange,
    _nut_square,
    _nut_cap,
    _nut_castle,
    _nut_wing,
)
