"""Several designs of spoons; their bowls point along x."""

from __future__ import annotations

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.varied.cutlery_handles import GRIP, METAL, WOOD, flat_handle, grip, rod
from ivm_ros.datasets.tabletop.varied.shapes_tools import Row, dish, lying, steel, strip, trim


def _spoon_table(random: Random) -> Asset:
    x = random.uniform(0.018, 0.038)
    y = x * random.uniform(0.6, 0.8)
    depth = random.uniform(0.2, 0.4) * y
    bowl = dish(x, y, depth, 0.0014, random.uniform(-0.28, 0.1), random.uniform(1.8, 3)).moved(x=0.96 * x)
    handle = flat_handle(random, x * random.uniform(2.6, 4.4), random.uniform(0.006, 0.012), depth)
    return Asset(
        "spoon", lying(Part(meshes.merge(handle, bowl))), (*METAL, *ANY), ("plain", "metal", "metal")
    )


def _spoon_soup(random: Random) -> Asset:
    x = random.uniform(0.018, 0.031)
    bowl = dish(x, x * random.uniform(0.9, 1.08), x * random.uniform(0.3, 0.6), 0.0016).moved(x=0.97 * x)
    neck_z = float(bowl.vertices[:, 2].max()) - 0.001
    length = x * random.uniform(4.0, 6.5)
    make = rod if random.random() < 0.4 else flat_handle
    handle = make(random, length, x * random.uniform(0.12, 0.3), neck_z)
    return Asset("spoon", lying(Part(meshes.merge(handle, bowl))), (*METAL, *ANY), ("plain", "metal"))


def _spoon_cooking(random: Random) -> Asset:
    x = random.uniform(0.028, 0.042)
    y = x * random.uniform(0.55, 0.85)
    depth = random.uniform(0.012, 0.02)
    bowl = dish(x, y, depth, random.uniform(0.003, 0.007), random.uniform(-0.2, 0.2), 2.5).moved(x=0.97 * x)
    handle = rod(random, random.uniform(0.13, 0.25), random.uniform(0.0045, 0.008), 0.7 * depth)
    return Asset("spoon", lying(Part(meshes.merge(handle, bowl))), WOOD, ("plain", "wooden", "wooden"))


def _spoon_porcelain(random: Random) -> Asset:
    x, depth = random.uniform(0.03, 0.042), random.uniform(0.014, 0.02)
    y = x * random.uniform(0.5, 0.68)
    wall, length = random.uniform(0.002, 0.0035), x * random.uniform(1.5, 2.4)
    bowl = dish(x, y, depth, wall, random.uniform(-0.25, 0.0), random.uniform(3.5, 6)).moved(x=0.9 * x)
    rise = random.uniform(0.1, 0.5) * length
    rows: list[Row] = [
        (-length, y * random.uniform(0.25, 0.4), depth + rise, wall),
        (-0.4 * length, 0.4 * y, depth + 0.3 * rise, 1.2 * wall),
        (0.12 * x, y * random.uniform(0.5, 0.7), depth - 1.5 * wall, 1.3 * wall),
    ]
    handle = strip(rows, 10, (0.3 * y, 0.0))
    colors = ("white", "white", "white", *ANY)
    return Asset("spoon", lying(Part(meshes.merge(handle, bowl))), colors, ("plain", "plain", "striped"))


def _spoon_measuring(random: Random) -> Asset:
    x = random.uniform(0.012, 0.02)
    depth, wall = x * random.uniform(0.6, 0.95), random.uniform(0.0012, 0.0025)
    bowl = dish(x, x, depth, wall, 0.0, random.uniform(2, 4)).moved(x=0.97 * x)
    length, width = random.uniform(0.07, 0.12), random.uniform(0.004, 0.007)
    z = depth - wall
    arm = strip([(-length, width, z, wall), (0.0, width, z, wall)])
    eye = meshes.ring(width, 0.8 * width).scaled((1, 1, 0.5)).moved(x=-length - width, z=z - 0.2 * width)
    return Asset("spoon", lying(Part(meshes.merge(arm, bowl, eye))), (*METAL, *ANY), ("plain", "metal"))


def _spoon_thick_handle(random: Random) -> Asset:
    x = random.uniform(0.016, 0.026)
    y = x * random.uniform(0.62, 0.9)
    depth, neck = random.uniform(0.25, 0.45) * y, random.uniform(0.005, 0.03)
    bowl = dish(x, y, depth, 0.0018, random.uniform(-0.2, 0.1), 2.3).moved(x=0.96 * x + neck)
    stem = strip([(-0.004, 0.003, depth, 0.002), (neck + 0.003, 0.003, depth, 0.0015)], 10)
    handle = grip(random, random.uniform(0.075, 0.11), random.uniform(0.0065, 0.011), depth)
    tint = random.choice([0, 1, 2], p=[0.35, 0.5, 0.15])
    head = Part(meshes.merge(bowl, stem), (None, steel(random), trim(random))[tint])
    return Asset("spoon", lying(Part(handle), head), GRIP)


SPOONS: tuple[Builder, ...] = (
    _spoon_table,
    _spoon_soup,
    _spoon_cooking,
    _spoon_porcelain,
    _spoon_measuring,
    _spoon_thick_handle,
)
