"""Several designs of knives; their blades point along x."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.cutlery_handles import GRIP, METAL, WOOD, grip
from ivm_ros.datasets.tabletop.varied.shapes_tools import Row, beam, dark, lying, steel, strip, trim, wood


def _blade(
    random: Random, length: float, height: float, z: float, drop: float, heel: float = 0.0, teeth: int = 0
) -> Mesh:
    """Return a blade from x = 0 to `length` whose edge is at low y and whose back is at half `height`.

    Args:
        random: draws where it begins to come to a point.
        length: metres.
        height: metres.
        z: of its middle, metres.
        drop: 0 brings the point to the back, 1 to the edge.
        heel: how far the edge stands beyond half `height` at x = 0, metres.
        teeth: of its edge.
    """
    xs = np.linspace(0, 1, max(20, 4 * teeth + 1))
    point = (np.clip(xs - random.uniform(0.3, 0.75), 0, None) / 0.7) ** random.uniform(1.6, 2.6)
    point = point / max(float(point[-1]), 1e-6) * (height - 0.0012)
    low = -height / 2 - heel * (1 - xs) + (1 - drop) * point
    if teeth:
        low = low + 0.0012 * (np.arange(len(xs)) % 4 > 1)
    high = np.maximum(height / 2 - drop * point, low + 0.001)
    t = np.full(len(xs), random.uniform(0.0007, 0.0013))
    return beam(np.stack([xs * length, low, high, z - t, z + t], -1))


def _knife_table(random: Random) -> Asset:
    length, height = random.uniform(0.08, 0.12), random.uniform(0.018, 0.026)
    z = random.uniform(0.003, 0.005)
    rows: list[Row] = [
        (0.0, 0.3 * height, z, 0.0016),
        (0.2 * length, 0.42 * height, z, 0.0012),
        (random.uniform(0.6, 0.85) * length, 0.5 * height, z, 0.001),
        (length, 0.4 * height, z, 0.001),
    ]
    blade = strip(rows, 4, (0.0, random.uniform(0.2, 0.9) * height))
    handle = grip(random, length * random.uniform(0.75, 1.15), random.uniform(0.26, 0.36) * height, z)
    return Asset("knife", lying(Part(meshes.merge(blade, handle))), METAL, ("plain", "metal", "metal"))


def _knife_chef(random: Random) -> Asset:
    length = random.uniform(0.13, 0.2)
    height, z = length * random.uniform(0.15, 0.25), 0.009
    heel = random.uniform(0.0, 0.35) * height
    blade = _blade(random, length, height, z, random.choice([0.0, 0.1, 0.2, 0.9]), heel)
    handle = grip(random, random.uniform(0.09, 0.12), 0.011, z).moved(y=0.2 * height)
    tint = (None, dark(random), wood(random), trim(random))[int(random.choice(4, p=[0.2, 0.4, 0.25, 0.15]))]
    colors, finishes = (
        (("gray",), ("metal", "metal", "plain")) if random.random() < 0.6 else (ANY, ("plain",))
    )
    return Asset("knife", lying(Part(blade), Part(handle, tint)), colors, finishes)


def _knife_paring(random: Random) -> Asset:
    length, radius = random.uniform(0.06, 0.095), random.uniform(0.008, 0.012)
    blade = _blade(random, length, random.uniform(0.014, 0.021), radius, random.choice([0.1, 0.4, 0.8]))
    handle = grip(random, random.uniform(0.085, 0.115), radius, radius).moved(x=0.002)
    tint = steel(random) if random.random() < 0.75 else None
    return Asset("knife", lying(Part(handle), Part(blade, tint)), GRIP, ("plain", "plain", "plain", "wooden"))


def _knife_serrated(random: Random) -> Asset:
    length, height = random.uniform(0.09, 0.125), random.uniform(0.013, 0.018)
    blade = _blade(random, length, height, 0.009, random.uniform(0.4, 1), 0, int(random.integers(14, 26)))
    radius = random.uniform(0.009, 0.012)
    handle = grip(random, random.uniform(0.09, 0.125), radius, 0.009).moved(x=0.002)
    rivets = [
        meshes.lathe([(0, 0), (0.0025, 0), (0.0025, 0.0212), (0, 0.0212)], 10).moved(x=-0.03 * k, z=-0.0012)
        for k in (1, 2)
    ]
    parts = [Part(handle), Part(blade, steel(random))]
    if random.random() < 0.4:
        parts.append(Part(meshes.merge(*rivets), steel(random)))
    return Asset("knife", lying(*parts), GRIP, ("plain", "plain", "wooden"))


def _knife_spreader(random: Random) -> Asset:
    length, height = random.uniform(0.05, 0.085), random.uniform(0.018, 0.03)
    z = random.uniform(0.005, 0.008)
    rows: list[Row] = [
        (-0.003, 0.25 * height, z, 0.003),
        (0.3 * length, 0.45 * height, z, 0.0018),
        (0.8 * length, 0.5 * height, z, 0.0013),
        (length, 0.42 * height, z, 0.001),
    ]
    blade = strip(rows, 4, (0.0, 0.45 * height)).moved(y=random.uniform(-0.15, 0.15) * height)
    handle = grip(random, random.uniform(0.055, 0.095), random.uniform(0.006, 0.01), z)
    tint = steel(random) if random.random() < 0.3 and length < 0.065 else None
    return Asset("knife", lying(Part(handle), Part(blade, tint)), (*WOOD, "white"), ("plain", "wooden"))


def _knife_cleaver(random: Random) -> Asset:
    length, z = random.uniform(0.12, 0.18), 0.01
    height = length * random.uniform(0.38, 0.55)
    rise = random.uniform(0.0, 0.12) * height
    rows = np.linspace(0, length, 9)
    low = -height / 2 + rise * (rows / length) ** 2
    high = height / 2 - random.uniform(0, 0.1) * height * (rows / length)
    t = np.full(9, random.uniform(0.001, 0.0018))
    mesh = beam(np.stack([rows, low, high, z - t, z + t], -1))
    handle = grip(random, random.uniform(0.09, 0.13), 0.0115, z).moved(x=0.003, y=0.3 * height)
    tint = (None, dark(random), wood(random))[int(random.choice(3, p=[0.2, 0.4, 0.4]))]
    return Asset(
        "knife", lying(Part(mesh), Part(handle, tint)), ("gray", "gray", "black"), ("metal", "plain")
    )


KNIVES: tuple[Builder, ...] = (
    _knife_table,
    _knife_chef,
    _knife_paring,
    _knife_serrated,
    _knife_spreader,
    _knife_cleaver,
)
