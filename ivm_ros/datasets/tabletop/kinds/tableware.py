"""Dishes, vessels and containers."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, PATTERNED, Asset, Builder, Part, Random, Support
from ivm_ros.datasets.tabletop.meshes import Mesh


def _cup(random: Random) -> Asset:
    r, h = random.uniform(0.034, 0.042), random.uniform(0.075, 0.11)
    taper = random.uniform(0.65, 0.85)
    body = meshes.vessel([(r * taper, 0), (r, h)], 0.003, 0.006)
    return Asset("cup", (Part(body),), finishes=PATTERNED, lies=True)


def _mug(random: Random) -> Asset:
    r, h = random.uniform(0.038, 0.045), random.uniform(0.08, 0.1)
    bulge = random.uniform(0.95, 1.1)
    body = meshes.vessel([(r * 0.92, 0), (r * bulge, h * 0.25), (r * bulge, h * 0.7), (r, h)], 0.004, 0.006)
    angle = np.linspace(-math.pi / 2, math.pi / 2, 12)
    out = random.uniform(0.022, 0.032)
    path = np.stack([r * 0.95 + out * np.cos(angle), 0 * angle, h * (0.52 + 0.32 * np.sin(angle))], -1)
    return Asset("mug", (Part(meshes.merge(body, meshes.tube(path, 0.006))),), finishes=PATTERNED)


def _bowl(random: Random) -> Asset:
    r, h = random.uniform(0.06, 0.09), random.uniform(0.04, 0.06)
    steps = np.linspace(0.35, 1, 8)
    outside = [(r * math.sin(s * math.pi / 2), h * (1 - math.cos(s * math.pi / 2)) / 1.0) for s in steps]
    foot = outside[0][1]
    outside = [(x, z - foot) for x, z in outside]
    body = meshes.vessel(outside, 0.004, 0.005)
    return Asset("bowl", (Part(body),), finishes=PATTERNED, support=Support(0.006, 0.55 * r))


def _plate(random: Random) -> Asset:
    r, h = random.uniform(0.085, 0.13), random.uniform(0.012, 0.022)
    body = meshes.lathe(
        [(0, 0), (0.6 * r, 0), (r, h), (r - 0.003, h + 0.002), (0.6 * r, 0.004), (0, 0.004)], 36
    )
    return Asset("plate", (Part(body),), support=Support(0.0045, 0.62 * r))


def _bottle(random: Random) -> Asset:
    r, h = random.uniform(0.026, 0.038), random.uniform(0.17, 0.25)
    neck, shoulder = random.uniform(0.3, 0.45) * r, random.uniform(0.5, 0.7) * h
    profile = [
        (0, 0),
        (r, 0),
        (r, shoulder),
        (0.9 * r, shoulder + 0.05 * h),
        (neck, 0.83 * h),
        (neck, 0.93 * h),
    ]
    cap = meshes.lathe([(0, 0), (neck * 1.15, 0), (neck * 1.15, 0.07 * h), (0, 0.07 * h)]).moved(z=0.93 * h)
    tint = (0.9, 0.9, 0.9) if random.random() < 0.4 else (0.1, 0.1, 0.12) if random.random() < 0.4 else None
    return Asset("bottle", (Part(meshes.lathe([*profile, (0, 0.93 * h)])), Part(cap, tint)), lies=True)


def _can(random: Random) -> Asset:
    r, h = random.uniform(0.03, 0.036), random.uniform(0.095, 0.125)
    side = meshes.lathe([(0, 0), (r * 0.85, 0), (r, 0.06 * h), (r, 0.93 * h), (r * 0.86, 0.985 * h)])
    top = meshes.lathe([(r * 0.86, 0.985 * h), (r * 0.82, h), (r * 0.8, 0.975 * h), (0, 0.975 * h)])
    tab = meshes.ellipsoid(0.011, 0.006, 0.002).moved(x=0.006, z=0.98 * h)
    silver = (0.75, 0.75, 0.78)
    finishes = ("plain", "plain", "plain", "striped", "print", "metal")
    parts = (Part(side), Part(top, silver), Part(tab, (0.6, 0.6, 0.63)))
    return Asset("can", parts, finishes=finishes, lies=True)


def _pan(random: Random) -> Asset:
    r, h = random.uniform(0.08, 0.11), random.uniform(0.03, 0.045)
    body = meshes.vessel([(0.82 * r, 0), (r, h)], 0.004, 0.005)
    length = random.uniform(0.1, 0.16)
    path = [(0.96 * r, 0, 0.8 * h), (r + 0.3 * length, 0, 1.05 * h), (r + length, 0, 1.15 * h)]
    handle = meshes.tube(path, [0.007, 0.009, 0.011])
    black = (0.06, 0.06, 0.07) if random.random() < 0.6 else None
    colors = ("black", "gray", *ANY)
    return Asset("pan", (Part(body), Part(handle, black)), colors=colors, support=Support(0.006, 0.6 * r))


def _pot(random: Random) -> Asset:
    r, h = random.uniform(0.06, 0.08), random.uniform(0.07, 0.1)
    body = meshes.vessel([(r, 0), (r, h), (r * 1.04, h)], 0.004, 0.005)
    angle = np.linspace(-math.pi / 2, math.pi / 2, 9)
    grip = np.stack([r * 0.98 + 0.022 * np.cos(angle), 0.028 * np.sin(angle), 0 * angle + 0.8 * h], -1)
    grips = (meshes.tube(grip, 0.005), meshes.tube(grip, 0.005).turned("z", 180))
    finishes = ("plain", "plain", "plain", "metal")
    if random.random() < 0.4:
        lid = meshes.lathe([(r * 1.02, 0), (r * 0.6, 0.014), (0.01, 0.02), (0.014, 0.035), (0, 0.037)])
        return Asset("pot", (Part(meshes.merge(body, lid.moved(z=h), *grips)),), finishes=finishes)
    return Asset("pot", (Part(meshes.merge(body, *grips)),), finishes=finishes)


def _open_box(x: float, y: float, z: float, wall: float) -> Mesh:
    long, short = meshes.box(x, wall, z), meshes.box(wall, y - 2 * wall, z)
    sides = (long.moved(y=(y - wall) / 2), long.moved(y=(wall - y) / 2))
    ends = (short.moved(x=(x - wall) / 2), short.moved(x=(wall - x) / 2))
    return meshes.merge(meshes.box(x, y, wall), *sides, *ends)


def _tray(random: Random) -> Asset:
    x, y = random.uniform(0.22, 0.34), random.uniform(0.15, 0.23)
    z = random.uniform(0.018, 0.04)
    finishes = ("plain", "plain", "plain", "wooden")
    mesh = _open_box(x, y, z, 0.006)
    return Asset("tray", (Part(mesh),), finishes=finishes, support=Support(0.0065, 0.42 * y))


def _box(random: Random) -> Asset:
    x, y, z = random.uniform(0.07, 0.16), random.uniform(0.06, 0.11), random.uniform(0.04, 0.1)
    colors = ("brown", "brown", *ANY)
    if random.random() < 0.4:
        inside = Support(0.005, 0.42 * y)
        return Asset("box", (Part(_open_box(x, y, z, 0.004)),), colors, PATTERNED, support=inside)
    top = Support(z, 0.42 * y)
    finishes = ("plain", "plain", "print", "wooden", "striped")
    return Asset("box", (Part(meshes.box(x, y, z)),), colors, finishes, support=top)


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
