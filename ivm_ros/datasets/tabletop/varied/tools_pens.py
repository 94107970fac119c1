"""Several designs of pens and markers; they lie along x."""

from __future__ import annotations

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random, Rgb
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes_tools import (
    Row,
    along_x,
    dark,
    faceted,
    lying,
    rolled,
    steel,
    strip,
    trim,
)

GOLD = (0.83, 0.68, 0.3)


def _clip(random: Random, start: float, end: float, radius: float) -> Mesh:
    """Return a pen's clip from x = `start`, where it is fastened, to `end`, on top of the body."""
    half, t = radius * random.uniform(0.15, 0.35), 0.0006
    gap = radius + random.uniform(0.001, 0.002)
    low, high = min(start, end), max(start, end)
    bar = strip([(low, half, gap, t), (high, half, gap, t)], 4, (half, half))
    return meshes.merge(bar, meshes.box(0.004, 1.6 * half, gap).moved(x=start))


def _rod(profile: list[tuple[float, float]], sides: int = 0, corner: float = 0.0) -> Mesh:
    """Return a body along x, round or with sides."""
    return along_x(faceted(profile, corner, sides) if sides else meshes.lathe(profile, 20))


def _pen(random: Random, *parts: Part) -> Asset:
    return Asset("pen", lying(*rolled(random.uniform(-80, 80), *parts)))


def _pen_clicker(random: Random) -> Asset:
    length, r = random.uniform(0.12, 0.145), random.uniform(0.0042, 0.0065)
    waist, tip = random.uniform(0.75, 1.05) * r, random.uniform(0.1, 0.2) * length
    body = _rod(
        [
            (0, 0),
            (0.8 * r, 0),
            (r, 0.06 * length),
            (r, 0.5 * length),
            (waist, 0.75 * length),
            (0.95 * r, length - tip),
            (0, length - tip),
        ]
    )
    nose = [
        (0, length - tip),
        (0.95 * r, length - tip),
        (0.35 * r, length - 0.004),
        (0.1 * r, length),
        (0, length),
    ]
    knob = [(0, -0.009), (0.45 * r, -0.009), (0.5 * r, 0.001), (0, 0.001)]
    tint = trim(random) if random.random() < 0.7 else None
    clip = _clip(random, 0.004, random.uniform(0.25, 0.38) * length, r)
    parts = [Part(body), Part(meshes.merge(_rod(nose), _rod(knob), clip), tint)]
    if random.random() < 0.4:
        rings = [(r * (1.12 if k % 2 else 1.03), length * (0.58 + 0.017 * k)) for k in range(8)]
        grip = [(0.0, 0.575 * length), *rings, (0.0, 0.7 * length)]
        parts.append(Part(_rod(grip), dark(random)))
    return _pen(random, *parts)


def _pen_marker(random: Random) -> Asset:
    length, r = random.uniform(0.1, 0.145), random.uniform(0.0075, 0.0125)
    split = random.uniform(0.55, 0.68) * length
    foot = random.uniform(0.6, 0.95) * r
    body = _rod([(0, 0), (foot, 0), (0.95 * r, 0.12 * length), (0.95 * r, split), (0, split)])
    cap_profile = [
        (0, split),
        (1.08 * r, split),
        (1.08 * r, split + 0.006),
        (r, split + 0.008),
        (random.uniform(0.65, 0.95) * r, length),
        (0, length),
    ]
    sides = int(random.choice([0, 0, 8, 12]))
    cap = _rod(cap_profile, sides, 1.08 * r)
    band = _rod([(0, 0), (0.98 * r, 0), (0.98 * r, 0.45 * split), (0, 0.45 * split)]).moved(x=0.35 * split)
    parts = [Part(body), Part(cap, trim(random) if random.random() < 0.3 else None)]
    if random.random() < 0.45:
        parts.append(Part(band, (0.93, 0.93, 0.93) if random.random() < 0.6 else trim(random)))
    if random.random() < 0.5:
        parts.append(Part(_clip(random, length - 0.004, split + 0.01, r), parts[1].tint))
    return _pen(random, *parts)


def _pen_fountain(random: Random) -> Asset:
    length, r = random.uniform(0.125, 0.145), random.uniform(0.0055, 0.0085)
    end, split = random.uniform(0.2, 0.8) * r, random.uniform(0.5, 0.6) * length
    body = _rod(
        [
            (0, 0),
            (end, 0),
            (0.5 * (r + end), 0.04 * length),
            (0.92 * r, 0.25 * length),
            (0.95 * r, split),
            (r, split),
            (r, 0.85 * length),
            (0.5 * (r + end), 0.97 * length),
            (end, length),
            (0, length),
        ]
    )
    metal = GOLD if random.random() < 0.5 else steel(random)
    rings = [
        _rod([(0, z), (1.05 * r, z), (1.05 * r, z + 0.002), (0, z + 0.002)])
        for z in (split, split + 0.004)[: int(random.integers(1, 3))]
    ]
    knob = _rod([(0, 0), (1.1 * end, 0), (0.9 * end, 0.004), (0, 0.004)]).moved(x=length - 0.001)
    clip = _clip(random, 0.94 * length, split + 0.01, r)
    return _pen(random, Part(body), Part(meshes.merge(*rings, knob, clip), metal))


def _pen_highlighter(random: Random) -> Asset:
    length, r = random.uniform(0.1, 0.13), random.uniform(0.0075, 0.011)
    flat = random.uniform(0.5, 0.75)
    split = random.uniform(0.58, 0.7) * length
    corners = int(random.choice([4, 12, 12]))
    body = strip(
        [(0, 0.9 * r, 0, 0.9 * flat * r), (0.3 * split, r, 0, flat * r), (split, r, 0, flat * r)], corners
    )
    end = random.uniform(0.6, 0.95)
    cap = strip(
        [(split + 0.001, 1.06 * r, 0, 1.1 * flat * r), (length, end * r, 0, end * flat * r)],
        corners,
    )
    tint = trim(random) if random.random() < 0.5 else None
    top = flat * r + 0.001
    rows: list[Row] = [(split - 0.006, 0.3 * r, 1.12 * top, 0.0007), (length, 0.3 * r, end * top, 0.0014)]
    clip = strip(rows)
    return _pen(random, Part(body), Part(meshes.merge(cap, clip), tint))


def _pen_open(random: Random) -> Asset:
    """A felt pen or roller without its cap, or with it on its other end."""
    length, r = random.uniform(0.11, 0.14), random.uniform(0.0045, 0.008)
    sides = int(random.choice([0, 0, 3, 6]))
    body = _rod(
        [(0, 0), (r, 0), (r, 0.82 * length), (0, 0.82 * length)], sides, (1.3 if sides == 3 else 1.05) * r
    )
    neck = random.uniform(0.55, 0.8) * r
    nose = _rod(
        [
            (0, 0.8 * length),
            (0.9 * r, 0.8 * length),
            (0.9 * r, 0.83 * length),
            (neck, 0.86 * length),
            (0.5 * neck, 0.95 * length),
            (0, 0.95 * length),
        ]
    )
    point = _rod([(0, 0.94 * length), (0.3 * neck, 0.94 * length), (0.15 * neck, length), (0, length)])
    tints: list[Rgb | None] = [None, dark(random), steel(random), (0.92, 0.92, 0.92)]
    parts = [Part(body), Part(nose, tints[int(random.integers(4))]), Part(point, dark(random))]
    if random.random() < 0.6:
        cap = [(0, -0.012), (0.8 * r, -0.012), (1.2 * r, 0.0), (1.25 * r, 0.036), (0, 0.036)]
        pieces = [_rod(cap)]
        if random.random() < 0.6:
            pieces.append(_clip(random, -0.004, 0.03, 1.25 * r))
        parts.append(Part(meshes.merge(*pieces), trim(random) if random.random() < 0.3 else None))
    return _pen(random, *parts)


PENS: tuple[Builder, ...] = (
    _pen_clicker,
    _pen_marker,
    _pen_fountain,
    _pen_highlighter,
    _pen_open,
)
