"""More designs of cylinders and cones."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.varied.shapes import chance, lobed, pick_rgb, set_down
from ivm_ros.datasets.tabletop.varied.shapes_toys import DARK, PAINTED, SOLID, drum, hoop, rounded_box, sleeve


def _radius_height(random: Random) -> tuple[float, float]:
    """Draw a flat, a usual or a slim cylinder."""
    r = random.uniform(0.016, 0.04)
    ratio = float(
        random.choice([random.uniform(1.0, 1.5), random.uniform(1.5, 3.0), random.uniform(3.0, 6.0)])
    )
    return (r, r * ratio) if ratio < 3 else (0.6 * r, 0.6 * r * ratio)


def _cylinder_banded(random: Random) -> Asset:
    """A cylinder with one to three narrow bands of a second colour."""
    r, h = _radius_height(random)
    r, h = max(r, 0.016), max(h, 0.03)
    count = int(random.integers(1, 4))
    wide = h * random.uniform(0.1, 0.2) / (count + 1)
    places = h * (np.arange(count) + 1) / (count + 1) + random.uniform(-0.08, 0.08) * h
    bands = [sleeve(0.97 * r, r + 0.0006, z - wide, z + wide) for z in places]
    parts = (Part(drum(r, h, 0.03 * r, 1)), Part(meshes.merge(*bands), pick_rgb(random)))
    return Asset("cylinder", parts, finishes=PAINTED, lies=True)


def _cylinder_hollow(random: Random) -> Asset:
    """A piece of thick pipe, open at both ends."""
    r, h = random.uniform(0.018, 0.036), random.uniform(0.04, 0.11)
    inner, bevel = r * random.uniform(0.25, 0.62), 0.05 * r
    wall = [(inner, 0), (r - bevel, 0), (r, bevel), (r, h - bevel), (r - bevel, h), (inner, h), (inner, 0)]
    return Asset("cylinder", (Part(meshes.lathe(wall, 30)),), finishes=SOLID, lies=True)


def _cylinder_fluted(random: Random) -> Asset:
    """A cylinder with grooves along its side, like a drum of a column."""
    r, h = _radius_height(random)
    h, count = max(h, 1.5 * r), int(random.integers(10, 20))
    body = lobed(drum(r, h, 0.04 * r, 1, 5 * count), count, random.uniform(0.02, 0.05))
    return Asset("cylinder", (Part(body),), finishes=SOLID, lies=True)


def _cylinder_grooved(random: Random) -> Asset:
    """A cylinder with grooves around it, as of discs in a pile."""
    r, count = random.uniform(0.018, 0.035), int(random.integers(2, 7))
    each, gap = r * random.uniform(0.35, 0.9), r * random.uniform(0.04, 0.1)
    deep, bevel = r * random.uniform(0.85, 0.94), r * random.uniform(0.02, 0.08)
    each = max(each, 0.03 / count)
    discs = [drum(r, each, bevel).moved(z=i * (each + gap)) for i in range(count)]
    core = drum(deep, count * (each + gap) - gap - 0.001, 0.001, 1)
    parts = (Part(meshes.merge(*discs)), Part(core, DARK if chance(random, 0.3) else None))
    return Asset("cylinder", parts, finishes=PAINTED, lies=True)


def _cylinder_ends(random: Random) -> Asset:
    """A cylinder with a hole, a disc or a knobless cap of a second colour at its ends."""
    r, h = random.uniform(0.018, 0.036), random.uniform(0.035, 0.11)
    parts = [Part(drum(r, h, 0.04 * r, 1, 30))]
    size = r * random.uniform(0.2, 0.6)
    disc = drum(size, h + 0.001, 0.0003, 1, 20).moved(z=-0.0005)
    parts.append(Part(disc, DARK if chance(random, 0.4) else pick_rgb(random)))
    return Asset("cylinder", set_down(parts), finishes=PAINTED, lies=True)


def _cone_parts(random: Random) -> tuple[float, float]:
    """Draw radius and height of a wide to a slim cone."""
    r = random.uniform(0.02, 0.045)
    return r, r * random.uniform(1.3, 3.6)


def _cone_traffic(random: Random) -> Asset:
    """A road cone on a flat foot, with bands and a blunt tip."""
    r, h = random.uniform(0.024, 0.045), random.uniform(0.08, 0.16)
    tip, thick = r * random.uniform(0.1, 0.22), 0.06 * h
    side = 2 * r * random.uniform(1.15, 1.35)
    foot = (
        rounded_box(side, side, thick, 0.3 * thick, 1)
        if chance(random, 0.7)
        else drum(side / 2, thick, 0.2 * thick)
    )
    body = meshes.lathe([(0, 0), (r, 0), (tip, h), (0, h)])
    bands = []
    for middle in ((0.5,), (0.36, 0.66))[int(random.integers(2))]:
        low, high = middle - random.uniform(0.05, 0.09), middle + random.uniform(0.05, 0.09)
        wall = [(r + (tip - r) * t + 0.0006, t * h) for t in (low, high)]
        bands.append(meshes.lathe([(0, wall[0][1]), *wall, (0, wall[1][1])]))
    parts = (
        Part(body),
        Part(foot),
        Part(meshes.merge(*bands), pick_rgb(random, "white", "white", "yellow")),
    )
    return Asset(
        "cone", parts, ("orange",) * 6 + ("red", "yellow", "green", "blue", "pink", "white", "purple")
    )


def _cone_round(random: Random) -> Asset:
    """A plain cone, slim or wide, with a round or a blunt tip and a round or chamfered foot."""
    r, h = _cone_parts(random)
    tip, foot, steps = (
        r * random.uniform(0.03, 0.2),
        r * random.uniform(0.0, 0.15),
        int(random.integers(1, 5)),
    )
    arc = [(tip * math.cos(a), h + tip * math.sin(a)) for a in np.linspace(0.3, math.pi / 2, steps)]
    arc[-1] = (0.0, arc[-1][1])
    profile = (
        [(0, 0), (r - foot, 0), (r, foot + 0.001), (tip, h), *arc] if steps > 1 else [(0, 0), (r, 0), (0, h)]
    )
    return Asset("cone", (Part(meshes.lathe(profile, 30)),), finishes=SOLID, lies=True)


def _cone_curved(random: Random) -> Asset:
    """A cone whose side bulges like a bullet's or is drawn in like a tent's."""
    r, h = _cone_parts(random)
    power = random.uniform(0.72, 1.4)
    wall = [(r * (1 - t) ** power, t * h) for t in np.linspace(0, 1, 12)]
    mesh = meshes.lathe([(0, 0), *wall], 30)
    return Asset("cone", (Part(mesh),), finishes=SOLID, lies=True)


def _cone_stepped(random: Random) -> Asset:
    """A cone of discs in a pile, each smaller than the one below; one disc may have a second colour."""
    r, count = random.uniform(0.026, 0.045), int(random.integers(5, 9))
    each = r * random.uniform(1.5, 2.8) / count
    discs = [drum(r * (1 - 0.9 * i / count), each, 0.3 * each).moved(z=i * each) for i in range(count)]
    parts = [
        Part(meshes.merge(*discs[:-1])),
        Part(discs[-1], pick_rgb(random) if chance(random, 0.4) else None),
    ]
    return Asset("cone", tuple(parts), finishes=PAINTED)


def _cone_hat(random: Random) -> Asset:
    """A party hat: a slim cone with dots or a ring of a second colour and a pompon."""
    r = random.uniform(0.022, 0.045)
    h = r * random.uniform(1.8, 3.2)
    parts = [Part(meshes.lathe([(0, 0), (r, 0), (0, h)], 30))]
    tilt = math.degrees(math.atan2(h, r))
    dot = drum(r * random.uniform(0.08, 0.13), 0.001, 0.0002, 1, 12)
    dots = []
    for i in range(int(random.integers(9, 18))):
        t = (i % 3 + 0.6) / 4
        dots.append(dot.turned("y", tilt).moved(r * (1 - t), 0, t * h).turned("z", 137.5 * i))
    second = pick_rgb(random)
    foot = meshes.merge(hoop(r, (0.05 * r, 0.05 * r), 8).moved(z=0.05 * r))
    parts.append(Part(meshes.merge(*dots) if chance(random, 0.5) else foot, second))
    if chance(random, 0.5):
        size = r * random.uniform(0.12, 0.22)
        parts.append(Part(meshes.ellipsoid(size, size, size, 12).moved(z=h), pick_rgb(random)))
    return Asset("cone", set_down(parts))


def _cone_facets(random: Random) -> Asset:
    """A cone cut with nine to fourteen facets, with or without a low round plinth."""
    r, h = _cone_parts(random)
    foot = h * random.uniform(0.03, 0.15) if chance(random, 0.5) else 0.0
    profile = [(0, 0), (r, 0), (r, foot), (0, h)] if foot else [(0, 0), (r, 0), (0, h)]
    mesh = meshes.lathe(profile, int(random.integers(9, 15)))
    return Asset("cone", (Part(mesh),), finishes=SOLID, lies=not foot)


COLUMNS: dict[str, tuple[Builder, ...]] = {
    "cylinder": (
        _cylinder_banded,
        _cylinder_hollow,
        _cylinder_fluted,
        _cylinder_grooved,
        _cylinder_ends,
    ),
    "cone": (_cone_traffic, _cone_round, _cone_curved, _cone_stepped, _cone_hat, _cone_facets),
}
