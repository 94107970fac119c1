"""What dishes and containers share: rounded blocks, squared bodies, bows, bands, drinks, tints."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Part, Random, Rgb
from ivm_ros.datasets.tabletop.meshes import Mesh, Points
from ivm_ros.datasets.tabletop.varied.shapes import (
    Profile,
    at_height,
    cylinder,
    loft,
    pick_rgb,
    rounded,
    widened,
)

_TINTS: tuple[Rgb, ...] = (
    (0.93, 0.93, 0.92),
    (0.9, 0.87, 0.78),
    (0.06, 0.06, 0.07),
    (0.72, 0.72, 0.75),
    (0.55, 0.36, 0.2),
    (0.76, 0.58, 0.36),
)
_DRINKS: tuple[Rgb, ...] = (
    (0.16, 0.08, 0.04),
    (0.5, 0.22, 0.06),
    (0.94, 0.92, 0.86),
    (0.75, 0.58, 0.42),
    (0.95, 0.62, 0.1),
)


def accent(random: Random, chance: float) -> Rgb | None:
    """Draw the colour of a second part: usually neutral, or None so that it takes the object's paint."""
    if random.random() >= chance:
        return None
    number = int(random.integers(len(_TINTS) + 2))
    return _TINTS[number] if number < len(_TINTS) else pick_rgb(random)


def _rectangle(x: float, y: float, corner: float, z: float) -> Points:
    """Return the outline of a rectangle with round corners at a height."""
    corner = min(max(corner, 0.0006), 0.49 * min(x, y))
    return at_height(rounded(x, y, corner, 5), z)


def rounded_block(x: float, y: float, corner: float, levels: Profile) -> Mesh:
    """Return a body of rounded rectangles; `levels` are (metres by which it is wider than x, y, height)."""
    return loft([_rectangle(x + 2 * out, y + 2 * out, corner + out, z) for out, z in levels])


def rounded_vessel(x: float, y: float, corner: float, levels: Profile, wall: float, floor: float) -> Mesh:
    """Return a hollow `rounded_block`; its second level must be above the floor."""
    inside = [(out - wall, max(z, floor)) for out, z in reversed(levels)]
    return rounded_block(x, y, corner, [*levels, *inside])


def squared(mesh: Mesh, power: float) -> Mesh:
    """Return a round mesh as a superellipse: 2 stays round, 8 is nearly a square."""
    angle = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0])
    total = np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power
    return widened(mesh, total ** (-1 / power))


def bow(
    half: float, out: float, thick: float, power: float = 1.0, lean: float = 0.0, flat: float = 1.0
) -> Mesh:
    """Return a handle that starts below and ends above the origin, metres, and reaches out along x.

    Args:
        half: half the distance of its ends.
        out: how far its middle line reaches.
        thick: radius of its tube.
        power: 1 is round, 0.4 nearly rectangular.
        lean: how much farther out its upper end is.
        flat: its width by its thickness.
    """
    angle = np.linspace(-math.pi / 2, math.pi / 2, 17)
    c, s = np.maximum(np.cos(angle), 0) ** power, np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    path = np.stack([out * c + lean * s / 2, 0 * angle, half * s], -1)
    return meshes.tube(path, thick, 10).scaled((1, flat, 1))


def curve(foot: float, rim: float, height: float, widening: float = 1.0, rise: float = 1.0) -> Profile:
    """Return the outer profile of a round bowl: larger exponents widen or rise later."""
    angles = np.linspace(0, math.pi / 2, 9)
    return [
        (foot + (rim - foot) * math.sin(a) ** widening, height * (1 - math.cos(a)) ** rise) for a in angles
    ]


def radius_at(outside: Profile, z: float) -> float:
    """Return the radius of a profile of ascending heights at a height."""
    r, heights = np.array(outside).T
    return float(np.interp(z, heights, r))


def band(outside: Profile, low: float, high: float, thick: float, segments: int = 32) -> Mesh:
    """Return a sleeve around a profile of ascending heights, between two heights."""
    heights = np.linspace(low, high, 7)
    outer = [(radius_at(outside, z) + thick, float(z)) for z in heights]
    inner = [(r - thick - 0.001, z) for r, z in reversed(outer)]
    return meshes.lathe([*outer, *inner, outer[0]], segments)


def drink(random: Random, outside: Profile, wall: float, chance: float) -> tuple[Part, ...]:
    """Draw what is in a round vessel: nothing, or a drink to somewhere below its rim."""
    if random.random() >= chance:
        return ()
    z = outside[-1][1] * random.uniform(0.6, 0.9)
    surface = cylinder(radius_at(outside, z) - 0.8 * wall, 0.001).moved(z=z)
    return (Part(surface, _DRINKS[int(random.integers(len(_DRINKS)))]),)
