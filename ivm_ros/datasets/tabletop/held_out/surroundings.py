"""Rooms and lights that training never draws: patterned surfaces all around, low and coloured lamps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ivm_ros.datasets.tabletop.assets import Random, Rgb
from ivm_ros.datasets.tabletop.surroundings import Light, Paint

if TYPE_CHECKING:
    from ivm_ros.datasets.tabletop.pool import Pool

ELEVATION = (12.0, 28.0)
"""Of lamps over the table, degrees; those of training stand at 31.6 or more."""
TINT = (0.12, 0.18)
"""By how much a lamp is redder than blue or bluer than red, of its strength; training: 0.1 at most."""
SIDES = (0.82, 1.05)
"""Half sides of a table, metres; training has 0.45 to 0.8, or no end in sight."""


def draw_room(pool: Pool, random: Random, plain: bool) -> tuple[tuple[Paint, ...], tuple[float, float]]:
    """Return the paints of table, floor and four walls, all textured, and the table's half sides."""
    textures = random.permutation(pool.surfaces)
    wall = Paint((1.0, 1.0, 1.0), int(textures[2]), random.uniform(0.8, 2.0), 0.0)
    table = Paint((1.0, 1.0, 1.0), int(textures[0]), random.uniform(1.6, 3.0 if plain else 6.0), 0.2, 0.5)
    floor = Paint((0.9, 0.9, 0.9), int(textures[1]), random.uniform(1.0, 3.0), 0.1)
    return (table, floor, *[wall] * 4), (random.uniform(*SIDES), random.uniform(*SIDES))


def draw_lights(random: Random, plain: bool) -> tuple[tuple[Light, ...], Rgb, Rgb]:
    """Return low lamps that all cast shadows, one of them warm or cold; ambient light and headlight."""
    count = 2 if plain else int(random.integers(2, 4))
    warm = float(random.choice([-1, 1]))
    lights = []
    start = random.uniform(0, 2 * math.pi)
    for number in range(count):
        angle = start + 2 * math.pi * number / count + random.uniform(-0.4, 0.4)
        elevation, distance = math.radians(random.uniform(*ELEVATION)), random.uniform(1.8, 2.6)
        flat = distance * math.cos(elevation)
        position = (flat * math.cos(angle), flat * math.sin(angle), distance * math.sin(elevation))
        strength = random.uniform(0.6, 0.8) / (1 + 0.5 * number)
        tint = warm * random.uniform(*TINT) if number == 0 else 0.0
        lights.append(
            Light(
                position,
                (-position[0], -position[1], -position[2]),
                (strength * (1 + tint), strength, strength * (1 - tint)),
                float(random.uniform(0.2, 0.5)),
                bool(random.random() < 0.5),
                True,
            )
        )
    ambient, head = random.uniform(0.34, 0.42), random.uniform(0.2, 0.28)
    return tuple(lights), (ambient,) * 3, (head,) * 3
