"""Handles of spoons, forks and knives, and the colours that cutlery has."""

from __future__ import annotations

from ivm_ros.datasets.tabletop.assets import ANY, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes_tools import Row, strip

METAL = ("gray", "gray", "gray", "yellow", "black", "brown", "pink")
"""Steel, gold, blackened, bronze, copper."""
WOOD = ("brown", "brown", "brown", *ANY)
GRIP = ("black", "white", "brown", "red", *ANY)


def flat_handle(random: Random, length: float, width: float, neck_z: float) -> Mesh:
    """Return a stamped handle from x = -length to a narrow neck at x = 0; `width` is that of its end."""
    t = random.uniform(0.001, 0.002)
    waist = random.uniform(0.3, 0.95) * width
    neck = random.uniform(0.22, 0.4) * width
    arch = random.uniform(0.4, 1.4) * neck_z
    rows: list[Row] = [
        (-length, width, 1.5 * t, t),
        (-random.uniform(0.6, 0.8) * length, waist, arch, t),
        (-random.uniform(0.15, 0.4) * length, neck, 1.2 * neck_z, 1.2 * t),
        (0.0, neck, neck_z, t),
    ]
    return strip(rows, int(random.choice([4, 10])), (random.choice([0.0, 0.5, 1.2]) * width, 0.0))


def rod(random: Random, length: float, radius: float, neck_z: float) -> Mesh:
    """Return a round handle from x = -length to x = 0."""
    neck = random.uniform(0.6, 1.0) * radius
    rows: list[Row] = [
        (-length, radius * random.uniform(0.7, 1.4), radius, radius * random.uniform(0.7, 1.0)),
        (-0.4 * length, radius, radius + 0.5 * neck_z, radius),
        (0.0, neck, neck_z, neck),
    ]
    return strip(rows, 12, (radius, 0.0))


def grip(random: Random, length: float, radius: float, z: float) -> Mesh:
    """Return a thick handle from x = -length to x = 0, flat, oval or round, with a belly or a waist."""
    flat = random.uniform(0.5, 1.0)
    belly, end = random.uniform(0.75, 1.15) * radius, random.uniform(0.8, 1.3) * radius
    rows: list[Row] = [
        (-length, end, z, flat * end),
        (-random.uniform(0.35, 0.7) * length, belly, z, flat * belly),
        (0.0, 0.75 * radius, z, 0.75 * flat * radius),
    ]
    tips = (random.uniform(0.3, 1.0) * radius, random.uniform(0.0, 0.5) * radius)
    return strip(rows, int(random.choice([4, 8, 14])), tips)
