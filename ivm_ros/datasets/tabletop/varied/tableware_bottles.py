"""More designs of bottles and cans."""

from __future__ import annotations

import math

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import PATTERNED, Asset, Builder, Part, Random, Rgb
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import Profile, cylinder
from ivm_ros.datasets.tabletop.varied.shapes_tableware import accent, band, bow, rounded_block, squared

_SILVER: Rgb = (0.75, 0.75, 0.78)
_CORK: Rgb = (0.7, 0.52, 0.34)
_TIN = ("plain", "plain", "plain", "striped", "print", "metal")


def _bottle(body: Mesh, *more: Part, finishes: tuple[str, ...] = ("plain",)) -> Asset:
    return Asset("bottle", (Part(body), *more), finishes=finishes, lies=True)


def _closed(outside: Profile, segments: int = 28) -> Mesh:
    """Return a solid of revolution of an outer wall."""
    return meshes.lathe([(0.0, 0.0), *outside, (0.0, outside[-1][1])], segments)


def _label(
    random: Random, outside: Profile, low: float, high: float, chance: float = 0.45
) -> tuple[Part, ...]:
    """Draw a label around a bottle or none."""
    if random.random() >= chance:
        return ()
    return (Part(band(outside, low, high, 0.0008), accent(random, 0.85)),)


def _bottle_wine(random: Random) -> Asset:
    """Return a tall bottle with a long neck, round or sloping shoulders, a cork or a crown cap."""
    r = random.uniform(0.024, 0.037)
    h, neck = r * random.uniform(6.5, 8.5), r * random.uniform(0.32, 0.45)
    shoulder, top = h * random.uniform(0.42, 0.62), h * random.uniform(0.66, 0.76)
    outside = [(0.95 * r, 0.0), (r, 0.01 * h), (r, shoulder)]
    for a in (0.35, 0.7, 1.05, 1.4):
        outside.append((neck + (r - neck) * math.cos(a), shoulder + (top - shoulder) * math.sin(a)))
    outside += [(neck, top), (neck * 0.95, 0.96 * h), (neck * 1.15, 0.962 * h), (neck * 1.15, h)]
    if random.random() < 0.5:
        stopper = Part(cylinder(neck * 0.8, 0.05 * h).moved(z=0.98 * h), _CORK)
    else:
        cap = meshes.lathe([(0, -0.008), (neck * 1.4, -0.008), (neck * 1.2, 0.002), (0, 0.003)], 18)
        stopper = Part(cap.moved(z=h), accent(random, 0.8))
    return _bottle(_closed(outside), stopper, *_label(random, outside, 0.12 * h, 0.12 * h + 0.25 * shoulder))


def _bottle_sport(random: Random) -> Asset:
    """Return a drinking flask of steel or plastic, with a wide lid and a spout or a loop."""
    r = random.uniform(0.03, 0.042)
    h, neck = r * random.uniform(4.2, 6.0), r * random.uniform(0.55, 0.85)
    outside = [(0.93 * r, 0.0), (r, 0.02 * h), (r, 0.76 * h), (0.93 * r, 0.81 * h), (neck, 0.87 * h)]
    tint = accent(random, 0.7)
    lid = [cylinder(neck * 1.08, 0.1 * h).moved(z=0.865 * h)]
    top = 0.965 * h
    if random.random() < 0.5:
        spout = meshes.lathe(
            [(0, 0), (0.011, 0), (0.008, 0.012), (0.011, 0.014), (0.01, 0.024), (0, 0.024)], 16
        )
        lid.append(spout.moved(z=top))
    else:
        loop = bow(neck * 0.75, random.uniform(0.012, 0.024), 0.004, 0.6, flat=1.6)
        lid.append(loop.turned("y", -90).moved(z=top - 0.002))
    parts = (Part(meshes.merge(*lid), tint), *_label(random, outside, 0.1 * h, 0.22 * h, 0.3))
    return _bottle(_closed(outside), *parts, finishes=(*PATTERNED, "metal", "metal"))


def _bottle_soap(random: Random) -> Asset:
    """Return a flat or square bottle of shampoo or soap, with a pump or a cap."""
    x = random.uniform(0.05, 0.08)
    y, h = x * random.uniform(0.5, 1.0), x * random.uniform(2.0, 2.9)
    inset = 0.5 * y - 0.01
    levels = [(-0.003, 0.0), (0.0, 0.004), (0.0, 0.8 * h), (-0.3 * inset, 0.88 * h), (-inset, 0.93 * h)]
    body = rounded_block(x, y, random.uniform(0.15, 0.49) * y, [*levels, (-inset, 0.97 * h)])
    tint = accent(random, 0.7)
    if random.random() < 0.5:
        stem, collar = cylinder(0.004, 0.05), cylinder(0.012, 0.014)
        nozzle = meshes.tube([(-0.012, 0, 0.045), (0.012, 0, 0.046), (0.036, 0, 0.04)], [0.008, 0.007, 0.004])
        top = meshes.merge(stem, collar, nozzle)
    else:
        top = cylinder(0.014, random.uniform(0.02, 0.035), 20)
    return _bottle(body, Part(top.moved(z=0.965 * h), tint))


def _bottle_sauce(random: Random) -> Asset:
    """Return a squeeze bottle with a pointed nozzle, or a bellied one with a ball for a stopper."""
    r = random.uniform(0.024, 0.036)
    h = r * random.uniform(3.8, 5.2)
    foot, neck = r * random.uniform(0.75, 1.0), r * random.uniform(0.4, 0.6)
    belly = random.uniform(0.25, 0.5)
    outside = [
        (foot, 0.0),
        (r, belly * h),
        (0.98 * r, (belly + 0.12) * h),
        (0.78 * r, 0.78 * h),
        (neck, 0.92 * h),
    ]
    outside.append((neck, 0.98 * h))
    if random.random() < 0.65:
        tip = [(0, 0), (neck * 1.2, 0), (neck * 1.2, 0.05 * h), (neck * 0.6, 0.08 * h)]
        top = meshes.lathe([*tip, (neck * 0.18, 0.28 * h), (0, 0.28 * h)])
    else:
        top = meshes.ellipsoid(neck * 1.2, neck * 1.2, neck * 1.2, 16).moved(z=neck * 0.7)
    stopper = Part(top.moved(z=0.97 * h), accent(random, 0.6))
    return _bottle(_closed(outside), stopper, *_label(random, outside, 0.22 * h, 0.42 * h, 0.35))


def _bottle_jug(random: Random) -> Asset:
    """Return a wide-mouthed bottle for milk or juice, round or square."""
    r = random.uniform(0.028, 0.042)
    h, neck = r * random.uniform(4.2, 5.6), r * random.uniform(0.5, 0.68)
    shoulder = h * random.uniform(0.5, 0.64)
    outside = [(0.9 * r, 0.0), (r, 0.03 * h), (r, shoulder), (0.9 * r, shoulder + 0.07 * h), (neck, 0.82 * h)]
    body = _closed(outside, 48)
    if random.random() < 0.5:
        body = squared(body, random.uniform(3.5, 8.0))
    top = _closed([(neck, 0.8 * h), (neck, 0.93 * h), (neck * 1.12, 0.94 * h), (neck * 1.12, 0.96 * h)])
    lid = cylinder(neck * 1.2, 0.05 * h).moved(z=0.95 * h)
    return _bottle(meshes.merge(body, top), Part(lid, accent(random, 0.7)))


def _can(body: Mesh, *more: Part) -> Asset:
    return Asset("can", (Part(body), *more), finishes=_TIN, lies=True)


def _tab(z: float) -> Part:
    """Return a ring pull at a height."""
    pull = meshes.ring(0.007, 0.003).scaled((1.2, 0.9, 0.7)).moved(x=0.009)
    rivet = meshes.box(0.01, 0.006, 0.002).moved(x=-0.002)
    return Part(meshes.merge(pull, rivet).moved(z=z), (0.6, 0.6, 0.63))


def _can_drink(random: Random) -> Asset:
    """Return a slim, a tall or a stubby drink can, narrower at both ends."""
    r = random.uniform(0.026, 0.036)
    h, end = r * random.uniform(2.6, 5.6), random.uniform(0.76, 0.9)
    neck = r * random.uniform(0.25, 0.5)
    low = [(0.0, 0.004), (r * end * 0.85, 0.004), (r * end * 0.9, 0.0), (r * end, 0.001)]
    side = meshes.lathe([*low, (r, neck * 0.8), (r, h - neck), (r * end, h - 0.003)])
    lid = [
        (r * end, h - 0.003),
        (r * end, h),
        (r * end - 0.002, h),
        (r * end - 0.004, h - 0.004),
        (0, h - 0.004),
    ]
    return _can(side, Part(meshes.lathe(lid), _SILVER), _tab(h - 0.004))


def _tin(r: float, h: float, ribs: int, depth: float) -> Mesh:
    """Return the side and the bottom of a food tin, with ribs around its middle."""
    outside = [(r, 0.0), (r, 0.002), (r - 0.001, 0.004), (r - 0.001, 0.2 * h)]
    for number in range(ribs):
        z = h * (0.25 + 0.5 * number / max(ribs, 1))
        outside += [(r - 0.001 - depth, z), (r - 0.001, z + 0.25 * h / ribs)]
    outside += [(r - 0.001, h - 0.004), (r, h - 0.002), (r, h)]
    return meshes.lathe([(0.0, 0.003), (r - 0.002, 0.003), (r - 0.002, 0.0), *outside])


def _tin_lid(r: float, h: float) -> Mesh:
    edge = [(r, h), (r - 0.002, h), (r - 0.002, h - 0.003), (0.7 * r, h - 0.003)]
    return meshes.lathe([*edge, (0.68 * r, h - 0.002), (0, h - 0.002)])


def _can_tin(random: Random) -> Asset:
    """Return a food tin, low or high, with ribs or a smooth side, with or without a ring pull."""
    r = random.uniform(0.03, 0.05)
    h = r * random.uniform(1.3, 3.0)
    body = _tin(r, h, int(random.choice([0, 0, 3, 4, 6])), random.uniform(0.0008, 0.002))
    ends = meshes.ring(r - 0.0005, 0.003)
    rims = Part(meshes.merge(ends, ends.moved(z=h - 0.003)), _SILVER)
    lid = Part(_tin_lid(r, h), _SILVER if random.random() < 0.8 else None)
    return _can(body, rims, lid, *((_tab(h - 0.002),) if random.random() < 0.6 else ()))


def _can_flat(random: Random) -> Asset:
    """Return a low round tin as of tuna."""
    r = random.uniform(0.034, 0.05)
    h = r * random.uniform(0.65, 1.1)
    outside = [(r * 0.9, 0.0), (r, 0.16 * h), (r, h)]
    body = meshes.lathe([(0, 0.001), (r * 0.88, 0.001), *outside, (r - 0.002, h)])
    lid = Part(_tin_lid(r - 0.0015, h + 0.0003), _SILVER if random.random() < 0.25 else None)
    return _can(body, lid, Part(meshes.ring(r, 0.0035).moved(z=h - 0.002), _SILVER), _tab(h - 0.001))


def _can_sardine(random: Random) -> Asset:
    """Return a flat tin with a rounded rectangular or oval outline and a ring pull."""
    x = random.uniform(0.085, 0.115)
    y, h = x * random.uniform(0.55, 0.72), random.uniform(0.022, 0.036)
    corner = y * random.uniform(0.25, 0.49)
    body = rounded_block(
        x, y, corner, [(-0.003, 0), (0, 0.004), (0, h - 0.003), (0.0015, h - 0.002), (0.0015, h)]
    )
    edge = [(0.0012, h - 0.0005), (0.0012, h + 0.001), (-0.002, h + 0.001), (-0.003, h + 0.0002)]
    lid = Part(rounded_block(x, y, corner, edge), _SILVER if random.random() < 0.25 else None)
    tab = _tab(h)
    return _can(body, lid, Part(tab.mesh.moved(x=0.28 * x), tab.tint))


def _can_open(random: Random) -> Asset:
    """Return an opened food tin whose lid stands up at its edge."""
    r = random.uniform(0.032, 0.044)
    h = r * random.uniform(1.6, 2.7)
    ribs = int(random.choice([0, 3, 5]))
    side = _tin(r, h, ribs, 0.0015)
    inside = meshes.lathe([(r, h), (r - 0.002, h), (r - 0.002, 0.006), (0, 0.006)])
    lid = (
        cylinder(r * 0.94, 0.001)
        .moved(x=-r * 0.94)
        .turned("y", random.uniform(35, 85))
        .moved(x=r * 0.97, z=h)
    )
    return _can(meshes.merge(side, inside), Part(lid, _SILVER))


BOTTLES: dict[str, tuple[Builder, ...]] = {
    "bottle": (_bottle_wine, _bottle_sport, _bottle_soap, _bottle_sauce, _bottle_jug),
    "can": (_can_drink, _can_tin, _can_flat, _can_sardine, _can_open),
}
