"""More designs of ducks, and the table of the designs of all toys."""

from __future__ import annotations

import math

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, PATTERNED, Asset, Builder, Part, Random, Rgb
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import chance, flattened, pick_rgb, set_down
from ivm_ros.datasets.tabletop.varied.shapes_toys import DARK, blob, drum, limb, pair, rounded_box, sleeve
from ivm_ros.datasets.tabletop.varied.toys_balls import BALLS
from ivm_ros.datasets.tabletop.varied.toys_bricks import BRICKS
from ivm_ros.datasets.tabletop.varied.toys_columns import COLUMNS
from ivm_ros.datasets.tabletop.varied.toys_cubes import CUBES
from ivm_ros.datasets.tabletop.varied.toys_teddies import TEDDIES

DUCK_COLORS = ("yellow",) * 6 + ANY
BILLS: tuple[Rgb, ...] = ((0.95, 0.45, 0.05), (0.9, 0.25, 0.05), (0.95, 0.7, 0.1), (0.75, 0.1, 0.08))


def _face(random: Random, at: tuple[float, float, float], r: float, long: float = 1.0) -> list[Part]:
    """Return bill and eyes of a round head of radius `r` that looks along x."""
    x, y, z = at
    length, width = long * r * random.uniform(0.4, 0.75), r * random.uniform(0.4, 0.7)
    thick = r * random.uniform(0.12, 0.24)
    bill = blob((length, width, thick), (x + 0.85 * r + length * 0.5, y, z - 0.15 * r))
    if chance(random, 0.4):
        upper = blob((length, width, thick), (0.5 * length, 0, 0)).turned("y", -random.uniform(8, 20))
        bill = meshes.merge(bill, upper.moved(x + 0.8 * r, y, z))
    size, spread = r * random.uniform(0.1, 0.2), random.uniform(0.35, 0.6)
    side = r * math.sin(spread)
    eyes = pair((size, size, size), (x + 0.9 * r * math.cos(spread), side, z + 0.38 * r), 8)
    parts = [Part(bill, BILLS[int(random.integers(len(BILLS)))]), Part(eyes, DARK)]
    if chance(random, 0.3):
        whites = pair((size * 1.6,) * 3, (x + 0.8 * r * math.cos(spread), side * 0.95, z + 0.36 * r), 8)
        parts.append(Part(whites, (0.95, 0.95, 0.95)))
    return parts


def _feet(random: Random, x: float, y: float, size: float, top: float) -> Part:
    """Return two webbed feet on z = 0 with legs up to `top`."""
    foot = flattened(blob((size, 0.6 * size, 0.3 * size), (x + 0.5 * size, 0, 0)), 0.0)
    both = [foot.turned("z", turn).moved(y=side * y) for side, turn in ((1, 12), (-1, -12))]
    legs = [limb((x, side * y, 0.2 * size), (x, side * y, top), 0.22 * size, 0.22 * size) for side in (1, -1)]
    return Part(meshes.merge(*both, *legs), BILLS[int(random.integers(len(BILLS)))])


def _duck(parts: list[Part], *finishes: str, colors: tuple[str, ...] = DUCK_COLORS) -> Asset:
    return Asset("duck", set_down(parts), colors, finishes or ("plain",))


def _duck_bath(random: Random) -> Asset:
    """A fat or long bath duck, smooth or of few facets, some with a hat or a scarf."""
    long = random.uniform(0.035, 0.06)
    wide, high = long * random.uniform(0.65, 0.9), long * random.uniform(0.55, 0.85)
    r, segments = long * random.uniform(0.4, 0.62), int(random.choice([7, 9, 16, 20]))
    x, z = long * random.uniform(0.25, 0.65), 0.75 * high + r * random.uniform(0.7, 1.0)
    body = flattened(blob((long, wide, high), (0, 0, 0), segments), -high * random.uniform(0.6, 0.95))
    neck = limb((x * 0.8, 0, 0.3 * high), (x, 0, z), wide * 0.6, r * 0.7)
    tail = limb(
        (-0.6 * long, 0, 0.2 * high),
        (-long * random.uniform(1.0, 1.2), 0, high * 0.9),
        wide * 0.45,
        0.1 * long,
    )
    wing = blob((long * random.uniform(0.35, 0.55), 0.2 * wide, high * random.uniform(0.35, 0.5)), (0, 0, 0))
    lift = random.uniform(0, 30)
    wings = [wing.turned("y", lift).moved(-0.15 * long, s * 0.88 * wide, 0.15 * high) for s in (1, -1)]
    head = blob((r, r * random.uniform(0.9, 1.05), r * random.uniform(0.9, 1.1)), (x, 0, z), segments)
    parts = [Part(meshes.merge(body, neck, tail, *wings, head)), *_face(random, (x, 0, z), r)]
    if chance(random, 0.25):
        hat = meshes.merge(drum(0.75 * r, 0.1 * r, 0.03 * r), drum(0.45 * r, 0.6 * r, 0.05 * r))
        parts.append(Part(hat.moved(x, 0, z + 0.85 * r), pick_rgb(random)))
    if chance(random, 0.25):
        scarf = sleeve(0.5 * r, 0.92 * r, -0.13 * r, 0.13 * r).turned("y", 8)
        parts.append(Part(scarf.moved(x, 0, z - 0.75 * r), pick_rgb(random)))
    return _duck(parts)


def _duck_decoy(random: Random) -> Asset:
    """A long flat-bottomed decoy as hunters carve them, with a low or a raised head."""
    long = random.uniform(0.045, 0.085)
    wide, high = long * random.uniform(0.4, 0.55), long * random.uniform(0.32, 0.45)
    r = long * random.uniform(0.2, 0.26)
    body = flattened(blob((long, wide, high), (0, 0, 0), 20), -high * random.uniform(0.3, 0.6))
    back = meshes.tube(
        [(-0.7 * long, 0, 0.1 * high), (-1.0 * long, 0, 0.35 * high), (-1.18 * long, 0, 0.6 * high)],
        [0.6 * high, 0.4 * high, 0.05 * high],
    ).scaled((1, random.uniform(1.1, 1.6), 1))
    x, z = long * random.uniform(0.65, 0.9), 0.7 * high + r * random.uniform(0.8, 2.2)
    neck = limb((0.6 * long, 0, 0.3 * high), (x, 0, z), r * 1.05, r * 0.75)
    head = blob((1.25 * r, 0.8 * r, 0.9 * r), (x + 0.1 * r, 0, z + 0.1 * r))
    mallard = chance(random, 0.4)
    main = [body, back] if mallard else [body, back, neck, head]
    parts = [Part(meshes.merge(*main)), *_face(random, (x + 0.1 * r, 0, z), 1.02 * r, 1.4)]
    if mallard:
        parts.append(Part(meshes.merge(neck, head), pick_rgb(random, "green", "green", "brown", "black")))
    if chance(random, 0.4):
        patch = pair((0.25 * long, 0.1 * wide, 0.3 * high), (-0.35 * long, 0.86 * wide, 0.25 * high))
        parts.append(Part(patch, pick_rgb(random)))
    colors = ("brown", "brown", "white", "gray", "yellow", *ANY)
    return _duck(parts, "plain", "plain", "wooden", colors=colors)


def _duck_duckling(random: Random) -> Asset:
    """A ball with a large head on two webbed feet."""
    r = random.uniform(0.022, 0.04)
    body = blob((r, r * random.uniform(0.85, 1), r * random.uniform(0.8, 1.05)), (0, 0, 0), 20)
    size = r * random.uniform(0.6, 0.85)
    x, z = r * random.uniform(0.05, 0.4), r * random.uniform(1.2, 1.5)
    wing = blob((0.4 * r, 0.15 * r, 0.5 * r), (0, 0, -0.4 * r)).turned("x", random.uniform(15, 70))
    other = Mesh(wing.vertices * [1, -1, 1], wing.faces[:, ::-1])
    main = [body, blob((size,) * 3, (x, 0, z), 18)]
    main += [wing.moved(0, 0.85 * r, 0.3 * r), other.moved(0, -0.85 * r, 0.3 * r)]
    main.append(limb((-0.7 * r, 0, 0.1 * r), (-1.15 * r, 0, 0.45 * r), 0.35 * r, 0.1 * r))
    for turn in (-25, 0, 25)[: int(random.integers(0, 4))]:
        tuft = limb((0, 0, 0), (-0.3 * size, 0, 0.35 * size), 0.1 * size, 0.05 * size, 8)
        main.append(tuft.turned("z", turn).moved(x, 0, z + 0.9 * size))
    lift = r * random.uniform(0.95, 1.4)
    parts = [Part(meshes.merge(*main).moved(z=lift)), *_face(random, (x, 0, z + lift), size)]
    parts.append(_feet(random, 0.1 * r, 0.4 * r, r * random.uniform(0.45, 0.7), 0.5 * lift))
    return _duck(parts)


def _duck_plank(random: Random) -> Asset:
    """A pull-along duck sawn from a thick plank, on wheels."""
    long, thick = random.uniform(0.045, 0.075), random.uniform(0.018, 0.034)
    high, r = long * random.uniform(0.5, 0.65), long * random.uniform(0.34, 0.45)
    x, z = long * random.uniform(0.5, 0.75), high * random.uniform(1.15, 1.5)

    def plate(
        half: tuple[float, float], at: tuple[float, float], tilt: float = 0.0, deep: float = 1.0
    ) -> Mesh:
        flat = drum(1.0, 1.0, 0.08, 2, 24).moved(z=-0.5).scaled((half[0], half[1], thick * deep))
        return flat.turned("x", 90).turned("y", tilt).moved(at[0], 0, at[1])

    main = [plate((long, high), (0, 0), random.uniform(0, 12)), plate((r, r), (x, z))]
    main.append(plate((r * 0.7, 0.9 * z), (0.88 * x, 0.5 * z), 20, 0.98))
    main.append(plate((0.5 * long, 0.3 * high), (-0.85 * long, 0.45 * high), 35, 0.9))
    bill = plate((0.5 * r, 0.24 * r), (x + 1.15 * r, z - 0.1 * r), 5, 0.8)
    eye = drum(0.16 * r, thick * 1.06, 0.02 * r, 1, 12).moved(z=-thick * 0.53).turned("x", 90)
    parts = [Part(meshes.merge(*main)), Part(bill, BILLS[int(random.integers(len(BILLS)))])]
    parts.append(Part(eye.moved(x + 0.25 * r, 0, z + 0.25 * r), DARK))
    wing = plate((0.45 * long, 0.4 * high), (-0.15 * long, 0), -10, 1.15)
    parts.append(Part(wing, pick_rgb(random) if chance(random, 0.4) else None))
    if chance(random, 0.75):
        size, wide = high * random.uniform(0.4, 0.6), 0.3 * thick
        wheel = drum(size, wide, 0.15 * wide, 1, 20).moved(z=-wide / 2).turned("x", 90)
        out = (thick + wide) / 2
        wheels = [wheel.moved(i * 0.55 * long, j * out, -0.8 * high) for i in (1, -1) for j in (1, -1)]
        parts.append(Part(meshes.merge(*wheels), pick_rgb(random)))
    return _duck(parts, "plain", "plain", "wooden")


def _duck_blocky(random: Random) -> Asset:
    """A duck of rounded blocks, as of building toys and video games."""
    long = random.uniform(0.05, 0.09)
    wide, high = long * random.uniform(0.55, 0.8), long * random.uniform(0.35, 0.6)
    side, bevel = long * random.uniform(0.38, 0.55), long * random.uniform(0.02, 0.09)
    x, z = long * random.uniform(0.28, 0.45), high * random.uniform(0.85, 1.2)
    main = [rounded_box(long, wide, high, bevel), rounded_box(side, side, side, bevel).moved(x, 0, z)]
    main.append(rounded_box(0.7 * side, 0.7 * side, z, 0.3 * bevel).moved(0.9 * x, 0, 0.2 * high))
    main.append(
        rounded_box(0.3 * long, 0.5 * wide, 0.3 * high, 0.5 * bevel).moved(-0.52 * long, 0, 0.8 * high)
    )
    wing = rounded_box(0.5 * long, 0.12 * wide, 0.5 * high, 0.04 * wide)
    main += [wing.moved(-0.1 * long, s * 0.52 * wide, 0.35 * high) for s in (1, -1)]
    bill = rounded_box(0.5 * side, side * random.uniform(0.5, 0.9), 0.22 * side, 0.05 * side)
    eye = rounded_box(0.14 * side, 0.06 * side, 0.2 * side, 0.02 * side, 1)
    eyes = [eye.moved(x + 0.2 * side, s * 0.51 * side, z + 0.55 * side) for s in (1, -1)]
    parts = [Part(meshes.merge(*main)), Part(meshes.merge(*eyes), DARK)]
    parts.append(Part(bill.moved(x + 0.65 * side, 0, z + 0.22 * side), BILLS[int(random.integers(4))]))
    return _duck(parts, *PATTERNED)


TOYS: dict[str, tuple[Builder, ...]] = {
    "duck": (_duck_bath, _duck_decoy, _duck_duckling, _duck_plank, _duck_blocky),
    "teddy": TEDDIES,
    **BRICKS,
    **CUBES,
    **BALLS,
    **COLUMNS,
}
