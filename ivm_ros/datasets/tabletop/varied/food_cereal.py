"""More designs of cereal: tall, single, wide, open and windowed boxes with a picture in front."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied import shapes
from ivm_ros.datasets.tabletop.varied import shapes_food as food
from ivm_ros.datasets.tabletop.varied.shapes import chance, pick_rgb
from ivm_ros.datasets.tabletop.varied.shapes_food import INKS, front_and_back

_PANE = (0.78, 0.66, 0.46)


def _cereal(parts: list[Part]) -> Asset:
    return Asset("cereal", tuple(parts), ANY, ("print", "print", "plain"), lies=True)


def _logo(random: Random, x: float, z: float) -> Mesh:
    """Return a cereal's name on its front, about the origin: an oval, a banner or letters."""
    sort = int(random.integers(3))
    wide, tall = x * random.uniform(0.6, 0.86), z * random.uniform(0.1, 0.2)
    if sort == 0:
        return food.oval(wide / 2, tall / 2, 0.0012).turned("z", random.uniform(-12, 12))
    if sort == 1:
        return food.prism(shapes.rounded(wide, tall, 0.3 * tall), 0.0012).turned("z", random.uniform(-15, 15))
    count = int(random.integers(3, 7))
    pitch = wide / count
    letters = [
        food.prism(shapes.rounded(0.75 * pitch, tall * random.uniform(0.7, 1), 0.2 * pitch), 0.0012)
        for _ in range(count)
    ]
    return meshes.merge(*(mesh.moved((k - (count - 1) / 2) * pitch) for k, mesh in enumerate(letters)))


def _picture(random: Random, x: float, z: float, depth: float) -> list[Part]:
    """Return a bowl with flakes or loops on a front, in x and y, its rim's middle at the origin."""
    r = x * random.uniform(0.26, 0.4)
    angles = np.linspace(math.pi, 2 * math.pi, 13)
    half = np.stack([r * np.cos(angles), min(0.8 * r, 0.3 * z) * np.sin(angles)], -1)
    loops = [
        food.oval(0.16 * r, 0.12 * r, 0.0018, 10)
        .turned("z", random.uniform(0, 180))
        .moved(random.uniform(-0.75, 0.75) * r, random.uniform(0.0, 0.32) * r)
        for _ in range(int(random.integers(6, 13)))
    ]
    milk = food.oval(r, 0.22 * r, 0.0012)
    flakes = Part(
        front_and_back(meshes.merge(*loops), depth), pick_rgb(random, "orange", "brown", "yellow", "red")
    )
    bowl = Part(front_and_back(food.prism(half, 0.0014), depth), pick_rgb(random, "white", *INKS))
    return [bowl, Part(front_and_back(milk, depth), (0.97, 0.97, 0.95)), flakes]


def _lifted(parts: list[Part], z: float) -> list[Part]:
    return [Part(part.mesh.moved(z=z), part.tint) for part in parts]


def _front(random: Random, x: float, y: float, z: float) -> list[Part]:
    """Return logo and picture of a cereal box of these sides, on both its faces."""
    logo = Part(front_and_back(_logo(random, x, z), y), pick_rgb(random, "white", *INKS))
    parts = _lifted([logo], z * random.uniform(0.7, 0.85))
    return parts + _lifted(_picture(random, x, z, y), z * random.uniform(0.3, 0.45))


def _cereal_tall(random: Random) -> Asset:
    x, y, z = random.uniform(0.13, 0.2), random.uniform(0.035, 0.07), random.uniform(0.21, 0.33)
    tab = meshes.box(0.25 * x, 0.7 * y, 0.0015).moved(z=z)
    return _cereal([Part(meshes.merge(meshes.box(x, y, z), tab)), *_front(random, x, y, z)])


def _cereal_single(random: Random) -> Asset:
    x, y, z = random.uniform(0.055, 0.08), random.uniform(0.02, 0.036), random.uniform(0.085, 0.125)
    return _cereal([Part(meshes.box(x, y, z)), *_front(random, x, y, z)])


def _cereal_wide(random: Random) -> Asset:
    x, y = random.uniform(0.18, 0.25), random.uniform(0.05, 0.085)
    z = x * random.uniform(0.85, 1.1)
    side = food.prism(
        shapes.rounded(0.65 * y, 0.4 * z, 0.1 * y), 0.001
    )  # the table of what is in it, on the narrow sides
    facts = front_and_back(side, x).turned("z", 90).moved(z=z / 2)
    parts = [Part(meshes.box(x, y, z)), Part(facts, (0.95, 0.95, 0.93))]
    return _cereal([*parts, *_front(random, x, y, z)])


def _cereal_open(random: Random) -> Asset:
    """A box whose flaps stand open, with the bag that comes out of it."""
    x, y, z = random.uniform(0.1, 0.19), random.uniform(0.035, 0.075), random.uniform(0.17, 0.28)
    flaps = []
    for turn, wide, gap in ((0, x, y), (180, x, y), (90, y, x), (270, y, x)):
        flap = meshes.box(wide, 0.0015, 0.6 * y).turned("x", random.uniform(0, 75))
        flaps.append(flap.moved(y=-gap / 2, z=z).turned("z", turn))
    front = np.stack([np.linspace(-0.42, 0.42, 9) * x, -random.uniform(0.22, 0.4, 9) * y], -1)
    pleats = np.concatenate([front, -front])
    ragged = shapes.at_height(pleats * [0.9, 0.3], z)
    ragged[:, 2] += np.tile(random.uniform(0.45, 0.85, 9), 2) * y
    bag = shapes.loft_ends_last(
        [shapes.at_height(pleats, z - 0.01), shapes.at_height(pleats * [1, 0.9], z + 0.002), ragged]
    )
    parts = [Part(meshes.merge(meshes.box(x, y, z), *flaps)), *_front(random, x, y, z)]
    return _cereal([*parts, Part(bag, (0.9, 0.9, 0.86))] if chance(random, 0.7) else parts)


def _cereal_window(random: Random) -> Asset:
    """A box with a window in front, through which its loops show."""
    x, y, z = random.uniform(0.11, 0.17), random.uniform(0.04, 0.075), random.uniform(0.15, 0.26)
    wide, tall = x * random.uniform(0.45, 0.7), z * random.uniform(0.25, 0.42)
    pane = food.prism(shapes.rounded(wide, tall, min(wide, tall) * random.uniform(0.1, 0.49)), 0.0008)
    loops = [
        meshes.ring(0.05 * x, 0.03 * x)
        .scaled((1, 1, 0.5))
        .moved(random.uniform(-0.38, 0.38) * wide, random.uniform(-0.38, 0.38) * tall)
        .turned("x", 90)
        .moved(y=-y / 2)
        for _ in range(5)
    ]
    tint = pick_rgb(random, "orange", "yellow", "brown", "red", "white")
    window = [Part(front_and_back(pane, y), _PANE), Part(meshes.merge(*loops), tint)]
    logo = Part(front_and_back(_logo(random, x, z), y), pick_rgb(random, "white", *INKS))
    low = z * random.uniform(0.27, 0.4)
    return _cereal([Part(meshes.box(x, y, z)), *_lifted(window, low), *_lifted([logo], 0.8 * z)])


CEREAL: tuple[Builder, ...] = (_cereal_tall, _cereal_single, _cereal_wide, _cereal_open, _cereal_window)
