"""Shapes that food is made of: prisms, puffed and lumpy bodies, leaves, pictures on packages; posing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh, Points
from ivm_ros.datasets.tabletop.varied.shapes import at_height, cylinder, loft_ends_last, set_down

CREAM = (0.93, 0.88, 0.7)
BARK = (0.3, 0.21, 0.1)
LEAF = (0.15, 0.5, 0.12)
INKS = ("blue", "blue", "green", "red", "cyan", "purple", "orange", "pink", "yellow", "black")


def prism(outline: Points, height: float) -> Mesh:
    """Return the body of this height over an (N, 2) outline, counter-clockwise, that stands on z = 0."""
    return loft_ends_last([at_height(outline, 0.0), at_height(outline, height)])


def dome(outline: Points, depth: float, steps: int = 9) -> Mesh:
    """Return half a fruit: its cut face with this outline on z = 0, its round side `depth` above."""
    angles = np.linspace(0, 0.47 * math.pi, steps)
    return loft_ends_last([at_height(outline * math.cos(a), depth * math.sin(a)) for a in angles])


def axes_passed_on(mesh: Mesh) -> Mesh:
    """Return the mesh with z turned into x, x into y and y into z."""
    return Mesh(mesh.vertices[:, [2, 0, 1]], mesh.faces)


def oval(x: float, y: float, height: float, segments: int = 24) -> Mesh:
    """Return a flat elliptical disc of these half axes and this height that stands on z = 0."""
    return cylinder(1.0, 1.0, segments).scaled((x, y, height))


def puffed(x: float, y: float, z: float, power: float, segments: int = 22) -> Mesh:
    """Return an ellipsoid of these half axes whose sides are pushed out; a `power` of 1 leaves it."""
    ball = meshes.ellipsoid(1, 1, 1, segments)
    swollen = np.sign(ball.vertices) * np.abs(ball.vertices) ** power
    return Mesh(swollen * np.array([x, y, z]), ball.faces)


def lumpy(mesh: Mesh, random: Random, amount: float, waves: float = 2.5) -> Mesh:
    """Return the mesh with soft bumps of this part of its size, about the origin."""
    unit = mesh.vertices / np.abs(mesh.vertices).max()
    height = np.zeros(len(unit))
    for _ in range(4):
        height += np.sin(unit @ random.normal(0, waves, 3) + random.uniform(0, 2 * math.pi))
    return Mesh(mesh.vertices * (1 + amount * height[:, None] / 2), mesh.faces)


def blade(length: float, width: float, droop: float, thickness: float = 0.0012) -> Mesh:
    """Return a leaf from the origin along x, pointed, that sinks by `droop` at its end, metres."""
    t = np.linspace(0.02, 0.98, 9)
    half = width / 2 * np.sin(math.pi * t**0.8)
    corner = np.array([(0, 1), (-1, 0.2), (0, -1), (1, 0.2)])
    rings = [
        np.column_stack([np.full(4, s * length), w * corner[:, 0], thickness * corner[:, 1] - droop * s * s])
        for s, w in zip(t, half, strict=True)
    ]
    return loft_ends_last(rings)


def facing(mesh: Mesh, direction: Sequence[float]) -> Mesh:
    """Return the mesh turned about the origin so that its z axis points along `direction`."""
    x, y, z = (float(value) for value in direction)
    lean = math.degrees(math.atan2(math.hypot(x, y), z))
    return mesh.turned("y", lean).turned("z", math.degrees(math.atan2(y, x)))


def front_and_back(mesh: Mesh, y: float) -> Mesh:
    """Return a flat picture, drawn in x and y and standing on z = 0, on both faces of a body `y` thick."""
    front = mesh.turned("x", 90).moved(y=-y / 2)
    return meshes.merge(front, front.turned("z", 180))


def posed(parts: Sequence[Part], *turns: tuple[str, float]) -> tuple[Part, ...]:
    """Return the parts after turns (axis, degrees) in this order, on z = 0 and over the origin."""
    moved = list(parts)
    for axis, degrees in turns:
        moved = [replace(part, mesh=part.mesh.turned(axis, degrees)) for part in moved]
    return set_down(moved)
