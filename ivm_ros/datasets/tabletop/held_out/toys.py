"""Toys and simple shapes in other shapes than those of `kinds.toys`."""

from __future__ import annotations

import itertools

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.kinds.toys import SHAPE
from ivm_ros.datasets.tabletop.meshes import Mesh


def _duck(random: Random) -> Asset:
    """Draw a plump duckling with a large head close to its body; training's has a neck and a tail."""
    swell = random.uniform(0.95, 1.1)
    body = meshes.ellipsoid(0.036 * swell, 0.034 * swell, 0.03).moved(z=0.03)
    head = meshes.ellipsoid(0.027, 0.027, 0.025).moved(x=0.01, z=0.073)
    tail = meshes.ellipsoid(0.012, 0.014, 0.006).turned("y", 35).moved(x=-0.038, z=0.046)
    wings = [meshes.ellipsoid(0.018, 0.005, 0.016).moved(x=-0.002, y=s * 0.034, z=0.036) for s in (-1, 1)]
    tuft = meshes.tube([(0.008, 0, 0.095), (0.002, 0, 0.104), (-0.006, 0, 0.107)], [0.005, 0.003, 0.001], 6)
    beak = meshes.tube([(0.03, 0, 0.07), (0.044, 0, 0.068), (0.054, 0, 0.067)], [0.009, 0.007, 0.003], 8)
    eyes = [meshes.ellipsoid(0.004, 0.004, 0.005, 8).moved(x=0.031, y=s * 0.013, z=0.081) for s in (-1, 1)]
    main = meshes.merge(body, head, tail, *wings, tuft)
    parts = (Part(main), Part(beak, (0.9, 0.35, 0.08)), Part(meshes.merge(*eyes), (0.05, 0.05, 0.12)))
    return Asset("duck", parts, ("yellow",) * 8 + ANY)


def _teddy(random: Random) -> Asset:
    """Draw a standing bear with its arms up; training's sits with its arms down."""
    lift = random.uniform(25, 60)

    def pair(x: float, y: float, z: float, size: tuple[float, float, float]) -> list[Mesh]:
        return [meshes.ellipsoid(*size).moved(x, side * y, z) for side in (-1, 1)]

    body = meshes.ellipsoid(0.026, 0.031, 0.04).moved(z=0.08)
    head = meshes.ellipsoid(0.028, 0.03, 0.027).moved(z=0.138)
    ears = pair(0, 0.026, 0.16, (0.007, 0.014, 0.014))
    legs = pair(0.002, 0.018, 0.028, (0.016, 0.015, 0.028))
    feet = pair(0.012, 0.018, 0.008, (0.02, 0.013, 0.008))
    arms = [
        meshes.ellipsoid(0.012, 0.03, 0.012).turned("x", s * lift).moved(0.004, s * 0.044, 0.11)
        for s in (-1, 1)
    ]
    light = meshes.merge(
        meshes.ellipsoid(0.012, 0.013, 0.01).moved(x=0.023, z=0.131),
        meshes.ellipsoid(0.008, 0.018, 0.024).moved(x=0.021, z=0.076),
    )
    dark = meshes.merge(
        meshes.ellipsoid(0.005, 0.006, 0.004).moved(x=0.034, z=0.135),
        *pair(0.024, 0.011, 0.146, (0.004,) * 3),
    )
    parts = (
        Part(meshes.merge(body, head, *ears, *legs, *feet, *arms)),
        Part(light, (0.93, 0.85, 0.72)),
        Part(dark, (0.05,) * 3),
    )
    return Asset("teddy", parts, ("brown",) * 8 + ("white", "pink", "black", "gray", "yellow", "purple"))


def _lego(random: Random) -> Asset:
    """Draw a flat plate or a tower of bricks; those of training are one brick high."""
    unit = random.uniform(0.014, 0.017)
    flat = random.random() < 0.5
    columns, rows = (int(random.integers(3, 6)), 3) if flat else (2, int(random.integers(1, 3)))
    height = unit * (0.4 if flat else 3.6)
    stud = meshes.lathe([(0, 0), (0.3 * unit, 0), (0.3 * unit, 0.22 * unit), (0, 0.22 * unit)], 10)
    studs = [
        stud.moved((i - (columns - 1) / 2) * unit, (j - (rows - 1) / 2) * unit, height)
        for i in range(columns)
        for j in range(rows)
    ]
    return Asset("lego", (Part(meshes.merge(meshes.box(columns * unit, rows * unit, height), *studs)),))


def _cube(random: Random) -> Asset:
    """Draw rounded edges, or grooves between 3 x 3 x 3 blocks; those of training are plain."""
    side = random.uniform(0.04, 0.056)
    if random.random() < 0.5:
        unit = meshes.ellipsoid(1, 1, 1, 28)
        round_ = np.sign(unit.vertices) * np.abs(unit.vertices) ** random.uniform(0.25, 0.35)
        return Asset("cube", (Part(Mesh(round_ * side / 2, unit.faces).moved(z=side / 2)),), finishes=SHAPE)
    block = meshes.box(0.29 * side, 0.29 * side, 0.29 * side)
    places = [place for place in itertools.product((-1, 0, 1), repeat=3) if any(place)]
    core = meshes.box(0.9 * side, 0.9 * side, 0.9 * side).moved(z=0.05 * side)
    blocks = [block.moved(*(0.345 * side * np.array(p))).moved(z=0.355 * side) for p in places]
    mesh = meshes.merge(core, *blocks)
    return Asset("cube", (Part(mesh),), finishes=SHAPE, support=Support(0.99 * side, 0.42 * side))


def _ball(random: Random) -> Asset:
    """Draw segments like a beach ball's, or flat facets; those of training are smooth."""
    r = random.uniform(0.024, 0.04)
    if random.random() < 0.5:
        return Asset("ball", (Part(meshes.ellipsoid(r, r, r, 8)),), finishes=SHAPE)
    smooth = meshes.ellipsoid(r, r, r, 48)
    angle = np.arctan2(smooth.vertices[:, 1], smooth.vertices[:, 0])
    flat = np.hypot(smooth.vertices[:, 0], smooth.vertices[:, 1]) / r
    seams = 1 - 0.12 * flat * np.abs(np.cos(3 * angle)) ** 8
    ribbed = smooth.vertices * np.stack([seams, seams, np.ones_like(seams)], -1)
    return Asset("ball", (Part(Mesh(ribbed, smooth.faces)),), finishes=SHAPE)


def _cylinder(random: Random) -> Asset:
    """Draw a flat disc or a rod, with rounded rims; training's are 1.3 to 5.6 radii high, with sharp ones."""
    thin = random.random() < 0.5
    r = random.uniform(0.012, 0.015) if thin else random.uniform(0.032, 0.042)
    h = r * (random.uniform(6.5, 8.0) if thin else random.uniform(0.7, 1.0))
    edge = 0.15 * r
    mesh = meshes.lathe([(0, 0), (r - edge, 0), (r, edge), (r, h - edge), (r - edge, h), (0, h)])
    return Asset("cylinder", (Part(mesh),), finishes=SHAPE, lies=True)


def _cone(random: Random) -> Asset:
    """Draw a slim cone with its tip cut off, or one on a base; those of training are whole and plain."""
    r = random.uniform(0.02, 0.026)
    h = r * random.uniform(4.4, 5.2)
    if random.random() < 0.5:
        profile = [(0, 0), (r, 0), (0.22 * r, h), (0, h)]
    else:
        profile = [(0, 0), (1.6 * r, 0), (1.6 * r, 0.006), (r, 0.007), (0.12 * r, 0.8 * h), (0, 0.8 * h)]
    return Asset("cone", (Part(meshes.lathe(profile)),), finishes=SHAPE, lies=True)


def _ring(random: Random) -> Asset:
    """Draw a thin hoop or a flat band; the tubes of training are thick and round."""
    r = random.uniform(0.034, 0.046)
    if random.random() < 0.5:
        mesh = meshes.ring(r, r * random.uniform(0.12, 0.18))
    else:
        h = r * random.uniform(0.5, 0.7)
        mesh = meshes.lathe([(0.86 * r, 0), (r, 0), (r, h), (0.86 * r, h), (0.86 * r, 0)], 32)
    return Asset("ring", (Part(mesh),), finishes=("plain", "plain", "plain", "metal", "wooden"))


def _pyramid(random: Random) -> Asset:
    """Draw a steep pyramid, or one in steps; those of training are at most 2.2 radii high and smooth."""
    if random.random() < 0.5:
        r = random.uniform(0.026, 0.032)
        profile = [(0, 0), (r, 0), (0, r * random.uniform(2.7, 3.3))]
    else:
        r, steps = random.uniform(0.042, 0.052), 4
        h = r * random.uniform(0.9, 1.2)
        stairs = [(r * (1 - i / (steps + 0.4)), h * (i + up) / steps) for i in range(steps) for up in (0, 1)]
        profile = [(0, 0), *stairs, (0, h)]
    return Asset("pyramid", (Part(meshes.lathe(profile, 4)),), finishes=SHAPE)


TOYS: dict[str, Builder] = {
    "duck": _duck,
    "teddy": _teddy,
    "lego": _lego,
    "cube": _cube,
    "ball": _ball,
    "cylinder": _cylinder,
    "cone": _cone,
    "ring": _ring,
    "pyramid": _pyramid,
}
