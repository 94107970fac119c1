"""More designs of food: milk in its cartons is drawn here; the other kinds are merged in."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied import shapes
from ivm_ros.datasets.tabletop.varied import shapes_food as food
from ivm_ros.datasets.tabletop.varied.food_banana import BANANA
from ivm_ros.datasets.tabletop.varied.food_bread import BREAD
from ivm_ros.datasets.tabletop.varied.food_carrot import CARROT
from ivm_ros.datasets.tabletop.varied.food_cereal import CEREAL
from ivm_ros.datasets.tabletop.varied.food_fruit import APPLE, LEMON
from ivm_ros.datasets.tabletop.varied.shapes import chance, pick_rgb
from ivm_ros.datasets.tabletop.varied.shapes_food import INKS, front_and_back


def _milk(parts: list[Part]) -> Asset:
    colors = ("white", "white", "white", "blue", "green", "red", "cyan")
    return Asset("milk", tuple(parts), colors, ("print", "plain", "plain", "striped"), lies=True)


def _cap(random: Random, size: float) -> Part:
    """Return a screw cap that stands on z = 0."""
    height = size * random.uniform(0.4, 1.1)
    collar = shapes.cylinder(1.15 * size, 0.25 * height, 20)
    lid = shapes.cylinder(size, height, int(random.choice([10, 16, 24])))
    return Part(meshes.merge(collar, lid), pick_rgb(random, "white", *INKS))


def _milk_label(random: Random, x: float, y: float, h: float) -> list[Part]:
    """Return what is printed on a carton's sides: a band, a badge, a cow's spots or lines, or nothing."""
    sort = str(random.choice(["none", "band", "badge", "spots", "lines", "band and badge"]))
    parts = []
    if "band" in sort:
        tall = h * random.uniform(0.08, 0.28)
        band = meshes.box(x + 0.0008, y + 0.0008, tall).moved(z=random.uniform(0.02, 0.5) * h)
        parts.append(Part(band, pick_rgb(random, *INKS)))
    if "badge" in sort:
        badge = food.oval(x * random.uniform(0.25, 0.42), h * random.uniform(0.1, 0.2), 0.001)
        parts.append(Part(front_and_back(badge.moved(y=0.66 * h), y), pick_rgb(random, "white", *INKS)))
    if sort == "spots":
        spots = [
            food.oval(x * random.uniform(0.1, 0.2), h * random.uniform(0.06, 0.12), 0.0008)
            .turned("z", random.uniform(-12, 12))
            .moved(x * random.uniform(-0.25, 0.25), h * random.uniform(0.15, 0.8))
            for _ in range(int(random.integers(2, 6)))
        ]
        parts.append(
            Part(front_and_back(meshes.merge(*spots), y), pick_rgb(random, "black", "black", "brown"))
        )
    if sort == "lines":
        word = meshes.box(x * random.uniform(0.5, 0.8), h * random.uniform(0.08, 0.18), 0.001)
        small = [
            meshes.box(x * random.uniform(0.3, 0.7), 0.03 * h, 0.001).moved(y=-h * (0.2 + 0.07 * k))
            for k in range(int(random.integers(0, 5)))
        ]
        parts.append(
            Part(front_and_back(meshes.merge(word, *small).moved(y=0.7 * h), y), pick_rgb(random, *INKS))
        )
    return parts


def _gable(x: float, y: float, h: float, roof: float, fin: float) -> Mesh:
    """Return a carton with a roof whose ridge with its fin runs along x."""
    top = meshes.wedge(x, y, roof).moved(z=h)
    return meshes.merge(meshes.box(x, y, h), top, meshes.box(x, 0.0035, fin).moved(z=h + 0.93 * roof))


def _milk_gable(random: Random) -> Asset:
    x, h = random.uniform(0.06, 0.1), random.uniform(0.13, 0.24)
    y = x * random.uniform(0.75, 1.1)
    roof = y * random.uniform(0.3, 0.6)
    parts = [Part(_gable(x, y, h, roof, random.uniform(0.008, 0.025))), *_milk_label(random, x, y, h)]
    if chance(random, 0.75):
        cap = _cap(random, y * random.uniform(0.13, 0.2))
        lean = (0.0, -roof, y / 2)
        parts.append(Part(food.facing(cap.mesh, lean).moved(y=-y / 4, z=h + roof / 2), cap.tint))
    return _milk(parts)


def _milk_school(random: Random) -> Asset:
    side, h = random.uniform(0.05, 0.075), random.uniform(0.045, 0.085)
    roof = side * random.uniform(0.4, 0.62)
    parts = [Part(_gable(side, side, h, roof, random.uniform(0.008, 0.014)))]
    parts += _milk_label(random, side, side, h)
    if chance(random, 0.5):
        foot, lean = np.array([0.15 * side, -side / 4, h + 0.4 * roof]), random.uniform(-0.2, 0.3)
        way = np.array([lean, -0.3, 1]) * random.uniform(0.05, 0.08)
        bend = foot + way + 0.3 * np.array([way[2], 0, 0.3 * way[2]])
        straw = meshes.tube([foot - 0.2 * way, foot + 0.8 * way, foot + way, bend], 0.003, 8)
        parts.append(Part(straw, pick_rgb(random, "white", *INKS)))
    return _milk(parts)


def _milk_slanted(random: Random) -> Asset:
    x, y, h = random.uniform(0.055, 0.08), random.uniform(0.055, 0.095), random.uniform(0.13, 0.23)
    drop = y * random.uniform(0.3, 0.7)
    outline = shapes.rounded(x, y, random.uniform(0.003, 0.012))
    top = shapes.at_height(outline, h)
    top[:, 2] -= drop * (0.5 - outline[:, 1] / y)
    parts = [
        Part(shapes.loft_ends_last([shapes.at_height(outline, 0), top])),
        *_milk_label(random, x, y, h - drop),
    ]
    cap = _cap(random, x * random.uniform(0.18, 0.3))
    parts.append(Part(food.facing(cap.mesh, (0, -drop, y)).moved(z=h - drop / 2), cap.tint))
    return _milk(parts)


def _milk_brick(random: Random) -> Asset:
    x, y, h = random.uniform(0.06, 0.1), random.uniform(0.04, 0.065), random.uniform(0.15, 0.24)
    seam = meshes.box(x, 0.0025, random.uniform(0.004, 0.008)).moved(z=h)
    ear = meshes.wedge(y * 0.9, 0.004, random.uniform(0.2, 0.4) * y).turned("x", 180).turned("z", 90)
    ears = [ear.moved(x=sign * (x / 2 + 0.001), z=h - 0.002) for sign in (-1, 1)]
    parts = [Part(meshes.merge(meshes.box(x, y, h), seam, *ears)), *_milk_label(random, x, y, h)]
    cap = _cap(random, y * random.uniform(0.18, 0.32))
    parts.append(Part(cap.mesh.moved(x=x * random.uniform(0.0, 0.24), y=-0.08 * y, z=h), cap.tint))
    return _milk(parts)


def _milk_prism(random: Random) -> Asset:
    x, h = random.uniform(0.055, 0.085), random.uniform(0.13, 0.22)
    y = x * random.uniform(0.8, 1.0)
    narrow, bevel = shapes.rounded(x, y, 0.008, 1), shapes.rounded(x, y, x * random.uniform(0.2, 0.28), 1)
    top = shapes.at_height(bevel, h)
    top[:, 2] -= random.uniform(0.25, 0.5) * (y / 2 - bevel[:, 1])
    middle = shapes.at_height(bevel, random.uniform(0.3, 0.6) * h)
    body = shapes.loft_ends_last(
        [shapes.at_height(narrow, 0), shapes.at_height(narrow, 0.06 * h), middle, top]
    )
    cap = _cap(random, x * random.uniform(0.15, 0.24))
    spot = float(top[:, 2].mean()) - 0.002
    return _milk(
        [Part(body), *_milk_label(random, 0.55 * x, y, h)[-1:], Part(cap.mesh.moved(z=spot), cap.tint)]
    )


def _beak(reach: float, wide: float, tall: float) -> Mesh:
    """Return the spout of an opened carton, along x from its lowest corner at the origin."""
    corners = np.array(
        [(0, 0, 0), (reach, 0, 0.8 * tall), (-0.3 * reach, wide, tall), (-0.3 * reach, -wide, tall)]
    )
    return Mesh(corners, np.array([(1, 2, 3), (0, 2, 1), (0, 1, 3), (0, 3, 2)], dtype=np.int32))


def _milk_opened(random: Random) -> Asset:
    """A carton whose roof is pulled open into a spout at one end."""
    side, h = random.uniform(0.055, 0.085), random.uniform(0.07, 0.19)
    roof = side * random.uniform(0.35, 0.6)
    reach, wide = side * random.uniform(0.25, 0.45), side * random.uniform(0.2, 0.35)
    beak = _beak(reach, wide, 1.05 * roof).moved(x=side / 2, z=h)
    inside = _beak(0.8 * reach, 0.8 * wide, 1.05 * roof).moved(x=side / 2, z=h + 0.0008)
    parts = [Part(meshes.merge(_gable(side, side, h, roof, 0.012), beak)), Part(inside, (0.62, 0.6, 0.55))]
    return _milk([*parts, *_milk_label(random, side, side, h)])


FOOD: dict[str, tuple[Builder, ...]] = {
    "milk": (_milk_gable, _milk_school, _milk_slanted, _milk_brick, _milk_prism, _milk_opened),
    "cereal": CEREAL,
    "bread": BREAD,
    "lemon": LEMON,
    "apple": APPLE,
    "banana": BANANA,
    "carrot": CARROT,
}
