"""Cutlery, tools and stationery."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.meshes import Mesh

TOOL = ("gray", "gray", "black", "red", "blue", "yellow", "green", "orange")


def _spoon(random: Random) -> Asset:
    length = random.uniform(0.15, 0.2)
    path = [(0, 0, 0.006), (0.4 * length, 0, 0.016), (0.8 * length, 0, 0.008), (length, 0, 0.008)]
    handle = meshes.tube(path, [0.0035, 0.003, 0.0035, 0.005], 8).scaled((1, 1.6, 1))
    bowl = meshes.ellipsoid(0.03, 0.02, 0.006).moved(x=-0.026, z=0.006)
    return Asset("spoon", (Part(meshes.merge(handle, bowl)),), TOOL, ("plain", "metal", "wooden"))


def _fork(random: Random) -> Asset:
    length = random.uniform(0.14, 0.18)
    path = [(0, 0, 0.006), (0.4 * length, 0, 0.015), (0.8 * length, 0, 0.008), (length, 0, 0.007)]
    handle = meshes.tube(path, [0.004, 0.003, 0.0035, 0.005], 8).scaled((1, 1.6, 1))
    palm = meshes.box(0.03, 0.026, 0.004).moved(x=-0.012, z=0.004)
    tines = [
        meshes.box(0.045, 0.0036, 0.004).moved(x=-0.045, y=y, z=0.004)
        for y in (-0.0112, -0.0037, 0.0037, 0.0112)
    ]
    return Asset("fork", (Part(meshes.merge(handle, palm, *tines)),), TOOL, ("plain", "metal", "metal"))


def _knife(random: Random) -> Asset:
    length = random.uniform(0.1, 0.14)
    outline = np.array([(0, -0.011), (0.8, -0.011), (1, 0.011), (0, 0.011)]) * [length, 1]
    vertices = np.concatenate([np.c_[outline, np.full(4, z)] for z in (0.006, 0.009)])
    quads = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    blade = Mesh(vertices, np.array(faces, dtype=np.int32))
    handle = meshes.tube([(-0.1, 0, 0.008), (-0.05, 0, 0.008), (0.005, 0, 0.008)], [0.009, 0.008, 0.008], 10)
    return Asset("knife", (Part(handle), Part(blade, (0.75, 0.76, 0.78))), ("black", "brown", *TOOL))


def _pen(random: Random) -> Asset:
    length, r = random.uniform(0.13, 0.15), random.uniform(0.0055, 0.009)
    body = meshes.lathe([(0, 0), (r, 0), (r, length), (0.3 * r, length + 0.015), (0, length + 0.018)], 14)
    cap = meshes.lathe([(0, 0), (1.15 * r, 0), (1.15 * r, 0.045), (0, 0.045)], 14).moved(z=-0.003)
    tint = (0.93, 0.93, 0.93) if random.random() < 0.3 else None
    return Asset("pen", (Part(body.turned("x", 90)), Part(cap.turned("x", 90), tint)))


def _screwdriver(random: Random) -> Asset:
    r = random.uniform(0.013, 0.017)
    grip = meshes.lathe(
        [(0, 0), (0.8 * r, 0), (r, 0.01), (0.85 * r, 0.05), (r, 0.09), (0.6 * r, 0.1), (0, 0.1)], 8
    )
    shaft = meshes.lathe([(0, 0), (0.0035, 0), (0.0035, 0.1), (0.005, 0.105), (0, 0.12)], 10).moved(z=0.1)
    return Asset("screwdriver", (Part(grip.turned("x", 90)), Part(shaft.turned("x", 90), (0.72, 0.73, 0.76))))


def _hammer(random: Random) -> Asset:
    length = random.uniform(0.2, 0.27)
    handle = meshes.tube([(0, 0, 0), (length / 2, 0, 0), (length, 0, 0)], [0.012, 0.01, 0.009]).moved(z=0.016)
    face = meshes.tube([(length, -0.045, 0), (length, -0.02, 0), (length, 0.02, 0)], 0.016).moved(z=0.016)
    claw = meshes.tube(
        [(length, 0.015, 0.016), (length - 0.006, 0.05, 0.016), (length - 0.02, 0.07, 0.016)],
        [0.012, 0.009, 0.004],
    )
    iron = (0.4, 0.41, 0.44)
    parts = (Part(handle), Part(meshes.merge(face, claw), iron))
    return Asset("hammer", parts, ("brown", "brown", "red", "yellow", "blue", "black", "orange"))


def _nut(random: Random) -> Asset:
    r, h = random.uniform(0.02, 0.034), random.uniform(0.014, 0.022)
    hole = random.uniform(0.5, 0.62) * r
    mesh = meshes.lathe([(hole, 0), (r, 0), (r, h), (hole, h), (hole, 0)], 6)
    return Asset("nut", (Part(mesh),), ("gray", "gray", "yellow", "black"), ("metal",))


def _book(random: Random) -> Asset:
    x, y, z = random.uniform(0.12, 0.17), random.uniform(0.17, 0.23), random.uniform(0.012, 0.035)
    cover = meshes.box(x, y, 0.002)
    spine = meshes.box(0.002, y, z).moved(x=-x / 2)
    pages = meshes.box(x - 0.008, y - 0.008, z - 0.004).moved(z=0.002)
    covers = meshes.merge(cover, cover.moved(z=z - 0.002), spine)
    return Asset("book", (Part(covers), Part(pages, (0.93, 0.91, 0.84))), support=Support(z, 0.42 * x))


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
