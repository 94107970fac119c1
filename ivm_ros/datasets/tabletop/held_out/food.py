"""Food and its packages in other shapes than those of `kinds.food`."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random


def _milk(random: Random) -> Asset:
    """Draw a brick with a slanted top and a screw cap; those of training have a gable."""
    x, y, h = random.uniform(0.065, 0.08), random.uniform(0.045, 0.055), random.uniform(0.15, 0.18)
    body = meshes.box(x, y, h)
    vertices = body.vertices.copy()
    vertices[(vertices[:, 2] > 0) & (vertices[:, 0] > 0), 2] -= 0.025
    cap = meshes.lathe([(0, 0), (0.013, 0), (0.013, 0.014), (0, 0.014)]).turned("y", 20)
    parts = (Part(meshes.Mesh(vertices, body.faces)), Part(cap.moved(x=0.012, z=h - 0.018), (0.1, 0.25, 0.7)))
    colors = ("white", "white", "blue", "green", "red")
    return Asset("milk", parts, colors, ("print", "plain", "striped"), lies=True)


def _cereal(random: Random) -> Asset:
    """Draw a broad, low box with its flap open; those of training are tall and shut."""
    x, y = random.uniform(0.16, 0.19), random.uniform(0.055, 0.07)
    z = x * random.uniform(0.75, 0.95)
    flap = meshes.box(x, 0.9 * y, 0.002).moved(y=0.45 * y).turned("x", random.uniform(25, 70))
    mesh = meshes.merge(meshes.box(x, y, z), flap.moved(y=y / 2, z=z - 0.002))
    return Asset("cereal", (Part(mesh),), ANY, ("print",), lies=True)


def _bread(random: Random) -> Asset:
    """Draw a baguette, or a square loaf with a round top; those of training are round loaves."""
    crust = (0.9, 0.75, 0.5)
    if random.random() < 0.5:
        length, r = random.uniform(0.26, 0.32), random.uniform(0.021, 0.026)
        steps = np.linspace(-1, 1, 15)
        widths = r * np.sqrt(np.clip(1 - np.abs(steps) ** 5, 0.03, 1))
        path = np.stack([length / 2 * steps, 0.006 * (1 - steps**2), 0 * steps + r], -1)
        cuts = [
            meshes.tube(
                [(d - 0.014, -0.5 * r, 1.9 * r), (d, 0, 2.02 * r), (d + 0.014, 0.5 * r, 1.9 * r)], 0.0035
            )
            for d in np.linspace(-0.3, 0.3, 4) * length
        ]
        return Asset("bread", (Part(meshes.tube(path, widths)), Part(meshes.merge(*cuts), crust)), ("brown",))
    x, y, z = random.uniform(0.12, 0.16), random.uniform(0.06, 0.07), random.uniform(0.045, 0.055)
    top = meshes.tube([(-x / 2, 0, 0), (0, 0, 0), (x / 2, 0, 0)], 0.56 * y, 16).scaled((1, 1, 0.62))
    loaf = meshes.merge(meshes.box(x, y, z), top.moved(z=z))
    ends = [meshes.box(0.002, 0.88 * y, z + 0.2 * y).moved(x=s * (x / 2 + 0.0005), z=0.002) for s in (-1, 1)]
    return Asset("bread", (Part(loaf), Part(meshes.merge(*ends), crust)), ("brown",))


def _lemon(random: Random) -> Asset:
    """Draw a longer lemon with one tip, or a rounder one; those of training have two tips alike."""
    r = random.uniform(0.023, 0.028)
    profile = [(0, -0.98), (0.4, -0.92), (0.8, -0.6), (1, -0.05), (0.85, 0.5), (0.45, 0.9), (0.22, 1.05)]
    mesh = meshes.lathe([*profile, (0.13, 1.3), (0, 1.36)])
    stretch = float(random.choice([0.85, 1.3]))
    return Asset("lemon", (Part(mesh.scaled((r, r, r * stretch)).turned("x", 90)),), ("yellow",))


def _apple(random: Random) -> Asset:
    """Draw a tall apple that narrows downwards, with a leaf; those of training are flat and have none."""
    r = random.uniform(0.033, 0.039)
    profile = [(0, -1.0), (0.28, -1.08), (0.52, -1.0), (0.74, -0.5), (0.97, 0.25), (1.0, 0.6), (0.8, 0.98)]
    mesh = meshes.lathe([*profile, (0.4, 1.04), (0.12, 0.9), (0, 0.75)]).scaled(r)
    stem = meshes.tube([(0, 0, 0.75 * r), (0.05 * r, 0, 1.2 * r), (0.1 * r, 0, 1.5 * r)], 0.002)
    leaf = meshes.ellipsoid(0.017, 0.008, 0.0015).turned("y", -20).moved(x=0.02, z=1.38 * r)
    parts = (Part(mesh), Part(stem, (0.3, 0.2, 0.08)), Part(leaf, (0.2, 0.5, 0.12)))
    return Asset("apple", parts, ("red", "red", "green", "yellow"))


def _banana(random: Random) -> Asset:
    """Draw a short, strongly bent banana or a long, nearly straight one; training's lie between."""
    reach, bend = (1.3, 0.052) if random.random() < 0.5 else (0.55, random.uniform(0.17, 0.2))
    angle = np.linspace(-reach, reach, 13)
    path = np.stack([bend * np.sin(angle), bend * (1 - np.cos(angle)), 0 * angle], -1)
    thick = random.uniform(0.0205, 0.023)
    widths = thick * np.array([0.2, 0.25, 0.55, 0.8, 0.92, 0.98, 1, 0.98, 0.92, 0.82, 0.6, 0.35, 0.25])
    ends = meshes.merge(
        meshes.tube([path[0] * 1.14, path[0] * 1.05, path[0] * 0.98], 0.0045, 6),
        meshes.ellipsoid(0.006, 0.006, 0.006).moved(*path[-1]),
    )
    parts = (Part(meshes.tube(path, widths, 6)), Part(ends, (0.35, 0.3, 0.1)))
    return Asset("banana", parts, ("yellow", "yellow", "yellow", "green"))


def _carrot(random: Random) -> Asset:
    """Draw a short, thick carrot with a tuft; those of training are at least seven times as long as thick."""
    length, r = random.uniform(0.075, 0.095), random.uniform(0.019, 0.023)
    root = meshes.lathe([(0, 0), (0.45 * r, 0.05 * length), (0.95 * r, 0.55 * length), (r, 0.85 * length)])
    crown = meshes.lathe([(r, 0.85 * length), (0.6 * r, length), (0, length)])
    leaves = [
        meshes.tube(
            [(0, 0, length), (x, y, length + 0.03), (2.5 * x, 2.5 * y, length + 0.06)],
            [0.003, 0.007, 0.003],
            6,
        )
        for x, y in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01), (0.002, 0.002))
    ]
    fruit = meshes.merge(root, crown).turned("x", 90)
    parts = (Part(fruit), Part(meshes.merge(*leaves).turned("x", 90), (0.1, 0.42, 0.15)))
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
