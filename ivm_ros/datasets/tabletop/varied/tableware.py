"""More designs of dishes, vessels and containers: cups and mugs; the others join them here."""

from __future__ import annotations

import math

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import PATTERNED, Asset, Builder, Part, Random
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import Profile, lobed
from ivm_ros.datasets.tabletop.varied.shapes_tableware import accent, band, bow, curve, drink, radius_at
from ivm_ros.datasets.tabletop.varied.tableware_bottles import BOTTLES
from ivm_ros.datasets.tabletop.varied.tableware_boxes import BOXES
from ivm_ros.datasets.tabletop.varied.tableware_dishes import DISHES
from ivm_ros.datasets.tabletop.varied.tableware_kitchen import KITCHEN

_CAMPING = (*PATTERNED, "metal")
_TURNED = (*PATTERNED, "wooden", "wooden")


def _cup(body: Mesh, more: tuple[Part, ...], filled: tuple[Part, ...], finishes: tuple[str, ...]) -> Asset:
    return Asset("cup", (Part(body), *more, *filled), finishes=finishes, lies=not filled)


def _cup_tumbler(random: Random) -> Asset:
    r = random.uniform(0.03, 0.044)
    h, foot = r * random.uniform(2.0, 3.6), r * random.uniform(0.72, 1.02)
    wall, segments = random.uniform(0.0015, 0.004), int(random.choice([6, 8, 10, 12, 32, 32, 32]))
    outside = [(foot * 0.94, 0.0), (foot, 0.03 * h), (r, h)]
    body = meshes.vessel(outside, wall, h * random.uniform(0.05, 0.15), segments)
    return _cup(body, (), drink(random, outside, 2 * wall, 0.25) if segments > 12 else (), _CAMPING)


def _paper_lid(random: Random, r: float) -> Mesh:
    """Return a lid on z = 0: flat with a drinking edge, or a dome."""
    skirt = [(r + 0.0005, -0.003), (r + 0.0035, -0.003), (r + 0.0035, 0.005)]
    if random.random() < 0.75:
        high = random.uniform(0.006, 0.014)
        return meshes.lathe(
            [*skirt, (0.9 * r, 0.006), (0.86 * r, high), (0.78 * r, high), (0.75 * r, 0.006), (0, 0.006)]
        )
    height = r * random.uniform(0.4, 0.8)
    dome = [(0.95 * r * math.cos(a / 10), 0.005 + height * math.sin(a / 10)) for a in range(0, 14, 2)]
    return meshes.lathe([*skirt, *dome, (0, 0.005 + height)])


def _cup_paper(random: Random) -> Asset:
    r = random.uniform(0.034, 0.046)
    h, foot = r * random.uniform(1.9, 3.4), r * random.uniform(0.64, 0.8)
    outside = [(foot, 0.0), (r, h), (r + 0.002, h + 0.001), (r + 0.002, h + 0.003), (r + 0.0005, h + 0.004)]
    parts = []
    if random.random() < 0.5:
        low, high = h * random.uniform(0.25, 0.35), h * random.uniform(0.55, 0.68)
        parts.append(Part(band(outside, low, high, 0.0012), accent(random, 0.7)))
    if random.random() < 0.65:
        parts.append(Part(_paper_lid(random, r).moved(z=h + 0.003), accent(random, 0.65)))
        if random.random() < 0.4:
            lean = random.uniform(-0.3, 0.3) * r
            straw = meshes.tube([(0, 0, 0.5 * h), (lean, 0, h * 1.1), (2 * lean, 0, h + 0.06)], 0.0035, 8)
            parts.append(Part(straw, accent(random, 0.8)))
    return _cup(meshes.vessel(outside, 0.002, 0.006), tuple(parts), (), PATTERNED)


def _cup_tea(random: Random) -> Asset:
    """Return a round handleless tea cup, on a narrow ring."""
    r = random.uniform(0.03, 0.043)
    h, foot, base = (
        r * random.uniform(1.35, 2.0),
        r * random.uniform(0.45, 0.62),
        random.uniform(0.003, 0.009),
    )
    rounded = [(x, z + base) for x, z in curve(foot * 1.05, r, h, random.uniform(0.6, 1.1), 1.1)]
    lip = random.uniform(-0.06, 0.1) * r
    outside = [(foot, 0.0), (foot * 1.03, 0.8 * base), *rounded, (r + lip, base + 1.15 * h)]
    body = meshes.vessel(outside, 0.0028, base + 0.004)
    trim = (Part(band(outside, base + 1.0 * h, base + 1.12 * h, 0.0016), accent(random, 0.8)),)
    return _cup(body, trim if random.random() < 0.3 else (), drink(random, outside, 0.004, 0.4), _TURNED)


def _cup_ringed(random: Random) -> Asset:
    """Return a party cup with steps, or one with ribs around it."""
    r, count = random.uniform(0.035, 0.046), int(random.integers(2, 8))
    h, foot = r * random.uniform(1.9, 3.0), r * random.uniform(0.65, 0.98)
    step = r * random.uniform(0.025, 0.06)
    outside = [(foot, 0.0)]
    for number in range(count):
        low, high = number / count, (number + 0.85) / count
        bulge = step if random.random() < 0.8 else 0.0
        outside += [(foot + (r - foot) * t + bulge, h * t) for t in (low + 0.1 / count, high)]
        outside.append((foot + (r - foot) * (number + 1) / count, h * (number + 0.95) / count))
    outside += [(r + 0.003, h), (r + 0.003, h + 0.004), (r + 0.001, h + 0.005)]
    return _cup(meshes.vessel(outside, 0.003, 0.005), (), drink(random, outside, 0.006, 0.2), PATTERNED)


def _cup_footed(random: Random) -> Asset:
    """Return a goblet with a short stem on a round foot."""
    r = random.uniform(0.032, 0.044)
    h, stem = r * random.uniform(1.6, 2.4), r * random.uniform(0.2, 0.9)
    foot, thin = r * random.uniform(0.6, 0.95), r * random.uniform(0.18, 0.4)
    bowl = curve(thin, r, 0.6 * h, random.uniform(0.5, 0.9))
    rim = r * random.uniform(0.85, 1.12)
    base = [(foot, 0.0), (foot, 0.003), (thin * 1.2, 0.008), (thin, 0.008 + 0.5 * stem)]
    lift = 0.008 + 0.5 * stem
    outside = [*bowl, (rim, h)]
    body = meshes.vessel(outside, 0.0028, 0.005).moved(z=lift)
    body = meshes.merge(body, meshes.lathe([(0, 0), *base, (thin, lift + 0.003), (0, lift + 0.003)]))
    filled = tuple(Part(part.mesh.moved(z=lift), part.tint) for part in drink(random, outside, 0.005, 0.3))
    return _cup(body, (), filled, (*_CAMPING, "wooden"))


def _cup_belly(random: Random) -> Asset:
    """Return a barrel, a tulip or a cup that narrows upwards; fluted or smooth, perhaps with a soft band."""
    r = random.uniform(0.033, 0.045)
    h, foot, rim = r * random.uniform(1.8, 2.8), r * random.uniform(0.6, 0.95), r * random.uniform(0.74, 0.97)
    middle = random.uniform(0.3, 0.65) * h
    outside = [(foot, 0.0), (0.5 * foot + 0.5 * r, 0.35 * middle), (r * 0.97, 0.7 * middle), (r, middle)]
    outside += [(0.4 * rim + 0.6 * r, 0.55 * middle + 0.45 * h), (rim, h)]
    body = meshes.vessel(outside, random.uniform(0.0025, 0.006), 0.007, 48)
    if random.random() < 0.35:
        body = lobed(body, int(random.integers(6, 13)), random.uniform(0.02, 0.05))
        return _cup(body, (), (), _TURNED)
    soft = (Part(band(outside, 0.3 * h, h * random.uniform(0.45, 0.65), 0.0015), accent(random, 0.8)),)
    return _cup(body, soft if random.random() < 0.35 else (), drink(random, outside, 0.007, 0.25), _TURNED)


def _handled(random: Random, body: Mesh, outside: Profile, more: tuple[Part, ...] = ()) -> Asset:
    """Return a mug of a body and its profile, with a handle somewhere at its side."""
    h = outside[-1][1]
    half = h * random.uniform(0.2, 0.36)
    middle = min(max(h * random.uniform(0.42, 0.62), half + 0.06 * h), 0.93 * h - half)
    low, high = radius_at(outside, middle - half), radius_at(outside, middle + half)
    thick, flat = random.uniform(0.0032, 0.0065), random.uniform(1.0, 2.2)
    out = max(0.02, half * random.uniform(0.7, 1.25))
    handle = bow(half, out, thick, random.choice([0.45, 0.7, 1.0]), high - low, flat)
    placed = handle.moved(x=(low + high) / 2 - 0.002, z=middle)
    grip = Part(placed, accent(random, 0.25))
    return Asset("mug", (Part(body), grip, *more, *drink(random, outside, 0.006, 0.3)), finishes=_CAMPING)


def _mug_enamel(random: Random) -> Asset:
    r = random.uniform(0.036, 0.05)
    h = r * random.uniform(1.5, 2.3)
    outside = [(r * 0.95, 0.0), (r, 0.005), (r, h - 0.002), (r + 0.002, h)]
    rim = meshes.ring(r, 0.005).moved(z=h - 0.002)
    body = meshes.vessel(outside, 0.002, 0.004)
    return _handled(random, body, outside, (Part(rim, accent(random, 0.7)),))


def _mug_round(random: Random) -> Asset:
    r = random.uniform(0.04, 0.052)
    h, rim, foot = r * random.uniform(1.4, 2.0), r * random.uniform(0.72, 0.95), r * random.uniform(0.55, 0.8)
    outside = [
        (foot, 0.0),
        (0.9 * r, 0.18 * h),
        (r, 0.42 * h),
        (0.95 * r, 0.65 * h),
        (rim, 0.88 * h),
        (rim, h),
    ]
    return _handled(random, meshes.vessel(outside, 0.004, 0.007), outside)


def _mug_cone(random: Random) -> Asset:
    """Return a mug that is wider above, or below, straight or with a waist."""
    r = random.uniform(0.036, 0.046)
    h, foot = r * random.uniform(1.7, 2.7), r * random.uniform(0.62, 1.3)
    waist = (r + foot) / 2 * random.uniform(0.85, 1.08)
    outside = [(foot * 0.97, 0.0), (foot, 0.004), (waist, 0.5 * h), (r, h)]
    segments = int(random.choice([8, 10, 32, 32, 32]))
    return _handled(random, meshes.vessel(outside, 0.004, 0.007, segments), outside)


def _mug_teacup(random: Random) -> Asset:
    """Return a low wide cup with a handle."""
    r = random.uniform(0.036, 0.056)
    h, foot = r * random.uniform(1.0, 1.35), r * random.uniform(0.4, 0.65)
    rounded = curve(foot * 1.1, r, 0.85 * h, random.uniform(0.7, 1.2))
    outside = [(foot, 0.0), *[(x, z + 0.004) for x, z in rounded], (r * random.uniform(1.0, 1.08), h + 0.004)]
    return _handled(random, meshes.vessel(outside, 0.0028, 0.008), outside)


def _mug_tankard(random: Random) -> Asset:
    """Return a tall thick mug with bands or facets and a large handle, perhaps closed by a lid."""
    r = random.uniform(0.036, 0.046)
    h, foot = r * random.uniform(2.5, 3.5), r * random.uniform(1.0, 1.22)
    outside = [(foot * 1.06, 0.0), (foot * 1.06, 0.07 * h), (foot, 0.1 * h), (r, 0.9 * h), (r * 1.04, h)]
    body = meshes.vessel(outside, 0.005, 0.012, int(random.choice([8, 12, 32, 32])))
    tint, more = accent(random, 0.6), []
    for z in (0.2, 0.78) if random.random() < 0.4 else ():
        more.append(Part(band(outside, z * h, (z + 0.06) * h, 0.0015), tint))
    if random.random() < 0.25:
        lid = meshes.lathe([(0, -0.001), (r * 1.08, -0.001), (r * 1.08, 0.006), (r * 0.4, 0.014), (0, 0.014)])
        more.append(Part(lid.moved(z=h), tint))
    return _handled(random, body, outside, tuple(more))


TABLEWARE: dict[str, tuple[Builder, ...]] = {
    "cup": (_cup_tumbler, _cup_paper, _cup_tea, _cup_ringed, _cup_footed, _cup_belly),
    "mug": (_mug_enamel, _mug_round, _mug_cone, _mug_teacup, _mug_tankard),
    **DISHES,
    **BOTTLES,
    **KITCHEN,
    **BOXES,
}
