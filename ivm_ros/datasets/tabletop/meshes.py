"""Triangle meshes made in numpy: surfaces of revolution, tubes, boxes, ellipsoids."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh; faces are counter-clockwise seen from outside.

    Attributes:
        vertices: (N, 3) float64 metres, z up.
        faces: (M, 3) int32 rows of `vertices`.
        texture: (N, 2) float64 texture coordinates, or None.
    """

    vertices: Points
    faces: npt.NDArray[np.int32]
    texture: Points | None = None

    def scaled(self, factor: float | Sequence[float]) -> Mesh:
        """Return the mesh with its vertices multiplied by one positive factor, or by one for each axis."""
        return Mesh(self.vertices * np.asarray(factor), self.faces, self.texture)

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        """Return the mesh moved by metres."""
        return Mesh(self.vertices + np.array([x, y, z]), self.faces, self.texture)

    def turned(self, axis: str, degrees: float) -> Mesh:
        """Return the mesh turned about the origin's "x", "y" or "z" axis."""
        return Mesh(self.vertices @ rotation(axis, degrees).T, self.faces, self.texture)


def rotation(axis: str, degrees: float) -> Points:
    """Return the (3, 3) matrix of a turn about the "x", "y" or "z" axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def merge(*meshes: Mesh) -> Mesh:
    """Return one mesh of several; texture coordinates are dropped."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces).astype(np.int32))


def _grid_faces(rows: int, columns: int) -> npt.NDArray[np.int32]:
    """Return the triangles of a grid of points whose columns wrap around."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    following = (j + 1) % columns
    a, b = i * columns + j, i * columns + following
    c, d = (i + 1) * columns + following, (i + 1) * columns + j
    return np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3).astype(np.int32)


def _without_slivers(vertices: Points, faces: npt.NDArray[np.int32]) -> Mesh:
    """Drop triangles without area (at poles) and the vertices that nothing uses any more."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    faces = faces[area > 1e-10]
    used, renumbered = np.unique(faces, return_inverse=True)
    return Mesh(vertices[used], renumbered.reshape(-1, 3).astype(np.int32))


def lathe(profile: Sequence[tuple[float, float]], segments: int = 28) -> Mesh:
    """Turn a profile about the z axis.

    Args:
        profile: (radius, z) points in metres, from the bottom's centre along the outside upwards; a hollow
            body's goes on over the rim and down the inside.
        segments: corners around; 4 makes a pyramid of a cone, 6 a hexagonal nut of a ring.
    """
    angles = np.linspace(0, 2 * math.pi, segments, endpoint=False) + math.pi / segments
    r, z = np.array(profile).T
    x, y = np.outer(r, np.cos(angles)), np.outer(r, np.sin(angles))
    vertices = np.stack([x, y, np.repeat(z[:, None], segments, axis=1)], -1).reshape(-1, 3)
    return _without_slivers(vertices, _grid_faces(len(r), segments))


def vessel(outside: Sequence[tuple[float, float]], wall: float, floor: float, segments: int = 28) -> Mesh:
    """Turn a hollow body.

    Args:
        outside: (radius, z) of the outer wall from the foot (z = 0) to the rim, metres.
        wall: thickness of the wall, metres.
        floor: thickness of the floor, metres.
        segments: corners around.
    """
    inside = [(max(r - wall, 0.0), max(z, floor)) for r, z in reversed(outside)]
    return lathe([(0.0, 0.0), *outside, *inside, (0.0, floor)], segments)


def tube(path: npt.ArrayLike, radii: npt.ArrayLike, segments: int = 12) -> Mesh:
    """Sweep a circle along a path.

    Args:
        path: (K, 3) metres.
        radii: (K,) or one for all, metres; the ends are closed.
        segments: corners around.
    """
    points = np.asarray(path, dtype=float)
    widths = np.broadcast_to(np.asarray(radii, dtype=float), (len(points),))
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    normal = np.eye(3)[np.argmin(np.abs(tangents[0]))]
    angles = np.linspace(0, 2 * math.pi, segments, endpoint=False)
    rings = [np.repeat(points[:1], segments, axis=0)]
    for point, tangent, width in zip(points, tangents, widths, strict=True):
        normal = normal - tangent * (normal @ tangent)
        normal /= np.linalg.norm(normal)
        binormal = np.cross(tangent, normal)
        rings.append(point + width * (np.outer(np.cos(angles), normal) + np.outer(np.sin(angles), binormal)))
    rings.append(np.repeat(points[-1:], segments, axis=0))
    return _without_slivers(np.concatenate(rings), _grid_faces(len(rings), segments))


def ring(radius: float, thickness: float) -> Mesh:
    """Return a torus that lies on z = 0; `radius` goes to the middle of its tube of `thickness`, metres."""
    angles = np.linspace(0, 2 * math.pi, 15)[:-1] - math.pi / 2
    half = thickness / 2
    profile = [(radius + half * math.cos(a), half + half * math.sin(a)) for a in angles]
    return lathe([*profile, profile[0]], segments=32)


def box(x: float, y: float, z: float) -> Mesh:
    """Return a box of these sides in metres that stands on z = 0, centred in x and y."""
    corners = np.array([[i, j, k] for k in (0, 1) for j in (-0.5, 0.5) for i in (-0.5, 0.5)])
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (3, 2, 6, 7), (1, 3, 7, 5), (2, 0, 4, 6)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return Mesh(corners * np.array([x, y, z]), np.array(faces, dtype=np.int32))


def wedge(x: float, y: float, z: float) -> Mesh:
    """Return a roof of these sides in metres on z = 0, its ridge along x."""
    flat = box(x, y, z)
    narrow = np.where(flat.vertices[:, 2:] > 0, [[1.0, 0.02, 1.0]], 1.0)
    return Mesh(flat.vertices * narrow, flat.faces)


def ellipsoid(x: float, y: float, z: float, segments: int = 22) -> Mesh:
    """Return an ellipsoid of these half axes in metres about the origin."""
    angles = np.linspace(-math.pi / 2, math.pi / 2, segments // 2 + 2)
    return lathe([(math.cos(a), math.sin(a)) for a in angles], segments).scaled((x, y, z))


def read_obj(path: Path) -> Mesh:
    """Read the triangles and texture coordinates of a Wavefront OBJ file.

    A vertex is written once for each texture coordinate that it is used with. Polygons are cut into fans.
    """
    positions: list[list[float]] = []
    coordinates: list[list[float]] = []
    corners: dict[tuple[int, int], int] = {}
    faces: list[tuple[int, int, int]] = []
    for line in path.read_text().splitlines():
        head, *values = line.split() or [""]
        if head == "v":
            positions.append([float(value) for value in values[:3]])
        elif head == "vt":
            coordinates.append([float(value) for value in values[:2]])
        elif head == "f":
            keys = [tuple(int(part or 0) for part in (value + "/0").split("/")[:2]) for value in values]
            polygon = [corners.setdefault((key[0], key[1]), len(corners)) for key in keys]
            faces.extend((polygon[0], b, c) for b, c in itertools.pairwise(polygon[1:]))
    vertices = np.array([positions[position - 1] for position, _ in corners])
    texture = np.array([coordinates[t - 1] for _, t in corners]) if coordinates else None
    return Mesh(vertices, np.array(faces, dtype=np.int32), texture)
