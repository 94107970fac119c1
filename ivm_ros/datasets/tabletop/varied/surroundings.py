"""Light with more variety than that of `surroundings`: one to three lamps, hard shadows, dim rooms."""

from __future__ import annotations

import math

from ivm_ros.datasets.tabletop import surroundings
from ivm_ros.datasets.tabletop.assets import Random, Rgb
from ivm_ros.datasets.tabletop.surroundings import Light

ELEVATION = (32.0, 85.0)
"""Of lamps over the table, degrees."""
TINT = 0.09
"""By how much a lamp is at most redder than blue or bluer than red, of its strength."""


def draw_lights(random: Random, plain: bool) -> tuple[tuple[Light, ...], Rgb, Rgb]:
    """Return lamps, ambient light and headlight: those of `surroundings`, or harder ones."""
    if random.random() < 0.5:
        return surroundings.draw_lights(random, plain)
    count = int(random.integers(1, 4))
    total = random.uniform(0.75, 1.15)
    ambient, head = random.uniform(0.2, 0.5), random.uniform(0.05, 0.3)
    lamps = max(total - ambient - head, 0.25)
    shares = random.dirichlet([2.0] * count)
    lights = tuple(_lamp(1.2 * lamps * float(share), random) for share in shares)
    return lights, (ambient,) * 3, (head,) * 3


def _lamp(strength: float, random: Random) -> Light:
    around, height = random.uniform(0, 2 * math.pi), math.radians(random.uniform(*ELEVATION))
    distance, tint = random.uniform(1.2, 2.4), random.uniform(-TINT, TINT)
    x, y, z = (
        distance * math.cos(height) * math.cos(around),
        distance * math.cos(height) * math.sin(around),
        distance * math.sin(height),
    )
    return Light(
        (x, y, z),
        (-x, -y, -z),
        (strength * (1 + tint), strength, strength * (1 - tint)),
        float(random.uniform(0, 0.7)),
        bool(random.random() < 0.5),
        bool(random.random() < 0.8),
    )
