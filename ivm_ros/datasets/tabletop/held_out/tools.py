"""Cutlery, tools and stationery in other shapes than those of `kinds.tools`."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.kinds.tools import TOOL
from ivm_ros.datasets.tabletop.meshes import Mesh


def _slab(outline: list[tuple[float, float]], low: float, high: float) -> Mesh:
    """Return a prism: a convex outline in x and y, counter-clockwise, from one height to another."""
    count = len(outline)
    flat = np.array(outline)
    vertices = np.concatenate([np.c_[flat, np.full(count, z)] for z in (low, high)])
    caps = [t for i in range(1, count - 1) for t in ((0, i + 1, i), (count, count + i, count + i + 1))]
    pairs = [(i, (i + 1) % count) for i in range(count)]
    sides = [t for i, j in pairs for t in ((i, j, count + j), (i, count + j, count + i))]
    return Mesh(vertices, np.array([*caps, *sides], dtype=np.int32))


def _grip(length: float) -> Mesh:
    """Return a flat handle along x that broadens to its end."""
    return _slab([(0, -0.0035), (length, -0.009), (length, 0.009), (0, 0.0035)], 0.004, 0.008)


def _spoon(random: Random) -> Asset:
    """Draw a round, deep bowl on a flat handle; those of training are oval on a bent rod."""
    length, r = random.uniform(0.11, 0.14), random.uniform(0.024, 0.029)
    bowl = meshes.ellipsoid(r, r, 0.011).moved(x=-0.9 * r, z=0.011)
    mesh = meshes.merge(_grip(length).moved(z=0.004), bowl)
    return Asset("spoon", (Part(mesh),), TOOL, ("plain", "metal", "wooden"))


def _fork(random: Random) -> Asset:
    """Draw three long tines apart on a flat handle; those of training have four on a bent rod."""
    length, tine = random.uniform(0.09, 0.12), random.uniform(0.056, 0.066)
    palm = _slab([(-0.012, -0.018), (0.01, -0.005), (0.01, 0.005), (-0.012, 0.018)], 0.004, 0.008)
    tines = [
        meshes.box(tine, 0.005, 0.004).moved(x=-0.01 - tine / 2, y=y, z=0.004) for y in (-0.0145, 0, 0.0145)
    ]
    return Asset(
        "fork", (Part(meshes.merge(_grip(length), palm, *tines)),), TOOL, ("plain", "metal", "metal")
    )


def _knife(random: Random) -> Asset:
    """Draw a broad cook's blade or a round table blade; those of training are narrow with a slant tip."""
    length = random.uniform(0.12, 0.15)
    if random.random() < 0.5:
        outline = [(0, -0.026), (0.55, -0.021), (0.85, -0.006), (1, 0.012), (0, 0.012)]
    else:
        outline = [(0, -0.008), (0.6, -0.013), (0.92, -0.011), (1, -0.002), (0.92, 0.008), (0, 0.008)]
    blade = _slab([(x * length, y) for x, y in outline], 0.006, 0.009)
    handle = meshes.box(0.09, 0.021, 0.014).moved(x=-0.045)
    return Asset("knife", (Part(handle), Part(blade, (0.75, 0.76, 0.78))), ("black", "brown", *TOOL))


def _pen(random: Random) -> Asset:
    """Draw a thick marker with a clip, or a slim pen with a push button; training's have a plain cap."""
    if random.random() < 0.5:
        length, r = random.uniform(0.095, 0.11), random.uniform(0.011, 0.013)
        body = [(0, 0), (r, 0), (r, 0.7 * length), (0.6 * r, 0.78 * length), (0.6 * r, 0.9 * length)]
        tip = [(0.6 * r, 0.9 * length), (0.25 * r, length), (0, length)]
    else:
        length, r = random.uniform(0.14, 0.155), random.uniform(0.0042, 0.005)
        body = [
            (0, 0),
            (0.5 * r, 0),
            (0.5 * r, 0.012),
            (r, 0.013),
            (r, 0.8 * length),
            (0.8 * r, 0.85 * length),
        ]
        tip = [(0.8 * r, 0.85 * length), (0.2 * r, length), (0, length)]
    clip = meshes.box(0.004, 0.002, 0.04).moved(y=-r - 0.0015, z=0.016)
    tint = (0.75, 0.75, 0.78) if random.random() < 0.5 else (0.08, 0.08, 0.09)
    parts = (
        Part(meshes.merge(meshes.lathe(body, 14), clip).turned("x", 90)),
        Part(meshes.lathe(tip, 14).turned("x", 90), tint),
    )
    return Asset("pen", parts)


def _screwdriver(random: Random) -> Asset:
    """Draw a stubby one with a ball grip, or one with a long shaft; training's grips and shafts are alike."""
    if random.random() < 0.5:
        r, grip, shaft = random.uniform(0.019, 0.023), 0.052, random.uniform(0.035, 0.05)
    else:
        r, grip, shaft = random.uniform(0.011, 0.013), 0.07, random.uniform(0.16, 0.19)
    shape = [(0, 0), (0.75, 0.04), (1, 0.3), (0.95, 0.6), (0.5, 0.85), (0.62, 1.0), (0, 1.0)]
    handle = meshes.lathe([(r * x, grip * z) for x, z in shape], 12)
    steel = meshes.lathe([(0, 0), (0.0042, 0), (0.0042, shaft - 0.012), (0.0015, shaft), (0, shaft)], 8)
    parts = (
        Part(handle.turned("x", 90)),
        Part(steel.moved(z=grip).turned("x", 90), (0.72, 0.73, 0.76)),
    )
    return Asset("screwdriver", parts)


def _hammer(random: Random) -> Asset:
    """Draw a mallet or a sledge with a head alike on both sides; those of training have a claw."""
    length = random.uniform(0.17, 0.22)
    handle = meshes.box(length, 0.018, 0.022).moved(x=length / 2, z=0.012)
    if random.random() < 0.5:
        head = meshes.tube([(length, -0.045, 0), (length, 0, 0), (length, 0.045, 0)], 0.027, 16).moved(
            z=0.027
        )
        tint = (0.13, 0.13, 0.14)
    else:
        head, tint = meshes.box(0.036, 0.1, 0.036).moved(x=length, z=0.004), (0.45, 0.46, 0.5)
    parts = (Part(handle), Part(head, tint))
    return Asset("hammer", parts, ("brown", "brown", "red", "yellow", "blue", "black", "orange"))


def _nut(random: Random) -> Asset:
    """Draw a long coupling nut, or one with a flange; those of training are flat and plain."""
    r = random.uniform(0.02, 0.026)
    if random.random() < 0.5:
        h, hole = r * random.uniform(1.7, 2.1), 0.55 * r
        mesh = meshes.lathe([(hole, 0), (r, 0), (r, h), (hole, h), (hole, 0)], 6)
    else:
        h, hole = 0.75 * r, 0.5 * r
        hexagon = meshes.lathe([(hole, 0.2 * h), (r, 0.2 * h), (r, h), (hole, h), (hole, 0.2 * h)], 6)
        flange = [(hole, 0), (1.5 * r, 0), (1.5 * r, 0.2 * h), (hole, 0.24 * h), (hole, 0)]
        mesh = meshes.merge(hexagon, meshes.lathe(flange))
    return Asset("nut", (Part(mesh),), ("gray", "gray", "yellow", "black"), ("metal",))


def _book(random: Random) -> Asset:
    """Draw a thick little book, or one open face down; those of training are large, flat and shut."""
    paper = (0.93, 0.91, 0.84)
    if random.random() < 0.5:
        x, y = random.uniform(0.09, 0.105), random.uniform(0.125, 0.145)
        z = x * random.uniform(0.42, 0.55)
        cover = meshes.box(x, y, 0.003)
        back = meshes.tube([(-x / 2, -y / 2, 0), (-x / 2, 0, 0), (-x / 2, y / 2, 0)], z / 2, 14)
        covers = meshes.merge(cover, cover.moved(z=z - 0.003), back.moved(z=z / 2))
        pages = meshes.box(x - 0.006, y - 0.012, z - 0.006).moved(z=0.003)
        return Asset("book", (Part(covers), Part(pages, paper)), support=Support(z, 0.42 * x))
    x, y = random.uniform(0.1, 0.13), random.uniform(0.16, 0.2)
    outer: list[Mesh] = []
    inner: list[Mesh] = []
    for side in (-1, 1):
        tilt = side * random.uniform(14, 24)
        outer.append(meshes.box(x + 0.006, y + 0.01, 0.003).moved(x=side * x / 2, z=0.011).turned("y", tilt))
        inner.append(meshes.box(x, y, 0.011).moved(x=side * x / 2).turned("y", tilt))
    return Asset("book", (Part(meshes.merge(*outer)), Part(meshes.merge(*inner), paper)))


TOOLS: dict[str, Builder] = {
    "spoon": _spoon,
    "fork": _fork,
    "knife": _knife,
    "pen": _pen,
    "screwdriver": _screwdriver,
    "hammer": _hammer,
    "nut": _nut,
    "book": _book,
}
