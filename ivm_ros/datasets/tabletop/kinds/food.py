"""Food and its packages."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh


def _milk(random: Random) -> Asset:
    side, h = random.uniform(0.055, 0.07), random.uniform(0.11, 0.15)
    body, roof = meshes.box(side, side, h), meshes.wedge(side, side, 0.4 * side).moved(z=h)
    crest = meshes.box(side, 0.003, 0.012).moved(z=h + 0.39 * side)
    finishes = ("print", "plain", "striped")
    parts = (Part(meshes.merge(body, crest)), Part(roof))
    return Asset("milk", parts, ("white", "white", "blue", "green", "red"), finishes, lies=True)


def _cereal(random: Random) -> Asset:
    x, y, z = random.uniform(0.1, 0.15), random.uniform(0.035, 0.05), random.uniform(0.17, 0.23)
    return Asset("cereal", (Part(meshes.box(x, y, z)),), ANY, ("print",), lies=True)


def _bread(random: Random) -> Asset:
    x, y, z = random.uniform(0.11, 0.16), random.uniform(0.065, 0.08), random.uniform(0.045, 0.06)
    loaf = meshes.ellipsoid(x / 2, y / 2, z * 0.5).moved(z=z * 0.5)
    unit = (loaf.vertices - [0, 0, z / 2]) / np.array([x / 2, y / 2, z / 2])
    swollen = np.sign(unit) * np.abs(unit) ** random.uniform(
        0.45, 0.7
    )  # a ball's sides pushed out into a loaf
    shape = Mesh(swollen * np.array([x / 2, y / 2, z / 2]) + [0, 0, z / 2], loaf.faces)
    scores = [
        meshes.tube([(d - 0.01, -0.3 * y, z), (d, 0, z * 1.01), (d + 0.01, 0.3 * y, z)], 0.003)
        for d in (-0.03, 0, 0.03)
    ]
    return Asset("bread", (Part(shape), Part(meshes.merge(*scores), (0.85, 0.66, 0.4))), ("brown",))


def _lemon(random: Random) -> Asset:
    r = random.uniform(0.024, 0.03)
    profile = [(0, -1.35), (0.14, -1.3), (0.2, -1.15), (0.6, -0.9), (0.92, -0.45), (1, 0)]
    profile += [(r_, -z) for r_, z in reversed(profile[:-1])]
    mesh = meshes.lathe(profile).scaled(r).turned("x", 90)
    return Asset("lemon", (Part(mesh),), ("yellow",))


def _apple(random: Random) -> Asset:
    r = random.uniform(0.034, 0.042)
    profile = [(0, -0.72), (0.25, -0.85), (0.55, -0.8), (0.85, -0.45), (1, 0.1), (0.92, 0.55), (0.6, 0.85)]
    mesh = meshes.lathe([*profile, (0.3, 0.85), (0.1, 0.7), (0, 0.6)]).scaled(r)
    stem = meshes.tube([(0, 0, 0.6 * r), (0.02 * r, 0, 0.9 * r), (0.2 * r, 0, 1.2 * r)], 0.0025)
    return Asset("apple", (Part(mesh), Part(stem, (0.3, 0.2, 0.08))), ("red", "red", "green", "yellow"))


def _banana(random: Random) -> Asset:
    angle = np.linspace(-0.95, 0.95, 13)
    bend = random.uniform(0.075, 0.1)
    path = np.stack([bend * np.sin(angle), bend * (1 - np.cos(angle)), 0 * angle], -1)
    widths = 0.018 * np.array([0.3, 0.35, 0.7, 0.88, 0.96, 1, 1, 1, 0.96, 0.88, 0.7, 0.4, 0.25])
    fruit = meshes.tube(path, widths, 8)
    ends = meshes.merge(
        meshes.ellipsoid(0.006, 0.006, 0.005).moved(*path[0]),
        meshes.ellipsoid(0.005, 0.005, 0.005).moved(*path[-1]),
    )
    return Asset(
        "banana", (Part(fruit), Part(ends, (0.3, 0.22, 0.1))), ("yellow", "yellow", "yellow", "green")
    )


def _carrot(random: Random) -> Asset:
    length, r = random.uniform(0.12, 0.17), random.uniform(0.012, 0.017)
    root = meshes.lathe(
        [(0, 0), (0.25 * r, 0.02 * length), (0.7 * r, 0.45 * length), (r, 0.93 * length), (0, length)]
    )
    leaves = [
        meshes.tube(
            [(0, 0, length), (x, y, length + 0.03), (2 * x, 2 * y, length + 0.055)], [0.003, 0.004, 0.002], 6
        )
        for x, y in ((0.008, 0), (-0.006, 0.006), (-0.004, -0.008), (0, 0))
    ]
    parts = (Part(root.turned("x", 90)), Part(meshes.merge(*leaves).turned("x", 90), (0.15, 0.5, 0.12)))
    return Asset("carrot", parts, ("orange",))


FOOD: dict[str, Builder] = {
    "milk": _milk,
    "cereal": _cereal,
    "bread": _bread,
    "lemon": _lemon,
    "apple": _apple,
    "banana": _banana,
    "carrot": _carrot,
}
