"""Dishes, vessels and containers in other shapes than those of `kinds.tableware`."""

from __future__ import annotations

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, PATTERNED, Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.meshes import Mesh


def _cup(random: Random) -> Asset:
    """Draw a bell with a flared rim, or eight flat sides; those of training are smooth and straight."""
    r, h = random.uniform(0.036, 0.044), random.uniform(0.07, 0.1)
    if random.random() < 0.5:
        waist = random.uniform(0.42, 0.5)
        bell = [(0.75, 0.0), (waist, 0.1), (waist, 0.22), (0.85, 0.4), (0.92, 0.75), (1.1, 1.0)]
        body = meshes.vessel([(r * x, h * z) for x, z in bell], 0.003, 0.24 * h)
    else:
        body = meshes.vessel([(0.45 * r, 0), (r * 1.1, h)], 0.003, 0.006, segments=8)
    return Asset("cup", (Part(body),), finishes=PATTERNED, lies=True)


def _mug(random: Random) -> Asset:
    """Draw a low, conical mug with an angular handle; those of training are tall, with a round one."""
    r, h = random.uniform(0.046, 0.054), random.uniform(0.062, 0.074)
    body = meshes.vessel([(random.uniform(0.62, 0.72) * r, 0), (r, 0.8 * h), (r * 1.03, h)], 0.004, 0.006)
    out = random.uniform(0.024, 0.03)
    corners = [(0.9 * r, 0.88 * h), (r + out, 0.88 * h), (r + out, 0.45 * h), (0.8 * r, 0.3 * h)]
    path = [(x, 0.0, z) for x, z in corners]
    return Asset("mug", (Part(meshes.merge(body, meshes.tube(path, 0.006, 6))),), finishes=PATTERNED)


def _bowl(random: Random) -> Asset:
    """Draw straight sides on a foot with a flat rim; those of training are round."""
    r, h = random.uniform(0.055, 0.075), random.uniform(0.045, 0.06)
    outside = [(0.5, 0.0), (0.46, 0.14), (0.95, 0.92), (1.2, 1.0)]
    body = meshes.vessel([(r * x, h * z) for x, z in outside], 0.004, 0.2 * h, int(random.choice([8, 28])))
    return Asset("bowl", (Part(body),), finishes=PATTERNED, support=Support(0.21 * h, 0.42 * r))


def _plate(random: Random) -> Asset:
    """Draw a well with a broad flat rim, four- or eight-sided or round; those of training rise to the rim."""
    r, h = random.uniform(0.09, 0.12), random.uniform(0.009, 0.013)
    profile = [(0, 0), (0.58 * r, 0), (0.64 * r, h), (r, h), (r, h + 0.004), (0.62 * r, h + 0.004)]
    mesh = meshes.lathe([*profile, (0.56 * r, 0.004), (0, 0.004)], int(random.choice([4, 8, 36])))
    return Asset("plate", (Part(mesh),), support=Support(0.0045, 0.38 * r))


def _bottle(random: Random) -> Asset:
    """Draw a belly below a long neck, or four flat sides; those of training are cylinders with shoulders."""
    h, r = random.uniform(0.17, 0.23), random.uniform(0.03, 0.036)
    if random.random() < 0.5:
        outline = [(0.7, 0.0), (1.25, 0.14), (1.3, 0.26), (0.9, 0.42), (0.35, 0.56), (0.26, 0.93)]
        segments, cap = 28, 0.3
    else:
        outline, segments, cap = [(1.1, 0.0), (1.1, 0.72), (0.45, 0.78), (0.45, 0.93)], 4, 0.62
    body = meshes.lathe([(0, 0), *[(r * x, h * z) for x, z in outline], (0, 0.93 * h)], segments)
    lid = [(0, 0), (cap * r, 0), (cap * 1.1 * r, 0.05 * h), (0, 0.05 * h)]
    tint = (0.85, 0.72, 0.5) if random.random() < 0.5 else None
    return Asset("bottle", (Part(body), Part(meshes.lathe(lid).moved(z=0.93 * h), tint)), lies=True)


def _can(random: Random) -> Asset:
    """Draw a low food can with ribs, or a slim one; those of training are soda cans with a tab."""
    silver = (0.78, 0.78, 0.8)
    if random.random() < 0.5:
        r = random.uniform(0.036, 0.046)
        h = r * random.uniform(1.0, 1.7)
        ribs = [(r * (0.97 if i % 2 else 1.0), h * (0.2 + 0.6 * i / 10)) for i in range(11)]
        side = [(0, 0), (1.02 * r, 0), (1.02 * r, 0.05 * h), *ribs, (1.02 * r, 0.95 * h), (1.02 * r, h)]
        top = [(1.02 * r, h), (0.93 * r, h), (0.93 * r, 0.95 * h), (0, 0.95 * h)]
    else:
        r = random.uniform(0.024, 0.027)
        h = r * random.uniform(5.2, 6.2)
        side = [(0, 0), (0.8 * r, 0), (r, 0.05 * h), (r, 0.88 * h), (0.72 * r, h)]
        top = [(0.72 * r, h), (0.66 * r, h), (0.64 * r, 0.985 * h), (0, 0.985 * h)]
    parts = (Part(meshes.lathe(side)), Part(meshes.lathe(top), silver))
    return Asset("can", parts, finishes=("plain", "plain", "plain", "striped", "print", "metal"), lies=True)


def _pan(random: Random) -> Asset:
    """Draw a shallow square or eight-sided griddle with a flat handle; those of training are round."""
    r = random.uniform(0.09, 0.11)
    h = r * random.uniform(0.17, 0.24)
    segments = int(random.choice([4, 8]))
    body = meshes.vessel([(0.93 * r, 0), (r, h)], 0.005, 0.005, segments).turned("z", 45)
    side = r * np.cos(np.pi / segments) if segments == 4 else r
    length = random.uniform(0.09, 0.13)
    handle = meshes.box(length, 0.022, 0.007).moved(x=side + length / 2 - 0.006, z=0.7 * h)
    loop = meshes.ring(0.008, 0.006).moved(x=side + length, z=0.7 * h)
    colors = ("black", "gray", *ANY)
    parts = (Part(body), Part(meshes.merge(handle, loop), (0.3, 0.17, 0.09)))
    return Asset("pan", parts, colors=colors, support=Support(0.006, 0.55 * r))


def _pot(random: Random) -> Asset:
    """Draw a low casserole with a belly, flat grips and a dome; those of training are straight."""
    r, h = random.uniform(0.068, 0.085), random.uniform(0.045, 0.058)
    body = meshes.vessel(
        [(0.7 * r, 0), (0.98 * r, 0.3 * h), (1.03 * r, 0.6 * h), (0.95 * r, h)], 0.004, 0.005
    )
    grips = [meshes.box(0.03, 0.04, 0.008).moved(x=side * 1.1 * r, z=0.72 * h) for side in (-1, 1)]
    parts = [body, *grips]
    if random.random() < 0.7:
        dome = [(0.99 * r, 0), (0.85 * r, 0.3 * h), (0.5 * r, 0.55 * h), (0, 0.65 * h)]
        parts += [meshes.lathe(dome).moved(z=h), meshes.ellipsoid(0.012, 0.012, 0.01).moved(z=1.72 * h)]
    return Asset("pot", (Part(meshes.merge(*parts)),), finishes=("plain", "plain", "plain", "metal"))


def _tray(random: Random) -> Asset:
    """Draw a long octagon or oval with two bows as handles; those of training are rectangles."""
    r = random.uniform(0.095, 0.115)
    stretch, h = random.uniform(1.35, 1.6), random.uniform(0.014, 0.022)
    rim = meshes.vessel([(0.9 * r, 0), (r, h)], 0.005, 0.005, int(random.choice([8, 28])))
    body = rim.scaled((stretch, 1, 1))
    bow = np.linspace(-1, 1, 9)
    path = np.stack([0.93 * r * stretch + 0 * bow, 0.3 * r * bow, h + 0.02 * (1 - bow**4)], -1)
    bows = (meshes.tube(path, 0.004, 8), meshes.tube(path, 0.004, 8).turned("z", 180))
    finishes = ("plain", "plain", "plain", "wooden")
    return Asset(
        "tray", (Part(meshes.merge(body, *bows)),), finishes=finishes, support=Support(0.0055, 0.7 * r)
    )


def _box(random: Random) -> Asset:
    """Draw a carton with open flaps, or a box with a lid; those of training have neither."""
    colors = ("brown", "brown", *ANY)
    if random.random() < 0.5:
        x, y, z = random.uniform(0.09, 0.13), random.uniform(0.07, 0.095), random.uniform(0.05, 0.08)
        carton = _carton(x, y, z, tilt=random.uniform(15, 50))
        return Asset("box", (Part(carton),), colors, PATTERNED, support=Support(0.004, 0.42 * y))
    x, y, z = random.uniform(0.1, 0.15), random.uniform(0.07, 0.09), random.uniform(0.05, 0.07)
    lid = meshes.box(1.07 * x, 1.1 * y, 0.4 * z).moved(z=0.68 * z)
    mesh = meshes.merge(meshes.box(x, y, 0.9 * z), lid)
    return Asset("box", (Part(mesh),), colors, ("plain", "plain", "print", "wooden", "striped"))


def _carton(x: float, y: float, z: float, tilt: float) -> Mesh:
    """Return an open box whose four flaps hang outwards, `tilt` degrees below the horizontal."""
    wall = 0.003
    long, short = meshes.box(x, wall, z), meshes.box(wall, y - 2 * wall, z)
    sides = [long.moved(y=s * (y - wall) / 2) for s in (-1, 1)]
    sides += [short.moved(x=s * (x - wall) / 2) for s in (-1, 1)]
    flaps = []
    for turn, across, away in ((0, x, y), (90, y, x), (180, x, y), (270, y, x)):
        flap = meshes.box(across, 0.4 * y, wall).moved(y=0.2 * y).turned("x", -tilt)
        flaps.append(flap.moved(y=away / 2 - wall, z=z - wall).turned("z", turn))
    return meshes.merge(meshes.box(x, y, wall), *sides, *flaps)


TABLEWARE: dict[str, Builder] = {
    "cup": _cup,
    "mug": _mug,
    "bowl": _bowl,
    "plate": _plate,
    "bottle": _bottle,
    "can": _can,
    "pan": _pan,
    "pot": _pot,
    "tray": _tray,
    "box": _box,
}
