"""Primitives and helpers of the toys: rounded boxes, hoops, limbs, caps on balls."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import PATTERNED, Rgb
from ivm_ros.datasets.tabletop.meshes import Mesh, Points
from ivm_ros.datasets.tabletop.varied.shapes import at_height, loft_by_column, rounded_at

DARK: Rgb = (0.04, 0.04, 0.05)
SOLID = (*PATTERNED, "plain", "metal", "wooden")
PAINTED = ("plain", "plain", "plain", "wooden")


def blob(size: Sequence[float], at: Sequence[float], segments: int = 16) -> Mesh:
    """Return an ellipsoid of these half axes at a place."""
    return meshes.ellipsoid(size[0], size[1], size[2], segments).moved(*at)


def pair(size: Sequence[float], at: Sequence[float], segments: int = 14) -> Mesh:
    """Return two ellipsoids, the second mirrored in y."""
    x, y, z = at
    return meshes.merge(blob(size, (x, y, z), segments), blob(size, (x, -y, z), segments))


def rectangle(x: float, y: float, radius: float, steps: int) -> Points:
    """Return a rectangle with rounded corners of `steps` chords each as an (N, 2) outline."""
    # `shapes.rounded` has these angles too, but other last bits: the designs stay what they were.
    angles = np.linspace(np.arange(4), np.arange(1, 5), steps + 1, axis=1) * math.pi / 2
    return rounded_at(x, y, radius, angles)


def edge(bevel: float, height: float, steps: int) -> list[tuple[float, float]]:
    """Return (inset, z) of a wall whose lower and upper edges are rounded; one step is a chamfer."""
    angles = np.linspace(0, math.pi / 2, steps + 1)
    lower = [(bevel * (1 - math.sin(a)), bevel * (1 - math.cos(a))) for a in angles]
    return lower + [(inset, height - z) for inset, z in reversed(lower)]


def rounded_box(x: float, y: float, z: float, bevel: float, steps: int = 3) -> Mesh:
    """Return a box on z = 0 with rounded edges, or chamfered ones with one step."""
    layers = []
    for inset, level in edge(bevel, z, steps):
        outline = rectangle(x - 2 * inset, y - 2 * inset, max(bevel - inset, 0.15 * bevel), steps)
        layers.append(at_height(outline, level))
    return loft_by_column(layers)


def tapering(outline: Points, layers: Sequence[tuple[float, float]], lean: float = 0.0) -> Mesh:
    """Stack copies of an (N, 2) outline.

    Args:
        outline: counter-clockwise, metres.
        layers: (factor, z) of each copy, lowest first; factors above zero.
        lean: metres that a copy of factor zero would be moved along x.
    """
    return loft_by_column([at_height(outline * f + [lean * (1 - f), 0.0], z) for f, z in layers])


def drum(radius: float, height: float, bevel: float, steps: int = 2, segments: int = 28) -> Mesh:
    """Return a cylinder on z = 0 with rounded or chamfered edges."""
    wall = [(radius - inset, z) for inset, z in edge(bevel, height, steps)]
    return meshes.lathe([(0, 0), *wall, (0, height)], segments)


def hoop(
    radius: float, half: tuple[float, float], corners: int = 8, segments: int = 28, start: float = -90.0
) -> Mesh:
    """Return a torus about the origin.

    Args:
        radius: to the middle of its section, metres.
        half: the section's half axes across and along z, metres.
        corners: of the section.
        segments: corners around.
        start: degrees of the section's first corner.
    """
    angles = np.radians(start) + np.linspace(0, 2 * math.pi, corners + 1)
    profile = [(radius + half[0] * math.cos(a), half[1] * math.sin(a)) for a in angles[:-1]]
    return meshes.lathe([*profile, profile[0]], segments)


def sleeve(inner: float, outer: float, low: float, high: float, segments: int = 28) -> Mesh:
    """Return a straight tube about the z axis."""
    profile = [(inner, low), (outer, low), (outer, high), (inner, high), (inner, low)]
    return meshes.lathe(profile, segments)


def limb(start: Sequence[float], end: Sequence[float], thick: float, thin: float, segments: int = 12) -> Mesh:
    """Return a stick with round ends, `thick` at its start and `thin` at its end (radii, metres)."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    along = (b - a) / np.linalg.norm(b - a)
    caps = ((0.95, 0.25), (0.7, 0.7), (0.35, 0.93), (0.0, 1.0))
    path = [a - along * thick * out for out, _ in caps] + [
        b + along * thin * out for out, _ in reversed(caps)
    ]
    radii = [thick * size for _, size in caps] + [thin * size for _, size in reversed(caps)]
    return meshes.tube(path, radii, segments)


def cap(radius: float, degrees: float, polar: float, azimuth: float, rise: float = 1.012) -> Mesh:
    """Return a round patch on a ball about the origin: half opening, and where it sits, in degrees."""
    angles = np.radians(np.linspace(degrees, 0, 4))
    shell = [(radius * rise * math.sin(a), radius * rise * math.cos(a)) for a in angles]
    foot = (0.0, 0.99 * radius * math.cos(angles[0]))
    return meshes.lathe([foot, *shell], 14).turned("y", polar).turned("z", azimuth)


def spread(count: int) -> list[tuple[float, float]]:
    """Return (polar, azimuth) in degrees of evenly spread places on a ball."""
    heights = 1 - 2 * (np.arange(count) + 0.5) / count
    return [(math.degrees(math.acos(h)), 137.508 * i) for i, h in enumerate(heights)]


def on_cube_faces(marks: Sequence[Mesh], side: float) -> Mesh:
    """Put six marks that lie on z = 0 on the faces of a cube on z = 0: top, bottom, then the sides."""
    turns = (("x", 0), ("x", 180), ("y", 90), ("y", -90), ("x", 90), ("x", -90))
    placed = [mark.moved(z=side / 2).turned(*turn) for mark, turn in zip(marks, turns, strict=True)]
    return meshes.merge(*placed).moved(z=side / 2)
