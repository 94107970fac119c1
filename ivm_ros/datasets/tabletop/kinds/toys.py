"""Toys and simple shapes."""

from __future__ import annotations

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, PATTERNED, Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.meshes import Mesh

SHAPE = (*PATTERNED, "plain", "metal", "wooden")


def _duck(random: Random) -> Asset:
    body = meshes.ellipsoid(0.042, 0.03, 0.027).moved(z=0.027)
    head = meshes.ellipsoid(0.021, 0.02, 0.02).moved(x=0.024, z=0.066)
    neck = meshes.tube([(0.015, 0, 0.03), (0.02, 0, 0.045), (0.024, 0, 0.06)], [0.022, 0.017, 0.017])
    tail = meshes.tube([(-0.025, 0, 0.034), (-0.042, 0, 0.044), (-0.052, 0, 0.056)], [0.02, 0.012, 0.003])
    wings = [meshes.ellipsoid(0.022, 0.007, 0.013).moved(x=-0.006, y=y, z=0.033) for y in (-0.028, 0.028)]
    beak = meshes.ellipsoid(0.012, 0.011, 0.004).moved(x=0.047, z=0.063)
    eyes = [meshes.ellipsoid(0.0035, 0.0035, 0.0035, 8).moved(x=0.039, y=y, z=0.073) for y in (-0.012, 0.012)]
    main = meshes.merge(body, head, neck, tail, *wings)
    parts = (Part(main), Part(beak, (0.95, 0.45, 0.05)), Part(meshes.merge(*eyes), (0.03, 0.03, 0.03)))
    colors = ("yellow",) * 8 + ANY
    return Asset("duck", parts, colors).scaled(random.uniform(0.9, 1.1))


def _teddy(random: Random) -> Asset:
    def pair(x: float, y: float, z: float, size: tuple[float, float, float]) -> list[Mesh]:
        return [meshes.ellipsoid(*size).moved(x, side * y, z) for side in (-1, 1)]

    body = meshes.ellipsoid(0.034, 0.038, 0.045).moved(z=0.045)
    head = meshes.ellipsoid(0.031, 0.034, 0.031).moved(z=0.11)
    ears = pair(0, 0.027, 0.137, (0.008, 0.013, 0.013))
    arms = pair(0.012, 0.044, 0.065, (0.014, 0.014, 0.028))
    legs = pair(0.04, 0.026, 0.016, (0.03, 0.016, 0.016))
    light = meshes.merge(
        meshes.ellipsoid(0.014, 0.015, 0.012).moved(x=0.026, z=0.103),
        meshes.ellipsoid(0.012, 0.022, 0.026).moved(x=0.025, z=0.045),
    )
    dark = meshes.merge(
        meshes.ellipsoid(0.005, 0.006, 0.004).moved(x=0.039, z=0.107),
        *pair(0.027, 0.012, 0.119, (0.004,) * 3),
    )
    parts = (
        Part(meshes.merge(body, head, *ears, *arms, *legs)),
        Part(light, (0.87, 0.74, 0.56)),
        Part(dark, (0.05,) * 3),
    )
    return Asset("teddy", parts, ("brown",) * 8 + ("white", "pink", "black", "gray", "yellow", "purple"))


def _lego(random: Random) -> Asset:
    unit = random.uniform(0.014, 0.018)
    columns, rows = int(random.integers(2, 5)), int(random.integers(1, 3))
    stud = meshes.lathe([(0, 0), (0.3 * unit, 0), (0.3 * unit, 0.22 * unit), (0, 0.22 * unit)], 14)
    studs = [
        stud.moved((i - (columns - 1) / 2) * unit, (j - (rows - 1) / 2) * unit, 1.2 * unit)
        for i in range(columns)
        for j in range(rows)
    ]
    brick = meshes.merge(meshes.box(columns * unit, rows * unit, 1.2 * unit), *studs)
    return Asset("lego", (Part(brick),))


def _cube(random: Random) -> Asset:
    side = random.uniform(0.035, 0.06)
    return Asset(
        "cube", (Part(meshes.box(side, side, side)),), finishes=SHAPE, support=Support(side, 0.45 * side)
    )


def _ball(random: Random) -> Asset:
    r = random.uniform(0.022, 0.042)
    return Asset("ball", (Part(meshes.ellipsoid(r, r, r, 26)),), finishes=SHAPE)


def _cylinder(random: Random) -> Asset:
    r, h = random.uniform(0.018, 0.034), random.uniform(0.045, 0.1)
    mesh = meshes.lathe([(0, 0), (r, 0), (r, h), (0, h)])
    return Asset("cylinder", (Part(mesh),), finishes=SHAPE, lies=True)


def _cone(random: Random) -> Asset:
    r, h = random.uniform(0.028, 0.042), random.uniform(0.06, 0.11)
    return Asset("cone", (Part(meshes.lathe([(0, 0), (r, 0), (0, h)])),), finishes=SHAPE, lies=True)


def _ring(random: Random) -> Asset:
    mesh = meshes.ring(random.uniform(0.028, 0.045), random.uniform(0.012, 0.02))
    return Asset("ring", (Part(mesh),), finishes=("plain", "plain", "plain", "metal", "wooden"))


def _pyramid(random: Random) -> Asset:
    r, h = random.uniform(0.035, 0.05), random.uniform(0.045, 0.075)
    return Asset("pyramid", (Part(meshes.lathe([(0, 0), (r, 0), (0, h)], 4)),), finishes=SHAPE)


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
