"""Several designs of forks; their tines point along x."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.cutlery_handles import GRIP, METAL, WOOD, flat_handle, grip, rod
from ivm_ros.datasets.tabletop.varied.shapes_tools import Row, lying, steel, strip, trim


def _fork_head(
    random: Random, width: float, palm: float, tines: float, count: int, fill: float, thick: float
) -> Mesh:
    """Return palm and tines from x = 0 on, dipped and turned up again at their points.

    Args:
        random: draws the curve.
        width: of the head, metres.
        palm: length of the palm, metres.
        tines: length of the tines, metres.
        count: how many tines.
        fill: how much of the width the tines take.
        thick: metres.
    """
    dip = random.uniform(0.0, 0.3) * width
    t, total = thick / 2, palm + tines
    shoulder = random.uniform(0.75, 1.0) * width / 2

    def z(x: float) -> float:
        return float(np.interp(x / total, [0, 0.35, 0.65, 1], [dip + t, 0.4 * dip + t, t, 0.35 * dip + t]))

    neck = 0.16 * width
    body = strip(
        [(0, neck, z(0), t), (0.55 * palm, shoulder, z(0.55 * palm), t), (palm, width / 2, z(palm), t)]
    )
    half = fill * width / count / 2
    gaps = np.linspace(-width / 2 + half, width / 2 - half, count)
    xs = (palm - 0.001, palm + 0.35 * tines, palm + 0.7 * tines, total)
    tine = strip([(x, half * share, z(x), t) for x, share in zip(xs, (1, 1, 0.85, 0.5), strict=True)])
    return meshes.merge(body, *(tine.moved(y=float(y)) for y in gaps))


def _neck(head: Mesh) -> float:
    """Return the height of a fork's head where the handle meets it."""
    return float(head.vertices[head.vertices[:, 0] <= 1e-9][:, 2].mean())


def _fork_table(random: Random) -> Asset:
    width, count = random.uniform(0.018, 0.028), int(random.choice([3, 4, 4]))
    head = _fork_head(
        random,
        width,
        width * random.uniform(0.7, 1.5),
        width * random.uniform(1.3, 2.4),
        count,
        random.uniform(0.5, 0.62),
        0.0024,
    )
    neck_z = _neck(head)
    handle = flat_handle(random, random.uniform(0.08, 0.13), random.uniform(0.006, 0.012), neck_z)
    return Asset("fork", lying(Part(meshes.merge(handle, head))), (*METAL, *ANY), ("plain", "metal", "metal"))


def _fork_carving(random: Random) -> Asset:
    width = random.uniform(0.02, 0.036)
    tines = random.uniform(0.05, 0.1)
    head = _fork_head(
        random, width, width * random.uniform(0.6, 1.1), tines, 2, random.uniform(0.28, 0.4), 0.004
    )
    neck_z = _neck(head)
    neck = random.uniform(0.02, 0.06)
    stem = strip([(-neck, 0.004, neck_z + 0.003, 0.003), (0.002, 0.004, neck_z, 0.0025)], 10)
    held = grip(random, random.uniform(0.08, 0.12), random.uniform(0.009, 0.013), neck_z + 0.003)
    iron = Part(meshes.merge(head, stem), steel(random) if random.random() < 0.6 else None)
    return Asset("fork", lying(Part(held.moved(x=-neck)), iron), GRIP)


def _fork_pastry(random: Random) -> Asset:
    width = random.uniform(0.016, 0.023)
    head = _fork_head(
        random, width, width * random.uniform(0.9, 1.6), width * random.uniform(1.1, 1.6), 3, 0.6, 0.002
    )
    neck_z = _neck(head)
    handle = rod(random, random.uniform(0.06, 0.1), random.uniform(0.002, 0.0035), neck_z)
    knob = meshes.ellipsoid(0.008, 0.005, 0.005, 12).moved(x=float(handle.vertices[:, 0].min()), z=0.004)
    pieces = (handle, head, knob) if random.random() < 0.5 else (handle, head)
    return Asset("fork", lying(Part(meshes.merge(*pieces))), METAL, ("plain", "metal", "metal"))


def _fork_picnic(random: Random) -> Asset:
    width, thick = random.uniform(0.022, 0.034), random.uniform(0.002, 0.004)
    tines, count = width * random.uniform(0.9, 1.6), int(random.choice([3, 3, 4]))
    head = _fork_head(
        random, width, width * random.uniform(0.5, 1.0), tines, count, random.uniform(0.5, 0.64), thick
    )
    neck_z = _neck(head)
    length, half = random.uniform(0.07, 0.12), width * random.uniform(0.16, 0.3)
    rows: list[Row] = [
        (-length, half * random.uniform(0.8, 1.5), thick / 2, thick / 2),
        (-0.5 * length, half, 0.6 * neck_z, thick / 2),
        (0.001, 0.16 * width, neck_z, thick / 2),
    ]
    handle = strip(rows, 4, (random.choice([0.0, 1.0]) * half, 0.0))
    return Asset("fork", lying(Part(meshes.merge(handle, head))), WOOD, ("plain", "plain", "wooden"))


def _fork_thick_handle(random: Random) -> Asset:
    width = random.uniform(0.018, 0.026)
    tines, count = width * random.uniform(0.9, 1.8), int(random.choice([3, 4]))
    head = _fork_head(random, width, width * random.uniform(0.5, 1.0), tines, count, 0.58, 0.003)
    neck_z = _neck(head)
    neck = random.uniform(0.004, 0.025)
    stem = strip([(-neck - 0.003, 0.003, neck_z, 0.0018), (0.001, 0.003, neck_z, 0.0015)], 10)
    held = grip(random, random.uniform(0.07, 0.11), random.uniform(0.007, 0.012), neck_z).moved(x=-neck)
    tint = random.choice([0, 1, 2], p=[0.35, 0.5, 0.15])
    iron = Part(meshes.merge(head, stem), (None, steel(random), trim(random))[tint])
    return Asset("fork", lying(Part(held), iron), GRIP)


FORKS: tuple[Builder, ...] = (
    _fork_table,
    _fork_carving,
    _fork_pastry,
    _fork_picnic,
    _fork_thick_handle,
)
