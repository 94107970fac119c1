"""More designs of pans and pots."""

from __future__ import annotations

import math

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random, Rgb, Support
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes_tableware import (
    accent,
    bow,
    curve,
    radius_at,
    rounded_block,
    rounded_vessel,
    squared,
)

_COOKING = ("plain", "plain", "plain", "metal")
_IRON = ("black", "gray", *ANY)


def _pan(random: Random, body: Mesh, reach: float, z: float, floor: Support, *more: Part) -> Asset:
    """Return a pan of a body that ends at `reach` along x, where its handle starts at height z."""
    length, rise = random.uniform(0.085, 0.14), random.uniform(0.0, 0.35)
    thick, flat = random.uniform(0.004, 0.007), random.uniform(1.2, 2.2)
    z = max(z, 1.4 * thick)
    path = [
        (reach + length * t, 0.0, z + length * rise * t * (1.6 - 0.6 * t)) for t in (-0.03, 0.3, 0.65, 1.0)
    ]
    widths = [thick * w for w in (random.uniform(0.7, 1.2), 0.9, 1.15, random.uniform(0.9, 1.3))]
    tint = accent(random, 0.3) if random.random() < 0.5 else (0.06, 0.06, 0.07)
    handle = [meshes.tube(path, widths).scaled((1, flat, 1))]
    if random.random() < 0.35:
        handle.append(meshes.ring(0.009, 0.005).moved(x=path[-1][0] + 0.008, z=path[-1][2] - 0.003))
    parts = (Part(body), Part(meshes.merge(*handle), tint), *more)
    return Asset("pan", parts, colors=_IRON, finishes=_COOKING, support=floor)


def _pan_skillet(random: Random) -> Asset:
    """Return a heavy pan with pouring lips or a second small grip."""
    r = random.uniform(0.06, 0.09)
    h = r * random.uniform(0.32, 0.5)
    body = meshes.vessel([(r * 0.85, 0), (0.9 * r, 0.1 * h), (r, h)], 0.005, 0.006, 48)
    angle = random.random()
    grip = bow(0.2 * r, 0.02, 0.004, 0.6, flat=1.3).turned("x", 90).turned("z", 180)
    lips = [meshes.ellipsoid(0.014, 0.01, 0.008, 12).moved(y=side * r, z=h - 0.007) for side in (-1, 1)]
    more = [grip.moved(x=-r + 0.002, z=h * 0.8)] if angle < 0.4 else lips if angle < 0.7 else []
    return _pan(random, meshes.merge(body, *more), r, 0.78 * h, Support(0.006, 0.7 * r))


def _pan_curved(random: Random) -> Asset:
    """Return a wok or an omelette pan with a round wall."""
    r = random.uniform(0.07, 0.093)
    h, foot = r * random.uniform(0.35, 0.62), r * random.uniform(0.45, 0.7)
    body = meshes.vessel([*curve(foot, r, h, random.uniform(0.8, 1.1))], 0.003, 0.005, 36)
    return _pan(random, body, r, 0.88 * h, Support(0.005, 0.8 * foot))


def _pan_flat(random: Random) -> Asset:
    """Return a crepe pan with a very low edge."""
    r = random.uniform(0.07, 0.093)
    h = r * random.uniform(0.14, 0.22)
    body = meshes.vessel([(r * 0.93, 0), (r, h)], 0.003, 0.005, 40)
    return _pan(random, body, r, 0.6 * h, Support(0.005, 0.8 * r))


def _pan_grill(random: Random) -> Asset:
    """Return a square pan, with or without ridges."""
    x = random.uniform(0.13, 0.18)
    h, corner = x * random.uniform(0.16, 0.26), x * random.uniform(0.06, 0.25)
    body = rounded_vessel(x, x, corner, [(-0.006, 0), (-0.004, 0.006), (0.0, h)], 0.004, 0.005)
    ridges = []
    if random.random() < 0.7:
        ridges = [meshes.box(0.75 * x, 0.003, 0.004).moved(y=x * k / 14, z=0.004) for k in range(-5, 6)]
    top = 0.008 if ridges else 0.005
    return _pan(random, meshes.merge(body, *ridges), x / 2, 0.75 * h, Support(top, 0.38 * x))


def _pan_saute(random: Random) -> Asset:
    """Return a pan with a straight wall and a rolled rim, on a thick base."""
    r = random.uniform(0.065, 0.09)
    h = r * random.uniform(0.42, 0.58)
    body = meshes.vessel(
        [(0.94 * r, 0), (0.94 * r, 0.1 * h), (r, 0.16 * h), (r, 0.96 * h), (1.05 * r, h)], 0.003, 0.005
    )
    plate = meshes.box(0.006, 0.03, 0.018).moved(x=r, z=0.66 * h - 0.009)
    return _pan(random, meshes.merge(body, plate), r, 0.66 * h, Support(0.005, 0.75 * r))


def _grips(random: Random, reach: float, z: float) -> Mesh:
    """Return two grips at x = +-reach: flat bows, standing ears or solid tabs."""
    form = int(random.integers(3))
    half, out = random.uniform(0.018, 0.032), random.uniform(0.014, 0.026)
    if form == 2:
        grip = rounded_block(out + 0.008, 1.7 * half, 0.008, [(0, 0), (0, random.uniform(0.006, 0.012))])
        grip = grip.moved(x=out / 2, z=-0.004)
    else:
        grip = bow(half, out, random.uniform(0.003, 0.006), random.choice([0.5, 1.0]), 0, 1.3)
        grip = grip.turned("x", 90).turned("y", -30.0 * form)
    placed = grip.moved(x=reach - 0.002, z=z)
    return meshes.merge(placed, placed.turned("z", 180))


def _lid(random: Random, r: float, tint: Rgb | None) -> tuple[Mesh, Part]:
    """Return a lid on z = 0, domed, flat or stepped, and its knob."""
    h = r * random.uniform(0.12, 0.42)
    dome = [(r * math.cos(a / 10), 0.004 + h * math.sin(a / 10)) for a in range(2, 16, 2)]
    flat = [(r * 0.9, 0.006), (r * 0.85, 0.5 * h), (0.2 * r, 0.5 * h + 0.003)]
    shape = dome if random.random() < 0.6 else flat
    body = meshes.lathe([(0, 0), (r, 0), (r, 0.004), *shape, (0, shape[-1][1])])
    top, wide = shape[-1][1] - 0.001, r * random.uniform(0.12, 0.24)
    if random.random() < 0.65:
        knob = meshes.lathe(
            [(0, 0), (0.5 * wide, 0), (0.45 * wide, 0.006), (wide, 0.01), (wide, 0.016), (0, 0.02)], 18
        )
    else:
        knob = bow(1.3 * wide, 0.02, 0.0035, 0.6, flat=1.6).turned("y", -90)
    return body, Part(knob.moved(z=top), tint)


def _pot(
    random: Random, body: Mesh, r: float, z: float, h: float, covered: float, square: float = 0.0
) -> Asset:
    """Return a pot of a body: with grips at radius r and height z, and perhaps a lid at height h."""
    tint = accent(random, 0.4)
    parts = [Part(body), Part(_grips(random, r, z), tint)]
    if random.random() < covered:
        lid, knob = _lid(random, r * 1.03, tint)
        parts += [Part(squared(lid, square) if square else lid), knob]
        parts[2:] = [Part(part.mesh.moved(z=h), part.tint) for part in parts[2:]]
    return Asset("pot", tuple(parts), finishes=_COOKING)


def _pot_casserole(random: Random) -> Asset:
    """Return a wide heavy pot, rounded at its foot."""
    r = random.uniform(0.06, 0.085)
    h = r * random.uniform(0.95, 1.25)
    outside = [(0.8 * r, 0.0), (0.93 * r, 0.08 * h), (0.98 * r, 0.25 * h), (r, h)]
    return _pot(random, meshes.vessel(outside, 0.005, 0.007), r, h * random.uniform(0.65, 0.85), h, 0.65)


def _pot_stock(random: Random) -> Asset:
    """Return a tall straight pot with a rolled rim."""
    r = random.uniform(0.05, 0.072)
    h = r * random.uniform(1.6, 2.3)
    outside = [(0.96 * r, 0.0), (r, 0.03 * h), (r, 0.97 * h), (1.05 * r, h)]
    return _pot(random, meshes.vessel(outside, 0.003, 0.005), r, h * random.uniform(0.7, 0.85), h, 0.5)


def _pot_bellied(random: Random) -> Asset:
    """Return an earthen pot, widest at its middle."""
    r = random.uniform(0.06, 0.08)
    h, foot, rim = (
        r * random.uniform(1.15, 1.6),
        r * random.uniform(0.55, 0.8),
        r * random.uniform(0.72, 0.92),
    )
    outside = [
        (foot, 0.0),
        (0.9 * r, 0.22 * h),
        (r, 0.45 * h),
        (0.96 * r, 0.65 * h),
        (rim, 0.92 * h),
        (rim, h),
    ]
    body = meshes.vessel(outside, 0.005, 0.008)
    z = h * random.uniform(0.6, 0.75)
    pot = _pot(random, body, radius_at(outside, z), z, h, 0.0)
    if random.random() < 0.7:
        lid, knob = _lid(random, rim * 1.06, pot.parts[1].tint)
        more = (Part(lid.moved(z=h)), Part(knob.mesh.moved(z=h), knob.tint))
        return Asset("pot", (*pot.parts, *more), finishes=pot.finishes)
    return pot


def _pot_square(random: Random) -> Asset:
    r = random.uniform(0.055, 0.07)
    h, power = r * random.uniform(1.05, 1.5), random.uniform(3.0, 6.0)
    body = squared(meshes.vessel([(0.9 * r, 0), (r, 0.1 * h), (r, h)], 0.004, 0.006, 48), power)
    return _pot(random, body, r, h * random.uniform(0.65, 0.85), h, 0.6, power)


def _pot_flared(random: Random) -> Asset:
    """Return a pot that is wider above, round below, as a jam kettle."""
    r = random.uniform(0.062, 0.082)
    h, foot = r * random.uniform(0.95, 1.3), r * random.uniform(0.55, 0.75)
    outside = [*curve(foot, r * 0.97, 0.6 * h, 0.8), (r, h)]
    z = h * random.uniform(0.72, 0.88)
    return _pot(random, meshes.vessel(outside, 0.004, 0.006), radius_at(outside, z), z, h, 0.5)


KITCHEN: dict[str, tuple[Builder, ...]] = {
    "pan": (_pan_skillet, _pan_curved, _pan_flat, _pan_grill, _pan_saute),
    "pot": (_pot_casserole, _pot_stock, _pot_bellied, _pot_square, _pot_flared),
}
