"""Shapes that several themes of the varied world share: lofts, outlines, cylinders, reshaped meshes; draws.

A design is the same to the last bit, its triangles in the same order, when it is drawn from the same seed,
so that a rendered folder can be made again. This is why there are three lofts and `rounded_at`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Part, Random, Rgb
from ivm_ros.datasets.tabletop.colors import sample_rgb
from ivm_ros.datasets.tabletop.meshes import Mesh, Points

Profile = Sequence[tuple[float, float]]
"""(radius, z) points in metres, from below upwards."""

_Triangles = npt.NDArray[np.int64]


def chance(random: Random, part: float) -> bool:
    """Return True in this part of the cases, 0 to 1."""
    return bool(random.random() < part)


def pick_rgb(random: Random, *names: str) -> Rgb:
    """Draw an RGB in [0, 1] that is called by one of these names of `vocabulary.COLORS`, or by any of all."""
    return sample_rgb(str(random.choice(names or ANY)), random)


def at_height(outline: Points, z: float) -> Points:
    """Return an (N, 2) outline as (N, 3) points at height `z`, metres."""
    return np.column_stack([outline, np.full(len(outline), z)])


def rounded(x: float, y: float, corner: float, steps: int = 4) -> Points:
    """Return a rectangle with round corners as an (N, 2) outline, counter-clockwise.

    Args:
        x: one side, metres.
        y: the other side, metres.
        corner: radius, metres.
        steps: chords of each corner; one is a bevel.
    """
    quarter = np.linspace(0, math.pi / 2, steps + 1)
    return rounded_at(x, y, corner, quarter + np.arange(4)[:, None] * math.pi / 2)


def rounded_at(x: float, y: float, corner: float, angles: Points) -> Points:
    """Return what `rounded` does with (4, K) radians that say where on its corners the points lie."""
    signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    middles = signs * np.array([x / 2 - corner, y / 2 - corner])
    return (middles[:, None] + corner * np.stack([np.cos(angles), np.sin(angles)], -1)).reshape(-1, 2)


def _skin(rows: int, columns: int) -> tuple[_Triangles, _Triangles, _Triangles]:
    """Return the triangles over rings of points, numbered ring by ring, whose two middles follow them.

    Returns:
        (rows - 1, columns, 2, 3) around, (columns, 3) of the first end, (columns, 3) of the last end.
    """
    i, j = np.arange(rows - 1)[:, None] * columns, np.arange(columns)
    following = (j + 1) % columns
    a, b, c, d = i + j, i + following, i + columns + following, i + columns + j
    around = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], axis=2)
    top, last = (rows - 1) * columns, rows * columns + 1
    first_end = np.stack([0 * j + last - 1, following, j], -1)
    return around, first_end, np.stack([0 * j + last, top + j, top + following], -1)


def loft(rings: npt.ArrayLike) -> Mesh:
    """Return a closed body over (K, N, 3) rings, metres, counter-clockwise seen from where they lead to.

    Its triangles go ring by ring, from the first end to the last.
    """
    points = np.asarray(rings, dtype=float)
    around, first, last = _skin(*points.shape[:2])
    faces = np.concatenate([first, around.transpose(0, 2, 1, 3).reshape(-1, 3), last])
    return Mesh(_with_middles(points), faces.astype(np.int32))


def loft_ends_last(rings: npt.ArrayLike) -> Mesh:
    """Return what `loft` does with the triangles of its ends after all others."""
    points = np.asarray(rings, dtype=float)
    around, first, last = _skin(*points.shape[:2])
    faces = np.concatenate([around.transpose(2, 0, 1, 3).reshape(-1, 3), first, last])
    return Mesh(_with_middles(points), faces.astype(np.int32))


def loft_by_column(rings: npt.ArrayLike) -> Mesh:
    """Return what `loft` does with its triangles column by column and the first end's middle as vertex 0."""
    points = np.asarray(rings, dtype=float)
    around, first, last = _skin(*points.shape[:2])
    columns = around.transpose(1, 0, 2, 3).reshape(len(first), -1, 3)
    faces = np.concatenate([first[:, None], columns, last[:, None, [1, 2, 0]]], axis=1).reshape(-1, 3)
    vertices = _with_middles(points)
    order = np.r_[len(vertices) - 2, : len(vertices) - 2, len(vertices) - 1]
    return Mesh(vertices[order], np.argsort(order)[faces].astype(np.int32))


def _with_middles(points: Points) -> Points:
    middles = [points[0].mean(axis=0), points[-1].mean(axis=0)]
    return np.concatenate([points.reshape(-1, 3), middles])


def cylinder(radius: float, height: float, segments: int = 28) -> Mesh:
    """Return a cylinder that stands on z = 0, metres."""
    return meshes.lathe([(0, 0), (radius, 0), (radius, height), (0, height)], segments)


def lobed(mesh: Mesh, count: int, depth: float) -> Mesh:
    """Return a mesh whose distance from the z axis goes up and down `count` times around by a part of it."""
    angle = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0])
    return widened(mesh, 1 + depth * np.cos(count * angle))


def widened(mesh: Mesh, factors: Points) -> Mesh:
    """Return a mesh whose vertices' distances from the z axis are multiplied by (N,) factors."""
    return Mesh(mesh.vertices * np.column_stack([factors, factors, np.ones_like(factors)]), mesh.faces)


def flattened(mesh: Mesh, z: float, left: float = 0.0) -> Mesh:
    """Return the mesh with what hangs below height `z` pressed up to it, which gives a round body a foot.

    Args:
        mesh: any.
        z: metres.
        left: part of its depth below `z` that is kept.
    """
    vertices = mesh.vertices.copy()
    low = vertices[:, 2] < z
    vertices[low, 2] = z + left * (vertices[low, 2] - z)
    return Mesh(vertices, mesh.faces)


def split(mesh: Mesh, chosen: npt.NDArray[np.bool_]) -> tuple[Mesh, Mesh]:
    """Return the mesh without the chosen faces, (M,) bool, and those faces."""
    pieces = []
    for faces in (mesh.faces[~chosen], mesh.faces[chosen]):
        used, renumbered = np.unique(faces, return_inverse=True)
        pieces.append(Mesh(mesh.vertices[used], renumbered.reshape(-1, 3).astype(np.int32)))
    return pieces[0], pieces[1]


def set_down(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return the parts, moved together so that they touch z = 0 and are centred in x and y."""
    parts = tuple(parts)
    points = np.concatenate([part.mesh.vertices for part in parts])
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = -(low[:2] + high[:2]) / 2
    return tuple(replace(part, mesh=part.mesh.moved(x, y, -low[2])) for part in parts)
