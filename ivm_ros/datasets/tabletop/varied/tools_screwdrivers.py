"""Several designs of screwdrivers; their shafts point along x."""

from __future__ import annotations

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes_tools import (
    HANDLE,
    TIMBER,
    along_x,
    dark,
    faceted,
    fluted,
    lying,
    rolled,
    steel,
    strip,
    trim,
)


def _shaft(random: Random, start: float, length: float, radius: float) -> Mesh:
    """Return a blade along x from `start`: flat, cross-shaped or pointed at its end."""
    end = start + length
    tip = str(random.choice(["flat", "flat", "cross", "round"]))
    if tip == "flat":
        spread = random.uniform(1.0, 1.9) * radius
        return strip(
            [
                (start, radius, 0, radius),
                (end - 5 * radius, radius, 0, radius),
                (end - 1.5 * radius, spread, 0, 0.45 * radius),
                (end, spread, 0, 0.2 * radius),
            ],
            12,
        )
    profile = [
        (0.0, 0.0),
        (radius, 0.0),
        (radius, length - 2.5 * radius),
        (0.3 * radius, length),
        (0.0, length),
    ]
    bar = meshes.lathe(profile, 12) if tip == "round" else fluted(profile, 4, 0.35)
    return along_x(bar).moved(x=start)


def _screwdriver_fluted(random: Random) -> Asset:
    h, r = random.uniform(0.08, 0.12), random.uniform(0.012, 0.019)
    neck = random.uniform(0.55, 0.8) * r
    profile = [
        (0, 0),
        (0.7 * r, 0),
        (r, 0.06 * h),
        (random.uniform(0.9, 1.05) * r, 0.7 * h),
        (neck, 0.82 * h),
        (random.uniform(0.8, 1.0) * r, 0.93 * h),
        (0.5 * r, h),
        (0, h),
    ]
    grip = along_x(fluted(profile, int(random.choice([4, 5, 6, 8, 10])), random.uniform(0.08, 0.25)))
    shaft = _shaft(random, h - 0.002, random.uniform(0.07, 0.14), random.uniform(0.0025, 0.004))
    return Asset("screwdriver", lying(Part(grip), Part(shaft, steel(random))), HANDLE)


def _screwdriver_stubby(random: Random) -> Asset:
    h, r = random.uniform(0.045, 0.065), random.uniform(0.015, 0.021)
    profile = [(0, 0), (0.6 * r, 0), (r, 0.25 * h), (r, 0.55 * h), (0.55 * r, 0.8 * h), (0.75 * r, h), (0, h)]
    sides = int(random.choice([0, 3, 6, 8]))
    grip = along_x(fluted(profile, sides, 0.15) if sides else meshes.lathe(profile))
    shaft = _shaft(random, h - 0.002, random.uniform(0.036, 0.058), random.uniform(0.0028, 0.0042))
    parts = [Part(grip), Part(shaft, steel(random))]
    if random.random() < 0.4:
        collar = meshes.lathe([(0, 0), (0.5 * r, 0), (0.5 * r, 0.008), (0, 0.008)], 16)
        parts.append(Part(along_x(collar).moved(x=h), dark(random)))
    return Asset("screwdriver", lying(*parts), HANDLE)


def _screwdriver_precision(random: Random) -> Asset:
    h, r = random.uniform(0.06, 0.09), random.uniform(0.005, 0.0075)
    ridges = [(r * (1 - 0.14 * (k % 2)), h * (0.12 + 0.06 * k)) for k in range(11)]
    profile = [(0.0, 0.0), (r, 0.0), *ridges, (0.45 * r, h), (0.0, h)]
    grip = meshes.lathe(profile, 16) if random.random() < 0.6 else faceted(profile, 1.1 * r, 6)
    cap = meshes.lathe(
        [(0, 0), (1.4 * r, 0), (1.4 * r, 0.5 * r), (0.5 * r, r), (0.5 * r, 1.3 * r), (0, 1.3 * r)]
    )
    shaft = _shaft(random, h - 0.002, random.uniform(0.045, 0.075), random.uniform(0.0014, 0.0021))
    tint = trim(random) if random.random() < 0.5 else None
    parts = (Part(along_x(grip)), Part(along_x(cap).moved(x=-1.2 * r), tint), Part(shaft, steel(random)))
    return Asset("screwdriver", lying(*parts), (*HANDLE, "gray"), ("plain", "plain", "metal"))


def _screwdriver_soft_grip(random: Random) -> Asset:
    h, r = random.uniform(0.09, 0.12), random.uniform(0.014, 0.019)
    sides, waist = int(random.choice([3, 4, 6])), random.uniform(0.6, 0.8) * r
    profile = [
        (0, 0),
        (0.85 * r, 0),
        (1.15 * r, 0.1 * h),
        (1.15 * r, 0.55 * h),
        (waist, 0.78 * h),
        (0.95 * r, 0.95 * h),
        (0.5 * r, h),
        (0, h),
    ]
    grip = along_x(faceted(profile, 1.35 * r, sides))
    pads = [
        strip([(0.15 * h, 0.0028, 0, 0.0028), (0.35 * h, 0.004, 0, 0.003), (0.55 * h, 0.0028, 0, 0.0028)], 8)
        .moved(z=r * (0.72 if sides == 3 else 0.95))
        .turned("x", 360 * k / sides + 45)
        for k in range(sides)
    ]
    shaft = _shaft(random, h - 0.002, random.uniform(0.07, 0.14), random.uniform(0.0028, 0.0042))
    bolster = along_x(faceted([(0, 0), (0.0075, 0), (0.0075, 0.012), (0, 0.012)], 0.0065, 6)).moved(
        x=h - 0.002
    )
    iron = meshes.merge(shaft, bolster) if random.random() < 0.5 else shaft
    parts = [Part(grip), Part(iron, steel(random))]
    if random.random() < 0.7:
        parts.append(Part(meshes.merge(*pads), trim(random)))
    return Asset("screwdriver", lying(*rolled(random.uniform(0, 90), *parts)), HANDLE)


def _screwdriver_wooden(random: Random) -> Asset:
    h, r = random.uniform(0.075, 0.11), random.uniform(0.014, 0.02)
    bulb = random.uniform(0.25, 0.5)
    profile = [
        (0, 0),
        (0.6 * r, 0),
        (0.95 * r, 0.1 * h),
        (r, bulb * h),
        (0.6 * r, 0.8 * h),
        (0.55 * r, h),
        (0, h),
    ]
    grip = meshes.lathe(profile) if random.random() < 0.5 else faceted(profile, 1.08 * r, 8)
    ferrule = meshes.lathe([(0, 0), (0.62 * r, 0), (0.5 * r, 0.014), (0, 0.014)]).moved(z=h - 0.003)
    shaft = _shaft(random, h, random.uniform(0.06, 0.12), random.uniform(0.003, 0.0042))
    parts = (Part(along_x(grip)), Part(meshes.merge(along_x(ferrule), shaft), steel(random)))
    return Asset("screwdriver", lying(*parts), TIMBER, ("plain", "wooden", "wooden"))


def _screwdriver_insulated(random: Random) -> Asset:
    h, r, length = random.uniform(0.085, 0.115), random.uniform(0.012, 0.017), random.uniform(0.07, 0.13)
    guard, sleeve = random.uniform(1.05, 1.4) * r, random.uniform(0.003, 0.005)
    profile = [
        (0, 0),
        (0.8 * r, 0),
        (r, 0.1 * h),
        (0.8 * r, 0.5 * h),
        (r, 0.75 * h),
        (0.7 * r, 0.88 * h),
        (guard, 0.95 * h),
        (0.8 * r, h),
        (sleeve, 1.06 * h),
        (sleeve, h + 0.85 * length),
        (0, h + 0.85 * length),
    ]
    body = along_x(meshes.lathe(profile))
    shaft = _shaft(random, h + 0.8 * length, 0.2 * length, 0.7 * sleeve)
    parts = [Part(body), Part(shaft, steel(random))]
    if random.random() < 0.6:
        band = meshes.lathe([(0, 0), (0.97 * r, 0), (0.97 * r, 0.3 * h), (0, 0.3 * h)]).moved(z=0.3 * h)
        parts.append(Part(along_x(band), trim(random)))
    return Asset("screwdriver", lying(*parts), HANDLE)


SCREWDRIVERS: tuple[Builder, ...] = (
    _screwdriver_fluted,
    _screwdriver_stubby,
    _screwdriver_precision,
    _screwdriver_soft_grip,
    _screwdriver_wooden,
    _screwdriver_insulated,
)
