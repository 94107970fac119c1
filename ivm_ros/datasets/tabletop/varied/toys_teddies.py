"""More designs of teddies: sitting, standing, lying, dressed, hugging something, of few facets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random, Rgb
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import chance, pick_rgb, set_down
from ivm_ros.datasets.tabletop.varied.shapes_toys import DARK, blob, drum, limb, pair, rounded_box, sleeve

COLORS = ("brown",) * 8 + (
    "white",
    "white",
    "pink",
    "black",
    "gray",
    "yellow",
    "purple",
    "blue",
    "red",
    "orange",
)
PALE: tuple[Rgb, ...] = ((0.87, 0.74, 0.56), (0.93, 0.88, 0.78), (0.7, 0.55, 0.4), (0.95, 0.8, 0.8))
Place = tuple[float, float, float]


@dataclass(frozen=True)
class _Body:
    """Measures of a bear that looks along x: half axes of the trunk, radius of the head, places in metres."""

    trunk: Place
    middle: Place
    head: float
    face: Place
    segments: int = 16


def _measures(random: Random, tall: tuple[float, float] = (0.9, 1.3)) -> _Body:
    wide = random.uniform(0.025, 0.042)
    high = wide * random.uniform(*tall)
    deep, head = wide * random.uniform(0.75, 1.0), wide * random.uniform(0.75, 1.2)
    return _Body((deep, wide, high), (0, 0, high), head, (0.1 * deep, 0, 1.8 * high + 0.75 * head))


def _head(random: Random, bear: _Body) -> list[Part]:
    """Return head with ears, muzzle, nose and eyes."""
    r, (x, y, z), n = bear.head, bear.face, bear.segments
    ear, out, up = r * random.uniform(0.28, 0.45), random.uniform(0.65, 0.85), random.uniform(0.6, 0.85)
    main = [blob((0.92 * r, r * random.uniform(1.0, 1.12), 0.95 * r), (x, y, z), n)]
    main.append(pair((0.5 * ear, ear, ear), (x, out * r, z + up * r), min(n, 14)))
    pale = PALE[int(random.integers(len(PALE)))]
    long, low = r * random.uniform(0.3, 0.5), z - r * random.uniform(0.2, 0.35)
    muzzle = blob((long, r * random.uniform(0.38, 0.52), 0.34 * r), (x + 0.75 * r, y, low), min(n, 14))
    inner = pair((0.3 * ear, 0.6 * ear, 0.6 * ear), (x + 0.3 * ear, out * r, z + up * r), 10)
    light = [muzzle, inner] if chance(random, 0.5) else [muzzle]
    nose = blob((0.1 * r, 0.17 * r, 0.12 * r), (x + 0.75 * r + 0.95 * long, y, low + 0.12 * r), 10)
    eye, side = r * random.uniform(0.08, 0.15), r * random.uniform(0.3, 0.42)
    eyes = pair((eye,) * 3, (x + 0.82 * r, side, z + r * random.uniform(0.12, 0.3)), 8)
    plain = chance(random, 0.25)
    tint = None if plain else pale
    return [Part(meshes.merge(*main)), Part(meshes.merge(*light), tint), Part(meshes.merge(nose, eyes), DARK)]


def _both(start: Place, end: Place, thick: float, thin: float) -> Mesh:
    """Return two limbs, the second mirrored in y."""
    (a, b, c), (d, e, f) = start, end
    sides = [limb((a, s * b, c), (d, s * e, f), thick, thin, 10) for s in (1, -1)]
    return meshes.merge(*sides)


def _trunk(random: Random, bear: _Body) -> list[Part]:
    """Return the trunk, with a pale belly at times."""
    deep, wide, high = bear.trunk
    parts = [Part(blob(bear.trunk, bear.middle, bear.segments))]
    if chance(random, 0.4):
        x, y, z = bear.middle
        belly = blob((0.5 * deep, 0.62 * wide, 0.62 * high), (x + 0.58 * deep, y, z), min(bear.segments, 14))
        parts.append(Part(belly, PALE[int(random.integers(len(PALE)))]))
    return parts


def _arms(random: Random, bear: _Body, forward: tuple[float, float], up: tuple[float, float]) -> Part:
    """Return arms from the shoulders to hands this far forward and up, in parts of the trunk's height."""
    _, wide, high = bear.trunk
    x, _, z = bear.middle
    thick = wide * random.uniform(0.27, 0.4)
    ahead, rise = random.uniform(*forward) * high, random.uniform(*up) * high
    out = wide * random.uniform(1.0, 1.35)
    hand = (x + ahead, out, z + 0.5 * high + rise)
    return Part(_both((x, 0.75 * wide, z + 0.5 * high), hand, thick, thick * random.uniform(0.8, 1.1)))


def _legs_forward(random: Random, bear: _Body) -> list[Part]:
    """Return the legs of a sitting bear, with pale soles at times."""
    deep, wide, _ = bear.trunk
    thick = wide * random.uniform(0.34, 0.48)
    start, toe = (
        (0.2 * deep, 0.5 * wide, thick),
        (deep * random.uniform(1.4, 2.0), wide * random.uniform(0.65, 1), thick),
    )
    parts = [Part(_both(start, toe, thick, thick * random.uniform(0.9, 1.1)))]
    if chance(random, 0.4):
        soles = pair((0.12 * thick, 0.65 * thick, 0.7 * thick), (toe[0] + 1.02 * thick, toe[1], toe[2]), 10)
        parts.append(Part(soles, PALE[int(random.integers(len(PALE)))]))
    return parts


def _legs_down(random: Random, bear: _Body) -> list[Part]:
    """Return the legs of a standing bear, with feet."""
    _, wide, high = bear.trunk
    thick, drop = wide * random.uniform(0.34, 0.46), high * random.uniform(0.3, 0.8)
    foot = wide * random.uniform(0.5, 0.62)
    legs = _both((0, 0.5 * wide, 0.4 * high), (0, 0.52 * wide, -drop), thick, thick)
    feet = pair((1.3 * thick, thick * 1.05, 0.75 * thick), (0.3 * thick, foot, -drop - 0.4 * thick))
    return [Part(meshes.merge(legs, feet))]


def _neckwear(random: Random, bear: _Body) -> list[Part]:
    """Return nothing, a bow, or a scarf."""
    x, _, z = bear.face
    r, low = bear.head, z - 0.85 * bear.head
    kind = int(random.integers(3))
    if kind == 0:
        return []
    if kind == 1:
        loops = pair((0.14 * r, 0.32 * r, 0.2 * r), (x + 0.75 * r, 0.3 * r, low), 10)
        return [Part(meshes.merge(loops, blob((0.16 * r,) * 3, (x + 0.8 * r, 0, low), 8)), pick_rgb(random))]
    scarf = sleeve(0.3 * r, 0.78 * r, -0.13 * r, 0.13 * r, 20).moved(x, 0, low)
    end = rounded_box(0.12 * r, 0.3 * r, 0.8 * r, 0.03 * r, 1).moved(x + 0.78 * r, 0.25 * r, low - 0.75 * r)
    return [Part(meshes.merge(scarf, end), pick_rgb(random))]


def _teddy(parts: list[Part]) -> Asset:
    return Asset("teddy", set_down(parts), COLORS)


def _teddy_sitting(random: Random) -> Asset:
    """A plush bear that sits, with a large or a small head, its arms hanging, held out or raised."""
    bear = _measures(random)
    parts = [*_head(random, bear), *_trunk(random, bear), *_legs_forward(random, bear)]
    return _teddy([*parts, _arms(random, bear, (0.1, 0.9), (-0.9, 0.6)), *_neckwear(random, bear)])


def _upright(random: Random) -> list[Part]:
    bear = _measures(random, (1.0, 1.5))
    parts = [*_head(random, bear), *_trunk(random, bear), *_legs_down(random, bear)]
    return [*parts, _arms(random, bear, (0.0, 0.5), (-1.0, 0.7)), *_neckwear(random, bear)]


def _teddy_standing(random: Random) -> Asset:
    """A slim bear on its feet."""
    return _teddy(_upright(random))


def _moved(parts: list[Part], change: Callable[[Mesh], Mesh]) -> list[Part]:
    return [replace(part, mesh=change(part.mesh)) for part in parts]


def _teddy_lying(random: Random) -> Asset:
    """A floppy bear on its back or its side."""
    side = 90.0 if chance(random, 0.3) else 0.0
    parts = _moved(_upright(random), lambda mesh: mesh.turned("y", -90).turned("x", side))
    return _teddy(_moved(parts, lambda mesh: mesh.turned("z", 180)))


def _teddy_dressed(random: Random) -> Asset:
    """A sitting bear with a jersey, a hat or a crown."""
    bear = _measures(random, (0.9, 1.2))
    arms = _arms(random, bear, (0.1, 0.8), (-0.8, 0.2))
    parts = [*_head(random, bear), Part(blob(bear.trunk, bear.middle)), *_legs_forward(random, bear), arms]
    tint, r, (x, y, z) = pick_rgb(random), bear.head, bear.face
    if chance(random, 0.65):
        angles = np.linspace(-0.3, 1.2, 6)
        shell = [(1.04 * float(np.cos(a)), 1.04 * float(np.sin(a))) for a in angles]
        jersey = meshes.lathe([(0.9, shell[0][1]), *shell, (0.0, shell[-1][1])], 24)
        parts.append(Part(jersey.scaled(bear.trunk).moved(*bear.middle), tint))
    if chance(random, 0.6):
        brim = drum(r * random.uniform(0.6, 0.85), 0.1 * r, 0.03 * r, 1, 20)
        crown = drum(0.48 * r, r * random.uniform(0.3, 0.7), 0.08 * r, 2, 20)
        parts.append(Part(meshes.merge(brim, crown).turned("y", -8).moved(x, y, z + 0.82 * r), tint))
    return _teddy(parts)


def _teddy_hugging(random: Random) -> Asset:
    """A sitting bear that holds a heart, a ball or a cushion before its belly."""
    bear = _measures(random)
    deep, wide, high = bear.trunk
    size, ahead = wide * random.uniform(0.4, 0.55), deep + 0.25 * wide
    z = high * random.uniform(0.95, 1.15)
    arms = _both((0, 0.8 * wide, 1.45 * high), (ahead, 1.05 * size, z), 0.33 * wide, 0.28 * wide)
    parts = [*_head(random, bear), *_trunk(random, bear)[:1], *_legs_forward(random, bear), Part(arms)]
    kind = int(random.integers(3))
    if kind == 0:
        held = blob((size,) * 3, (ahead, 0, z))
    elif kind == 1:
        held = rounded_box(0.6 * size, 2 * size, 1.7 * size, 0.2 * size).moved(ahead, 0, z - 0.85 * size)
    else:
        lobes = [
            limb(
                (ahead, s * 0.45 * size, z + 0.4 * size), (ahead, 0, z - 0.8 * size), 0.55 * size, 0.12 * size
            )
            for s in (1, -1)
        ]
        held = meshes.merge(*lobes)
    return _teddy([*parts, Part(held, pick_rgb(random, "red", "red", "pink", "blue", "yellow", "green"))])


def _teddy_facets(random: Random) -> Asset:
    """A bear of few facets, as carved or cast."""
    bear = replace(_measures(random), segments=int(random.integers(6, 9)))
    legs = _legs_forward if chance(random, 0.6) else _legs_down
    parts = [*_head(random, bear), *_trunk(random, bear), *legs(random, bear)]
    parts.append(_arms(random, bear, (0.0, 0.7), (-0.9, 0.3)))
    return replace(_teddy(parts), finishes=("plain", "plain", "wooden"))


TEDDIES: tuple[Builder, ...] = (
    _teddy_sitting,
    _teddy_standing,
    _teddy_lying,
    _teddy_dressed,
    _teddy_hugging,
    _teddy_facets,
)
