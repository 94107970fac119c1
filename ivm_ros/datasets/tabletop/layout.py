"""What a scene is made of: which objects in which paint stand where, and what surrounds them.

Everything here is numpy; the renderer turns it into pictures. Table top is z = 0, metres, z up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ivm_ros.datasets.tabletop.assets import Random
from ivm_ros.datasets.tabletop.colors import sample_rgb
from ivm_ros.datasets.tabletop.meshes import rotation
from ivm_ros.datasets.tabletop.pool import Item, Pool
from ivm_ros.datasets.tabletop.surroundings import (
    Camera,
    Light,
    Paint,
    Rgb,
    Vector,
    draw_camera,
)
from ivm_ros.language.vocabulary import COLORS

PLAIN_SCENES = 0.3
"""Part of the scenes with one clean table, simple light and few objects, as simulators often show."""

COMMON = ("cup", "mug", "bowl", "plate", "bottle", "can", "box", "cube", "ball", "cylinder", "duck", "lego")
"""Kinds that scenes show 2.5 times as often as others, as people's tables do."""

ATTEMPTS = 25
GAP = 0.004


@dataclass(frozen=True, eq=False)
class Placement:
    """One object of a scene.

    Attributes:
        item: its number in the pool.
        position: (3,) of its origin, metres.
        turn: (3, 3) rotation matrix.
        paint: its looks.
        color: a name of `vocabulary.COLORS` or None.
        material: a name of `vocabulary.MATERIALS` or None.
        on: number in the scene's placements of what it stands on, None for the table.
    """

    item: int
    position: Vector
    turn: Vector
    paint: Paint
    color: str | None
    material: str | None
    on: int | None = None


@dataclass(frozen=True, eq=False)
class Layout:
    """All of a scene.

    Attributes:
        placements: its objects.
        room: paints of `pool.ROOM`.
        table: half side of the table, metres.
        lights: at most `pool.LIGHTS`.
        ambient: RGB of the light without direction.
        headlight: RGB of the light that comes from the camera.
        cameras: of its views.
    """

    placements: tuple[Placement, ...]
    room: tuple[Paint, ...]
    table: tuple[float, float]
    lights: tuple[Light, ...]
    ambient: Rgb
    headlight: Rgb
    cameras: tuple[Camera, ...]


def draw_layout(pool: Pool, random: Random, views: int) -> Layout:
    """Draw a scene from a pool; the same generator state gives the same scene."""
    plain = bool(random.random() < PLAIN_SCENES)
    count = int(random.integers(2, 7)) if plain else int(random.integers(3, 15))
    placements = _draw_objects(pool, random, count)
    room, table = pool.world.room(pool, random, plain)
    lights, ambient, headlight = pool.world.lights(random, plain)
    reach = max([0.12, *(float(np.hypot(*p.position[:2])) + 0.05 for p in placements)])
    cameras = tuple(draw_camera(random, reach) for _ in range(views))
    return Layout(placements, room, table, lights, ambient, headlight, cameras)


def _draw_objects(pool: Pool, random: Random, count: int) -> tuple[Placement, ...]:
    """Place objects of few kinds and colours, so that most have a twin in all but one respect."""
    kinds = sorted({item.asset.kind for item in pool.items})
    weights = np.array([2.5 if kind in COMMON else 1.0 for kind in kinds])
    kinds = list(random.choice(kinds, int(random.integers(3, 8)), replace=False, p=weights / weights.sum()))
    colors = list(random.choice(list(COLORS), int(random.integers(3, 7)), replace=False))
    spread = 0.08 + 0.03 * count * random.uniform(0.35, 1.1)
    tabletop = _Tabletop(pool.items, spread)
    free = [number for number, item in enumerate(pool.items) if item.asset.kind in kinds]
    for _ in range(count):
        kind = random.choice(kinds)
        choices = [number for number in free if pool.items[number].asset.kind == kind]
        if not choices:
            continue
        number = int(random.choice(choices))
        paint, color, material = _draw_paint(pool, pool.items[number], colors, random)
        if tabletop.place(number, paint, color, material, random):
            free.remove(number)
    return tuple(tabletop.placements)


def _draw_paint(
    pool: Pool, item: Item, colors: Sequence[str], random: Random
) -> tuple[Paint, str | None, str | None]:
    """Return the looks of an object, its nameable colour and its nameable material."""
    asset = item.asset
    wanted = [color for color in asset.colors if color in colors] or list(asset.colors)
    color = str(random.choice(wanted))
    finish = str(random.choice(asset.finishes))
    specular, shininess = random.choice([0.05, 0.3, 0.6]), random.uniform(0.1, 0.8)
    if finish == "picture" and asset.picture in pool.pictures:
        return Paint((1, 1, 1), pool.pictures[asset.picture], 1.0, specular, shininess), None, None
    if finish == "metal":
        color = "gray" if color not in asset.colors or random.random() < 0.7 else color
        rgb = (0.72, 0.73, 0.76) if color == "gray" else sample_rgb(color, random)
        return (
            Paint(rgb, int(random.choice([f.texture for f in pool.finishes["metal"]])), 1.0, 1.0, 0.9),
            color,
            "metal",
        )
    if finish in ("plain", "picture"):
        return Paint(sample_rgb(color, random), None, 1.0, specular, shininess), color, None
    if finish == "wooden":
        color = "brown"
    fitting = [f for f in pool.finishes[finish] if finish in ("print", "wooden") or f.color in (None, color)]
    chosen = fitting[int(random.integers(len(fitting)))]
    rgb = sample_rgb(color, random) if chosen.color is None else (1.0, 1.0, 1.0)
    paint = Paint(rgb, chosen.texture, 1.0, specular, shininess)
    return paint, None if finish == "print" else color, None if finish == "print" else finish


class _Tabletop:
    """Finds free places for objects, on the table or on one another."""

    def __init__(self, items: Sequence[Item], spread: float) -> None:
        self.items = items
        self.spread = spread
        self.placements: list[Placement] = []
        self.footprints: list[Vector] = []
        self.occupied: set[int] = set()

    def place(
        self, number: int, paint: Paint, color: str | None, material: str | None, random: Random
    ) -> bool:
        """Place an object of the pool; return False if no free place was found."""
        item = self.items[number]
        for _ in range(ATTEMPTS):
            turn = rotation("z", random.uniform(0, 360)) @ _pose(item, random)
            on, spot = self._spot(item.points @ turn.T, random)
            position = standing(item, turn, spot)
            taken = footprint(item, turn, position)
            if on is None and any(overlap(taken, other) for other in self.footprints):
                continue
            self.placements.append(Placement(number, position, turn, paint, color, material, on))
            if on is None:
                self.footprints.append(taken)
            else:
                self.occupied.add(on)
            return True
        return False

    def _spot(self, points: Vector, random: Random) -> tuple[int | None, Vector]:
        """Return what to stand on and where: a free support that is large enough, or the table."""
        radius = float(np.hypot(points[:, 0], points[:, 1]).max())
        if random.random() < 0.3:
            for index, placed in enumerate(self.placements):
                support = self.items[placed.item].asset.support
                if support and index not in self.occupied and placed.on is None and radius < support.radius:
                    slack = 0.7 * (support.radius - radius)
                    shift = np.array([*random.uniform(-slack, slack, 2), support.z])
                    return index, placed.position + placed.turn @ shift
        angle, distance = random.uniform(0, 2 * math.pi), self.spread * math.sqrt(random.random())
        return None, np.array([distance * math.cos(angle), distance * math.sin(angle), 0.0])


def standing(item: Item, turn: Vector, spot: Vector) -> Vector:
    """Return the (3,) position at which the lowest vertex of a turned object is at the height of `spot`."""
    lowest = (item.points @ turn.T)[:, 2].min()
    return np.array([spot[0], spot[1], spot[2] - lowest])


def _pose(item: Item, random: Random) -> Vector:
    """Return a rotation that stands the object up or lays it on its side."""
    if item.asset.lies and random.random() < 0.25:
        return rotation("x", 90)
    return np.eye(3)


def footprint(item: Item, turn: Vector, position: Vector) -> Vector:
    """Return the (4, 2) corners of the rectangle on the table that the object keeps free."""
    yaw = math.atan2(turn[1, 0], turn[0, 0])
    c, s = math.cos(yaw), math.sin(yaw)
    back = np.array([[c, s], [-s, c]])
    flat = (item.points @ turn.T)[:, :2] @ back.T
    (x0, y0), (x1, y1) = flat.min(axis=0) - GAP, flat.max(axis=0) + GAP
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return corners @ back + position[:2]


def overlap(first: Vector, second: Vector) -> bool:
    """Tell whether two (4, 2) rectangles overlap, by the separating axis theorem."""
    for edge in (first[1] - first[0], first[3] - first[0], second[1] - second[0], second[3] - second[0]):
        a, b = first @ edge, second @ edge
        if a.max() < b.min() or b.max() < a.min():
            return False
    return True
