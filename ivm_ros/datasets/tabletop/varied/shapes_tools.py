"""Shapes of the varied tools: beams along x, dishes, faceted and fluted grips, slabs; and their tints."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Part, Random, Rgb
from ivm_ros.datasets.tabletop.colors import sample_rgb
from ivm_ros.datasets.tabletop.meshes import Mesh, Points
from ivm_ros.datasets.tabletop.varied.shapes import Profile, pick_rgb, set_down

Row = tuple[float, float, float, float]
"""A station of a strip: x, half width in y, height of the middle, half thickness in z; metres."""

HANDLE = ("red", "yellow", "black", "orange", "blue", "green", *ANY)
TIMBER = ("brown", "brown", "brown", "yellow", "red", "black", "blue", "orange")
"""Colours of the handles of tools: of plastic, and of wood."""

LEAD = 0.57
"""The part of an object's surface that its own paint has at least."""

EASING = np.array([0.0, 0.25, 0.5, 0.75])
TIP = np.radians([25, 48, 68, 84])


def beam(stations: Points, corners: int = 4) -> Mesh:
    """Return a solid along x whose cross-sections are rectangles, or ellipses of more than 4 corners.

    Args:
        stations: (K, 5) rows of x, low and high y, low and high z in metres; x ascends.
        corners: of a cross-section.
    """
    angles = np.arange(corners) * 2 * math.pi / corners - math.pi * (0.75 if corners == 4 else 0.5)
    reach = math.sqrt(2) if corners == 4 else 1.0
    x, y0, y1, z0, z1 = np.asarray(stations, dtype=float).T[:, :, None]
    y = (y0 + y1) / 2 + (y1 - y0) / 2 * reach * np.cos(angles)
    z = (z0 + z1) / 2 + (z1 - z0) / 2 * reach * np.sin(angles)
    vertices = np.stack([np.broadcast_to(x, y.shape), y, z], -1).reshape(-1, 3)
    i, j = (index.ravel() for index in np.indices((len(x) - 1, corners)))
    a, b = i * corners + j, i * corners + (j + 1) % corners
    fan = np.stack([np.zeros(corners - 2), np.arange(1, corners - 1), np.arange(2, corners)], -1)
    sides = [np.stack([a, b, b + corners], -1), np.stack([a, b + corners, a + corners], -1)]
    faces = np.concatenate([*sides, fan[:, ::-1], fan + len(vertices) - corners])
    return Mesh(vertices, faces.astype(np.int32))


def strip(rows: Sequence[Row], corners: int = 4, tips: tuple[float, float] = (0.0, 0.0)) -> Mesh:
    """Return a bar along x through stations, smooth between them.

    Args:
        rows: stations, x ascending.
        corners: of a cross-section: 4 for a flat bar, more for a round one.
        tips: how far a rounded end reaches beyond the first and the last station, metres; 0 cuts it off.
    """
    table = np.array(rows, dtype=float)
    eased = (1 - np.cos(math.pi * EASING)) / 2
    weights = np.stack([EASING, eased, eased, eased], -1)
    pieces = [a + weights * (b - a) for a, b in itertools.pairwise(table)]
    table = np.concatenate([*pieces, table[-1:]])
    if tips[0] > 0:
        table = np.concatenate([_tip(table[0], -tips[0], corners)[::-1], table])
    if tips[1] > 0:
        table = np.concatenate([table, _tip(table[-1], tips[1], corners)])
    x, w, z, t = table.T
    return beam(np.stack([x, -w, w, z - t, z + t], -1), corners)


def _tip(row: Points, reach: float, corners: int) -> Points:
    """Return the stations of a rounded end beyond a station."""
    shrunk = np.repeat(row[None], len(TIP), axis=0)
    shrunk[:, 0] += reach * np.sin(TIP)
    shrunk[:, 1] *= np.cos(TIP)
    if corners > 4:
        shrunk[:, 3] *= np.cos(TIP)
    return shrunk


def dish(x: float, y: float, depth: float, wall: float, egg: float = 0.0, power: float = 2.0) -> Mesh:
    """Return an oval hollow that stands on z = 0, centred in x and y.

    Args:
        x: half its length, metres.
        y: half its width, metres.
        depth: height of the rim, metres.
        wall: thickness, metres.
        egg: how much wider its end at positive x is than its middle, as a fraction.
        power: 2 for a round bottom, more for a flat one.
    """
    steps = np.linspace(0, 1, 8)
    outside = [(float(r), depth * float(r) ** power) for r in steps]
    inside = [(float(r) * (1 - wall / y), wall + (depth - wall) * float(r) ** power) for r in reversed(steps)]
    mesh = meshes.lathe([*outside, *inside], 30).scaled((x, y, 1))
    mesh.vertices[:, 1] *= 1 + egg * mesh.vertices[:, 0] / x
    return mesh


def faceted(profile: Profile, corner_radius: float, sides: int) -> Mesh:
    """Turn a profile about z and cut the outside to a prism of this radius to its corners, metres."""
    segments = sides * max(2, 48 // sides)
    mesh = meshes.lathe(profile, segments)
    x, y = mesh.vertices[:, 0], mesh.vertices[:, 1]
    sector = 2 * math.pi / sides
    angle = np.mod(np.arctan2(y, x) - math.pi / segments + 1e-9, sector) - sector / 2
    limit = corner_radius * math.cos(sector / 2) / np.cos(angle)
    mesh.vertices[:, :2] *= np.minimum(1, limit / np.maximum(np.hypot(x, y), 1e-9))[:, None]
    return mesh


def fluted(profile: Profile, count: int, depth: float) -> Mesh:
    """Turn a profile about z with `count` grooves, `depth` of the radius deep."""
    mesh = meshes.lathe(profile, 48)
    angle = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0])
    mesh.vertices[:, :2] *= (1 - depth * (0.5 + 0.5 * np.cos(count * angle)))[:, None]
    return mesh


def along_x(mesh: Mesh) -> Mesh:
    """Lay a mesh down so that its z axis becomes x."""
    return mesh.turned("y", 90)


def along_y(mesh: Mesh) -> Mesh:
    """Lay a mesh down so that its z axis becomes y."""
    return mesh.turned("x", -90)


def slab(x: float, y: float, z: float, corner: float = 0.0) -> Mesh:
    """Return a box on z = 0, centred in x and y, whose upright edges are rounded by a radius; metres."""
    if corner <= 0:
        return meshes.box(x, y, z)
    angles = np.radians([0, 22, 45, 68, 90])
    ends, half = -x / 2 + corner * (1 - np.cos(angles)), y / 2 - corner * (1 - np.sin(angles))
    ends, half = np.r_[ends, -ends[::-1]], np.r_[half, half[::-1]]
    flat = np.zeros(len(ends))
    return beam(np.stack([ends, -half, half, flat, flat + z], -1))


def _area(part: Part) -> float:
    a, b, c = (part.mesh.vertices[part.mesh.faces[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())


def led(*parts: Part) -> tuple[Part, ...]:
    """Return the parts, the largest tinted ones painted like the object until its paint covers most of it."""
    areas, painted = [_area(part) for part in parts], [part.tint is None for part in parts]
    while sum(area for area, own in zip(areas, painted, strict=True) if own) < LEAD * sum(areas):
        painted[max((i for i, own in enumerate(painted) if not own), key=areas.__getitem__)] = True
    return tuple(replace(part, tint=None) if own else part for part, own in zip(parts, painted, strict=True))


def lying(*parts: Part) -> tuple[Part, ...]:
    """Return the parts, `led`, moved together so that they touch z = 0 and are centred in x and y."""
    return set_down(led(*parts))


def rolled(degrees: float, *parts: Part) -> tuple[Part, ...]:
    """Return the parts turned about the x axis."""
    return tuple(replace(part, mesh=part.mesh.turned("x", degrees)) for part in parts)


def steel(random: Random) -> Rgb:
    """Draw the gray of a bare metal."""
    level = random.uniform(0.5, 0.8)
    return (level, level, level + random.uniform(0, 0.03))


def wood(random: Random) -> Rgb:
    """Draw the brown of bare wood."""
    level = random.uniform(0.45, 0.85)
    return (level, level * random.uniform(0.68, 0.82), level * random.uniform(0.4, 0.6))


def dark(random: Random) -> Rgb:
    """Draw the near black of rubber."""
    level = random.uniform(0.04, 0.2)
    return (level, level, level)


def trim(random: Random) -> Rgb:
    """Draw a colour for a small second part: dark, white, steel or any other."""
    pick = random.random()
    if pick < 0.35:
        return dark(random)
    if pick < 0.55:
        return steel(random)
    return sample_rgb("white", random) if pick < 0.7 else pick_rgb(random)
