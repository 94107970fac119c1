"""Shapes that food is made of: skins over rings, prisms, puffed and lumpy bodies, leaves; posing of parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Part, Random, Rgb
from ivm_ros.datasets.tabletop.colors import sample_rgb
from ivm_ros.datasets.tabletop.meshes import Mesh, Points

CREAM = (0.93, 0.88, 0.7)
BARK = (0.3, 0.21, 0.1)
LEAF = (0.15, 0.5, 0.12)
INKS = ("blue", "blue", "green", "red", "cyan", "purple", "orange", "pink", "yellow", "black")


def skin(rings: npt.ArrayLike) -> Mesh:
    """Return a closed body over (K, N, 3) rings, counter-clockwise seen from where they lead to."""
    points = np.asarray(rings, dtype=float)
    rows, columns = points.shape[:2]
    i, j = (index.ravel() for index in np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij"))
    following = (j + 1) % columns
    a, b = i * columns + j, i * columns + following
    c, d = b + columns, a + columns
    around = np.arange(columns)
    after, top = (around + 1) % columns, (rows - 1) * columns
    first, last = np.full(columns, rows * columns), np.full(columns, rows * columns + 1)
    triangles = [(a, b, c), (a, c, d), (first, after, around), (last, top + around, top + after)]
    faces = np.concatenate([np.stack(triangle, -1) for triangle in triangles])
    centres = points[[0, -1]].mean(axis=1)
    return Mesh(np.concatenate([points.reshape(-1, 3), centres]), faces.astype(np.int32))


def at_height(outline: Points, z: float) -> Points:
    """Return an (N, 2) outline as (N, 3) points at height `z`."""
    return np.column_stack([outline, np.full(len(outline), z)])


def prism(outline: Points, height: float) -> Mesh:
    """Return the body of this height over an (N, 2) outline, counter-clockwise, that stands on z = 0."""
    return skin([at_height(outline, 0.0), at_height(outline, height)])


def dome(outline: Points, depth: float, steps: int = 9) -> Mesh:
    """Return half a fruit: its cut face with this outline on z = 0, its round side `depth` above."""
    angles = np.linspace(0, 0.47 * math.pi, steps)
    return skin([at_height(outline * math.cos(a), depth * math.sin(a)) for a in angles])


def along_x(mesh: Mesh) -> Mesh:
    """Turn z into x, x into y and y into z."""
    return Mesh(mesh.vertices[:, [2, 0, 1]], mesh.faces)


def rounded(x: float, y: float, corner: float, steps: int = 4) -> Points:
    """Return the (N, 2) outline of a rectangle of these sides with round corners; one step is a bevel."""
    points = []
    for quarter, (i, j) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        for a in np.linspace(0, math.pi / 2, steps + 1) + quarter * math.pi / 2:
            centre = (i * (x / 2 - corner), j * (y / 2 - corner))
            points.append((centre[0] + corner * math.cos(a), centre[1] + corner * math.sin(a)))
    return np.array(points)


def disc(x: float, y: float, height: float, segments: int = 24) -> Mesh:
    """Return a flat elliptical disc of these half axes and this height that stands on z = 0."""
    return cylinder(1.0, 1.0, segments).scaled((x, y, height))


def cylinder(radius: float, height: float, segments: int = 20) -> Mesh:
    """Return a cylinder that stands on z = 0."""
    return meshes.lathe([(0, 0), (radius, 0), (radius, height), (0, height)], segments)


def puffed(x: float, y: float, z: float, power: float, segments: int = 22) -> Mesh:
    """Return an ellipsoid of these half axes whose sides are pushed out; a `power` of 1 leaves it."""
    ball = meshes.ellipsoid(1, 1, 1, segments)
    swollen = np.sign(ball.vertices) * np.abs(ball.vertices) ** power
    return Mesh(swollen * np.array([x, y, z]), ball.faces)


def flattened(mesh: Mesh, z: float) -> Mesh:
    """Return the mesh with what hangs below height `z` pressed up to just there."""
    low = mesh.vertices[:, 2] < z
    pressed = np.where(low, z + 0.02 * (mesh.vertices[:, 2] - z), mesh.vertices[:, 2])
    return Mesh(np.column_stack([mesh.vertices[:, :2], pressed]), mesh.faces)


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
    return skin(rings)


def split(mesh: Mesh, chosen: npt.NDArray[np.bool_]) -> tuple[Mesh, Mesh]:
    """Return the mesh without the chosen faces, (M,) bool, and those faces."""
    pieces = []
    for faces in (mesh.faces[~chosen], mesh.faces[chosen]):
        used, renumbered = np.unique(faces, return_inverse=True)
        pieces.append(Mesh(mesh.vertices[used], renumbered.reshape(-1, 3).astype(np.int32)))
    return pieces[0], pieces[1]


def facing(mesh: Mesh, direction: Sequence[float]) -> Mesh:
    """Return the mesh turned about the origin so that its z axis points along `direction`."""
    x, y, z = (float(value) for value in direction)
    lean = math.degrees(math.atan2(math.hypot(x, y), z))
    return mesh.turned("y", lean).turned("z", math.degrees(math.atan2(y, x)))


def on_faces(mesh: Mesh, y: float) -> Mesh:
    """Return a flat picture, drawn in x and y and standing on z = 0, on both faces of a body `y` thick."""
    front = mesh.turned("x", 90).moved(y=-y / 2)
    return meshes.merge(front, front.turned("z", 180))


def posed(parts: Sequence[Part], *turns: tuple[str, float]) -> tuple[Part, ...]:
    """Return the parts after turns (axis, degrees) in this order, on z = 0 and over the origin."""
    moved = list(parts)
    for axis, degrees in turns:
        moved = [replace(part, mesh=part.mesh.turned(axis, degrees)) for part in moved]
    points = np.concatenate([part.mesh.vertices for part in moved])
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = -(low + high)[:2] / 2
    return tuple(replace(part, mesh=part.mesh.moved(x, y, -low[2])) for part in moved)


def ink(random: Random, *names: str) -> Rgb:
    """Return an RGB that is called by one of these names."""
    return sample_rgb(str(random.choice(names)), random)


def chance(random: Random, part: float) -> bool:
    """Return True in this part of the cases."""
    return bool(random.random() < part)
