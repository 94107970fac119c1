"""What surrounds the objects of a scene: cameras, lamps, and the paints of table, floor and walls.

Table top is z = 0, metres, z up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop.assets import Random, Rgb
from ivm_ros.datasets.tabletop.meshes import rotation
from ivm_ros.datasets.tabletop.textures import muted_rgb

if TYPE_CHECKING:
    from ivm_ros.datasets.tabletop.pool import Pool

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Paint:
    """How an object or surface looks; `texture` None is none, `repeat` counts per metre."""

    rgb: Rgb
    texture: int | None = None
    repeat: float = 1.0
    specular: float = 0.3
    shininess: float = 0.4


@dataclass(frozen=True)
class Light:
    """A lamp; its picture-wide strength is `diffuse`."""

    position: tuple[float, float, float]
    direction: tuple[float, float, float]
    diffuse: Rgb
    specular: float
    directional: bool
    shadow: bool


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera.

    Attributes:
        position: (3,) metres.
        axes: (3, 3), columns are x right, y up, z backward.
        fovy: vertical field of view, degrees.
    """

    position: Vector
    axes: Vector
    fovy: float


def draw_camera(random: Random, reach: float) -> Camera:
    """Draw a camera that looks at a table whose objects lie within `reach` metres of its middle."""
    fovy = random.uniform(32, 62)
    elevation = math.radians(random.uniform(18, 75) if random.random() < 0.9 else random.uniform(75, 89))
    distance = reach / math.tan(math.radians(fovy) / 2) * random.uniform(0.7, 1.6)
    distance = min(max(distance, 0.3), 2.2)
    azimuth = random.uniform(0, 2 * math.pi)
    target = np.array([*random.normal(0, 0.12 * reach, 2), random.uniform(0, 0.05)])
    flat = distance * math.cos(elevation)
    away = np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), distance * math.sin(elevation)])
    position = target + away
    return look_at(position, target, fovy, roll=float(random.normal(0, 2)))


def look_at(position: Vector, target: Vector, fovy: float, roll: float = 0.0) -> Camera:
    """Return a camera at `position` whose middle shows `target`; `roll` in degrees, up is z."""
    backward = (position - target) / np.linalg.norm(position - target)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(backward, right), backward], axis=1)
    return Camera(position, axes @ rotation("z", roll), fovy)


def draw_room(pool: Pool, random: Random, plain: bool) -> tuple[tuple[Paint, ...], tuple[float, float]]:
    """Return the paints of table, floor and four walls, and the table's half sides."""

    def rgb(low: float = 0.0) -> Rgb:
        if plain and random.random() < 0.6:
            level = random.uniform(max(low, 0.3), 1.0)
            return (level, level, level)
        red, green, blue = np.maximum(muted_rgb(random), low)
        return (float(red), float(green), float(blue))

    def textured() -> Paint:
        texture = int(random.choice(pool.surfaces))
        tint = rgb(0.5) if random.random() < 0.5 else (1.0, 1.0, 1.0)
        return Paint(tint, texture, random.uniform(0.6, 5.0), random.uniform(0, 0.4), random.random())

    table = Paint(rgb(0.1), specular=random.uniform(0, 0.4), shininess=random.random())
    if random.random() < (0.15 if plain else 0.85):
        table = textured()
    floor = textured() if random.random() < (0.2 if plain else 0.6) else Paint(rgb(), specular=0.1)
    wall = Paint(rgb(0.2), specular=0.0)
    walls = [textured() if not plain and random.random() < 0.4 else wall for _ in range(4)]
    endless = random.random() < (0.5 if plain else 0.25)
    sides = (2.9, 2.9) if endless else (random.uniform(0.45, 0.8), random.uniform(0.45, 0.8))
    return (table, floor, *walls), sides


def draw_lights(random: Random, plain: bool) -> tuple[tuple[Light, ...], Rgb, Rgb]:
    """Return lamps, ambient light and headlight whose sum neither drowns nor burns colours."""

    def tinted(strength: float) -> Rgb:
        red, green, blue = strength * (1 + random.uniform(-0.1, 0.1, 3) * (0.3 if plain else 1.0))
        return (float(red), float(green), float(blue))

    total = random.uniform(0.9, 1.15) if plain else random.uniform(0.85, 1.2)
    shares = random.dirichlet([6.0, 2.0, 2.0, 4.0])  # key, fill, headlight, ambient
    shares = 0.15 * np.ones(4) + 0.4 * shares
    lights = []
    for share, shadow in ((shares[0], random.random() < 0.8), (shares[1], False)):
        angle, height = random.uniform(0, 2 * math.pi), random.uniform(0.8, 2.0)
        aside = random.uniform(0.1, 1.3)
        position = (aside * math.cos(angle), aside * math.sin(angle), height)
        direction = (-position[0], -position[1], -position[2])
        shine = float(random.uniform(0.1, 0.6))
        lights.append(
            Light(
                position,
                direction,
                tinted(1.2 * total * share),
                shine,
                bool(random.random() < 0.5),
                bool(shadow),
            )
        )
    return tuple(lights), tinted(total * shares[3]), tinted(total * shares[2])
