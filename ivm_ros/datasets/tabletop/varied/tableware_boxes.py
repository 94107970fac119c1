"""More designs of trays and boxes."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, PATTERNED, Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import cylinder
from ivm_ros.datasets.tabletop.varied.shapes_tableware import accent, bow, rounded_block, rounded_vessel

_SERVING = ("plain", "plain", "plain", "wooden", "striped", "checkered")
_BAKING = ("plain", "plain", "plain", "metal")
_CARTON = ("plain", "plain", "print", "striped")
_CRAFTED = (*PATTERNED, "wooden", "wooden")
_BROWN = ("brown", "brown", *ANY)


def _sides(random: Random, low: float = 0.2, high: float = 0.3) -> tuple[float, float]:
    x = random.uniform(low, high)
    return x, x * random.uniform(0.55, 0.8)


def _tray_flared(random: Random) -> Asset:
    """Return a canteen tray with round corners and a slanting, perhaps lipped edge."""
    x, y = _sides(random)
    h, out = random.uniform(0.014, 0.035), random.uniform(0.004, 0.016)
    levels = [(0.0, 0.0), (0.8 * out, 0.96 * h), (out + random.uniform(0, 0.008), h)]
    mesh = rounded_vessel(x, y, y * random.uniform(0.06, 0.3), levels, 0.003, 0.004)
    return Asset("tray", (Part(mesh),), finishes=_SERVING, support=Support(0.004, 0.45 * y))


def _tray_slotted(random: Random) -> Asset:
    """Return a butler's tray of boards; its short sides are higher and have openings for the hands."""
    x, y = _sides(random)
    side, end, wall = random.uniform(0.015, 0.03), random.uniform(0.042, 0.06), random.uniform(0.005, 0.009)
    slot = 0.5 * y * random.uniform(0.6, 0.9)
    post = (y - slot) / 2
    board = meshes.box(wall, y, end - 0.025)
    uprights = [meshes.box(wall, post, 0.016).moved(y=s * (slot + post) / 2, z=end - 0.025) for s in (-1, 1)]
    grip = meshes.box(wall, y, 0.009).moved(z=end - 0.009)
    ends = meshes.merge(board, *uprights, grip).moved(x=x / 2 - wall / 2)
    long = meshes.box(x - 2 * wall, wall, side).moved(y=y / 2 - wall / 2)
    base = meshes.box(x - 2 * wall, y - 2 * wall, 0.005)
    mesh = meshes.merge(base, ends, ends.turned("z", 180), long, long.turned("z", 180))
    return Asset("tray", (Part(mesh),), finishes=(*_SERVING, "wooden"), support=Support(0.005, 0.42 * y))


def _tray_grips(random: Random) -> Asset:
    """Return a tray with a low straight edge and a bow at each short side, standing or flat."""
    x, y = _sides(random, 0.18, 0.26)
    h = random.uniform(0.014, 0.03)
    levels = [(0.0, 0.0), (0.001, 0.4 * h), (0.002, h)]
    mesh = rounded_vessel(x, y, y * random.uniform(0.05, 0.45), levels, 0.004, 0.005)
    half, out = y * random.uniform(0.16, 0.28), random.uniform(0.018, 0.03)
    handle = bow(half, out, random.uniform(0.003, 0.005), 0.5).turned("x", 90)
    if random.random() < 0.5:
        handle = handle.turned("y", -80)
    placed = handle.moved(x=x / 2, z=0.8 * h)
    grips = Part(meshes.merge(placed, placed.turned("z", 180)), accent(random, 0.6))
    return Asset("tray", (Part(mesh), grips), finishes=_SERVING, support=Support(0.005, 0.42 * y))


def _tray_parted(random: Random) -> Asset:
    """Return a tray with compartments."""
    x, y = _sides(random, 0.18, 0.3)
    h, wall = random.uniform(0.02, 0.04), random.uniform(0.003, 0.006)
    levels = [(0.0, 0.0), (0.002, 0.5 * h), (0.004, h)]
    body = rounded_vessel(x, y, 0.012, levels, wall, 0.004)
    split, top = x * random.uniform(-0.12, 0.2), h * random.uniform(0.65, 0.95)
    walls = [meshes.box(wall, y, top).moved(x=split)]
    for count, low, high in (
        (int(random.integers(0, 3)), -x / 2, split),
        (int(random.integers(1, 4)), split, x / 2),
    ):
        for number in range(count):
            bar = meshes.box(high - low, wall, top).moved(x=(low + high) / 2)
            walls.append(bar.moved(y=y * ((number + 1) / (count + 1) - 0.5)))
    return Asset("tray", (Part(meshes.merge(body, *walls)),), finishes=_SERVING)


def _tray_baking(random: Random) -> Asset:
    """Return a baking sheet: thin, with a rolled edge or one open side."""
    x, y = _sides(random, 0.2, 0.29)
    h = random.uniform(0.014, 0.026)
    levels = [(0.0, 0.0), (0.003, h - 0.003), (0.006, h - 0.001), (0.006, h + 0.001)]
    mesh = rounded_vessel(x, y, random.uniform(0.004, 0.02), levels, 0.002, 0.003)
    ears = [meshes.merge(mesh)]
    if random.random() < 0.4:
        ear = rounded_block(0.03, 0.45 * y, 0.008, [(0, 0), (0, 0.003)]).moved(x=x / 2 + 0.012, z=h - 0.003)
        ears += [ear, ear.turned("z", 180)]
    colors = ("gray", "gray", "black", *ANY)
    support = Support(0.003, 0.45 * y)
    return Asset("tray", (Part(meshes.merge(*ears)),), colors, _BAKING, support=support)


def _measures(random: Random) -> tuple[float, float, float]:
    """Draw the sides of a box that is longer than high."""
    x = random.uniform(0.08, 0.18)
    y = x * random.uniform(0.5, 0.9)
    return x, y, min(y, 0.12) * random.uniform(0.5, 0.95)


def _open_box(x: float, y: float, z: float, wall: float) -> Mesh:
    return rounded_vessel(x, y, 0.001, [(0, 0), (0, 0.5 * z), (0, z)], wall, wall)


def _box_taped(random: Random) -> Asset:
    """Return a closed parcel with tape along it and perhaps a label."""
    x, y, z = _measures(random)
    wide, long, thin = y * random.uniform(0.14, 0.24), x + 0.0012, 0.0008
    down = z * random.uniform(0.15, 0.4)
    tape = [meshes.box(long, wide, thin).moved(z=z - 0.0002)]
    tape += [meshes.box(thin, wide, down).moved(x=s * x / 2, z=z - down) for s in (-1, 1)]
    parts = [Part(meshes.box(x, y, z)), Part(meshes.merge(*tape), accent(random, 0.9))]
    if random.random() < 0.5:
        label = meshes.box(0.3 * x, thin, 0.4 * z).moved(x=0.2 * x, y=-y / 2, z=0.3 * z)
        parts.append(Part(label, (0.93, 0.93, 0.92)))
    return Asset("box", tuple(parts), _BROWN, _CARTON, support=Support(z + 0.0006, 0.42 * y))


def _box_flaps(random: Random) -> Asset:
    """Return an opened carton whose flaps stand out at their own angles."""
    x, y, z = _measures(random)
    length, wall = y * random.uniform(0.28, 0.48), random.uniform(0.002, 0.004)
    flaps = []
    for number, (wide, away) in enumerate(((y, x), (x, y), (y, x), (x, y))):
        if random.random() < 0.12:
            continue
        flap = meshes.box(length, wide - 0.004, wall).moved(x=length / 2)
        lifted = flap.turned("y", random.uniform(-75, 55)).moved(x=away / 2 - wall / 2, z=z - wall / 2)
        flaps.append(lifted.turned("z", 90 * number))
    body = meshes.merge(_open_box(x, y, z, wall), *flaps)
    return Asset("box", (Part(body),), _BROWN, _CARTON, support=Support(wall, 0.42 * y))


def _box_lidded(random: Random) -> Asset:
    """Return a shoe box: its lid reaches over its sides, straight or askew."""
    x, y, z = _measures(random)
    deep, over = z * random.uniform(0.15, 0.45), random.uniform(0.0015, 0.004)
    lid = rounded_block(x, y, 0.002, [(over, 0), (over, deep), (over - 0.001, deep + 0.001)])
    turn = random.uniform(3, 9) if random.random() < 0.3 else 0.0
    lid = lid.turned("z", turn).moved(z=z - deep + (deep if turn else 0.0))
    top = float(lid.vertices[:, 2].max())
    parts = (Part(meshes.box(x, y, z)), Part(lid))
    return Asset("box", parts, _BROWN, _CRAFTED, support=Support(top, 0.42 * y))


def _box_gift(random: Random) -> Asset:
    """Return a present: a lid, ribbon around it both ways and a bow on top."""
    x, y, z = _measures(random)
    over = random.uniform(0.0, 0.003)
    lid = rounded_block(x, y, 0.001, [(over, 0.72 * z), (over, z)])
    wide, out = y * random.uniform(0.08, 0.18), 2 * over + 0.003
    strips = [meshes.box(x + out, wide, z + 0.001), meshes.box(wide, y + out, z + 0.001)]
    loop = bow(0.07 * y, 0.2 * y, 0.002, 1.0, flat=random.uniform(3, 5)).moved(z=z + 0.09 * y)
    knot = meshes.ellipsoid(0.1 * y, 0.09 * y, 0.07 * y, 14).moved(z=z + 0.06 * y)
    yaw = random.uniform(20, 70)
    ribbon = meshes.merge(*strips, knot, loop.turned("z", yaw), loop.turned("z", yaw + 180))
    parts = (Part(meshes.merge(meshes.box(x, y, 0.9 * z), lid)), Part(ribbon, accent(random, 1.0)))
    return Asset("box", parts, finishes=("plain", "plain", "striped", "checkered", "print"))


def _box_tub(random: Random) -> Asset:
    """Return a plastic storage box with round corners, a rim, clips and perhaps a lid."""
    x, y, z = _measures(random)
    levels = [(-0.08 * z, 0.0), (-0.01 * z, 0.9 * z), (0.004, 0.92 * z), (0.004, z)]
    corner = y * random.uniform(0.1, 0.25)
    tub = rounded_vessel(x, y, corner, levels, 0.003, 0.004)
    tint = accent(random, 0.5)
    clip = rounded_block(0.006, 0.3 * y, 0.002, [(0, 0.78 * z), (0, 1.06 * z)]).moved(x=x / 2 + 0.005)
    clips = Part(meshes.merge(clip, clip.turned("z", 180)), tint)
    if random.random() < 0.3:
        return Asset("box", (Part(tub), clips), finishes=PATTERNED, support=Support(0.004, 0.38 * y))
    top = [(0.004, z), (0.005, z + 0.004), (-0.004, z + 0.006), (-0.01, z + 0.004), (-0.015, z + 0.004)]
    lid = Part(rounded_block(x, y, corner, top), None)
    return Asset("box", (Part(tub), clips, lid), finishes=PATTERNED, support=Support(z + 0.004, 0.36 * y))


def _box_chest(random: Random) -> Asset:
    """Return a chest with a vaulted lid, bands and a lock."""
    x, y, z = _measures(random)
    vault = random.uniform(0.45, 0.85)
    z = max(z, 0.55 * y * vault)

    angles = np.linspace(math.pi, 0, 15)
    arc = [(0.0, y / 2 * math.cos(a), z + y / 2 * vault * math.sin(a)) for a in angles]
    strap = meshes.tube(
        [(0, -y / 2, 0.001), (0, -y / 2, 0.5 * z), *arc, (0, y / 2, 0.5 * z), (0, y / 2, 0.001)], 0.0016, 8
    )
    strap = strap.scaled((random.uniform(2.0, 0.028 * x / 0.0016 + 1), 1, 1))
    bands = [strap.moved(x=side * x * random.uniform(0.3, 0.4)) for side in (-1, 1)]
    lock = meshes.box(0.12 * x, 0.006, 0.14 * x).moved(y=-y / 2, z=z - 0.07 * x)
    barrel = cylinder(y / 2, x, 36).moved(z=-x / 2).turned("y", 90).scaled((1, 1, vault)).moved(z=z)
    body = meshes.merge(meshes.box(0.985 * x, y, z), barrel)
    return Asset("box", (Part(body), Part(meshes.merge(*bands, lock), accent(random, 0.9))), _BROWN, _CRAFTED)


def _box_hinged(random: Random) -> Asset:
    """Return an open box with its lid up at its back edge, as of jewels or tools."""
    x, y, z = _measures(random)
    wall = random.uniform(0.003, 0.007)
    lid = rounded_vessel(x, y, 0.001, [(0, 0), (0, 0.1 * z + wall), (0, 0.25 * z + wall)], wall, wall)
    closed = lid.moved(z=-0.25 * z - wall).turned("x", 180).moved(y=-y / 2)
    opened = closed.turned("x", -random.uniform(65, 115)).moved(y=y / 2, z=z)
    body = meshes.merge(_open_box(x, y, z, wall), opened)
    clasp = Part(meshes.box(0.1 * x, 0.003, 0.15 * z).moved(y=-y / 2, z=0.78 * z), accent(random, 0.9))
    return Asset("box", (Part(body), clasp), _BROWN, _CRAFTED, support=Support(wall, 0.42 * y))


TRAYS: tuple[Builder, ...] = (_tray_flared, _tray_slotted, _tray_grips, _tray_parted, _tray_baking)

BOXES: dict[str, tuple[Builder, ...]] = {
    "tray": TRAYS,
    "box": (_box_taped, _box_flaps, _box_lidded, _box_gift, _box_tub, _box_chest, _box_hinged),
}
