"""More designs of bowls and plates."""

from __future__ import annotations

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import PATTERNED, Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import cylinder, lobed
from ivm_ros.datasets.tabletop.varied.shapes_tableware import accent, band, curve, rounded_vessel, squared

_CAMPING = (*PATTERNED, "metal")
_TURNED = (*PATTERNED, "wooden", "wooden")


def _bowl(body: Mesh, floor: float, radius: float, *more: Part, finishes: tuple[str, ...] = _TURNED) -> Asset:
    return Asset("bowl", (Part(body), *more), finishes=finishes, support=Support(floor, radius))


def _bowl_footed(random: Random) -> Asset:
    """Return a rice or noodle bowl on a ring, round or with a lip."""
    r = random.uniform(0.055, 0.085)
    h, foot, base = (
        r * random.uniform(0.62, 0.95),
        r * random.uniform(0.38, 0.55),
        random.uniform(0.006, 0.014),
    )
    rounded = curve(foot * 1.1, r, h, random.uniform(0.75, 1.3))
    lip = (r * random.uniform(1.0, 1.1), base + h * 1.06)
    outside = [(foot, 0.0), (foot * 1.03, base * 0.9), *[(x, z + base) for x, z in rounded], lip]
    trim = Part(band(outside, base + 0.9 * h, base + 1.03 * h, 0.0018), accent(random, 0.8))
    more = (trim,) if random.random() < 0.35 else ()
    return _bowl(meshes.vessel(outside, 0.0035, base + 0.004), base + 0.004, 0.9 * foot, *more)


def _bowl_conical(random: Random) -> Asset:
    r = random.uniform(0.06, 0.1)
    h, foot = r * random.uniform(0.6, 0.85), r * random.uniform(0.28, 0.5)
    middle = foot + (r - foot) * random.uniform(0.45, 0.65)
    near = (foot + 0.1 * (middle - foot), 0.05 * h + 0.005)
    outside = [(0.9 * foot, 0.0), (foot, 0.0), near, (middle, 0.5 * h), (r, h)]
    body = meshes.vessel(
        outside, random.uniform(0.003, 0.006), 0.006, int(random.choice([6, 8, 10, 36, 36, 36]))
    )
    return _bowl(body, 0.006, 0.85 * foot)


def _bowl_straight(random: Random) -> Asset:
    """Return a low bowl with steep sides and a flat floor."""
    r = random.uniform(0.055, 0.085)
    h, foot = r * random.uniform(0.58, 0.8), r * random.uniform(0.75, 0.96)
    outside = [(foot * 0.85, 0.0), (foot * 0.95, 0.05 * h), (foot, 0.16 * h), (r, h)]
    body = meshes.vessel(outside, random.uniform(0.003, 0.006), 0.006, 48)
    if random.random() < 0.35:
        body = squared(body, random.uniform(3.0, 7.0))
    return _bowl(body, 0.006, 0.75 * foot)


def _bowl_mixing(random: Random) -> Asset:
    """Return a deep bowl with a rolled or wide rim."""
    r = random.uniform(0.065, 0.11)
    h, foot = r * random.uniform(0.75, 1.0), r * random.uniform(0.42, 0.65)
    edge = r * random.uniform(0.03, 0.16)
    wide = [(r + edge, h + 0.001), (r + edge, h + 0.004)]
    outside = [*curve(foot, r, h, random.uniform(0.6, 1.0)), *wide]
    body = meshes.vessel(outside, 0.003, 0.005)
    inner = meshes.lathe(
        [(r - 0.004, h - 0.001), (r + edge, h + 0.003), (r + edge, h + 0.004), (r - 0.003, h + 0.004)]
    )
    return _bowl(meshes.merge(body, inner), 0.005, 0.9 * foot, finishes=_CAMPING)


def _bowl_lobed(random: Random) -> Asset:
    """Return a bowl in the shape of a flower."""
    r = random.uniform(0.06, 0.09)
    h, foot = r * random.uniform(0.6, 0.85), r * random.uniform(0.4, 0.6)
    body = meshes.vessel([*curve(foot, r, h, random.uniform(0.8, 1.2))], 0.0035, 0.005, 72)
    body = lobed(body, int(random.integers(5, 11)), random.uniform(0.04, 0.1))
    return _bowl(body, 0.005, 0.75 * foot)


def _plate(body: Mesh, floor: float, radius: float, *more: Part) -> Asset:
    return Asset("plate", (Part(body), *more), finishes=_TURNED, support=Support(floor, radius))


def _round_plate(random: Random, r: float, h: float, segments: int = 48) -> tuple[Mesh, float]:
    """Return a plate with a smooth or a stepped rim, and the radius of its flat middle."""
    well = r * random.uniform(0.5, 0.74)
    if random.random() < 0.5:
        edge = [(well, 0.0), (0.6 * well + 0.4 * r, 0.16 * h), (r, h)]
    else:
        edge = [(well, 0.0), (well + 0.06 * r, h * random.uniform(0.55, 0.8)), (r, h)]
    edge.insert(0, (0.93 * well, 0.0))
    upper = [(x - 0.002, z + 0.0038) for x, z in reversed(edge)]
    return meshes.lathe([(0, 0), *edge, *upper, (0, 0.0038)], segments), well


def _plate_rimmed(random: Random) -> Asset:
    r = random.uniform(0.075, 0.14)
    h = r * random.uniform(0.12, 0.26)
    body, well = _round_plate(random, r, h, int(random.choice([6, 8, 12, 48, 48, 48])))
    rings = []
    if len(body.vertices) > 200 and random.random() < 0.45:
        rings.append(Part(meshes.ring(r - 0.001, 0.0045).moved(z=h), accent(random, 0.9)))
    return _plate(body, 0.0038, 0.9 * well * (1.0 if len(body.vertices) > 200 else 0.85), *rings)


def _plate_wavy(random: Random) -> Asset:
    """Return a paper plate with many flutes or a scalloped one with few."""
    r = random.uniform(0.08, 0.125)
    body, well = _round_plate(random, r, r * random.uniform(0.14, 0.24), 96)
    count = int(random.integers(6, 25))
    body = lobed(body, count, random.uniform(0.2, 0.5) / count)
    return _plate(body, 0.0038, 0.85 * well)


def _plate_square(random: Random) -> Asset:
    """Return a rectangular plate with round corners and a rim that slants outwards."""
    x = random.uniform(0.15, 0.23)
    y, out, h = x * random.uniform(0.8, 1.0), x * random.uniform(0.06, 0.14), random.uniform(0.015, 0.025)
    a, b = x - 2 * out, y - 2 * out
    corner = 0.5 * b * random.uniform(0.15, 0.7)
    foot = [(-0.01, 0.0), (0.0, 0.0), (0.07 * out, 0.0045)]
    levels = [*foot, (0.4 * out, h * random.uniform(0.5, 0.85)), (out, h)]
    return _plate(rounded_vessel(a, b, corner, levels, 0.002, 0.004), 0.004, 0.4 * b)


def _plate_oval(random: Random) -> Asset:
    r = random.uniform(0.1, 0.16)
    body, well = _round_plate(random, r, r * random.uniform(0.1, 0.17))
    narrow = random.uniform(0.62, 0.82)
    return _plate(body.scaled((1, narrow, 1)), 0.0038, 0.85 * well * narrow)


def _plate_divided(random: Random) -> Asset:
    """Return a plate with low ridges that part it into three, or a coupe with a raised middle ring."""
    r = random.uniform(0.08, 0.13)
    h = r * random.uniform(0.14, 0.22)
    body, well = _round_plate(random, r, h)
    if random.random() < 0.3:
        ring = meshes.ring(0.45 * well, 0.005).moved(z=0.0022)
        return _plate(meshes.merge(body, ring), 0.0038, 0.4 * well)
    bars = []
    for angle in (0.0, random.uniform(95, 130), random.uniform(200, 265)):
        ridge = meshes.wedge(0.97 * well, 0.008, 0.006).moved(x=0.49 * well, z=0.0035)
        bars.append(ridge.turned("z", angle))
    hub = cylinder(0.005, 0.0095, 12)
    return _plate(meshes.merge(body, hub, *bars), 0.0095, 0.7 * well)


DISHES: dict[str, tuple[Builder, ...]] = {
    "bowl": (_bowl_footed, _bowl_conical, _bowl_straight, _bowl_mixing, _bowl_lobed),
    "plate": (_plate_rimmed, _plate_wavy, _plate_square, _plate_oval, _plate_divided),
}
