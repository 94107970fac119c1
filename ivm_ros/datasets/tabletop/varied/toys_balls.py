"""More designs of balls and rings."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Part, Random, Rgb
from ivm_ros.datasets.tabletop.meshes import Mesh, Points
from ivm_ros.datasets.tabletop.varied.shapes import chance, lobed, pick_rgb, set_down, split
from ivm_ros.datasets.tabletop.varied.shapes_toys import DARK, PAINTED, SOLID, cap, hoop, spread


def _ball(
    random: Random, mesh: Mesh, r: float, *parts: Part, finishes: tuple[str, ...] = ("plain",)
) -> Asset:
    """Return a ball made about the origin, turned in any direction."""
    turns = random.uniform(0, 360, 3)
    turned = [
        Part(
            part.mesh.turned("z", turns[0]).turned("x", turns[1]).turned("z", turns[2]).moved(z=r), part.tint
        )
        for part in (Part(mesh), *parts)
    ]
    return Asset("ball", set_down(turned), finishes=finishes)


def _ball_seams(random: Random) -> Asset:
    """A ball with two or three rings of seams (basketball), or one curved seam (tennis ball, baseball)."""
    r = random.uniform(0.02, 0.06)
    thin = r * random.uniform(0.02, 0.045)
    tint = DARK if chance(random, 0.5) else pick_rgb(random)
    if chance(random, 0.5):
        rings = [hoop(r, (thin, thin), 6, 40).turned("x", turn) for turn in (0, 90)]
        rings.append(hoop(r, (thin, thin), 6, 40).turned("y", 90))
        lines = meshes.merge(*rings[: int(random.integers(2, 4))])
    else:
        t, a = np.linspace(0, 2 * math.pi, 73), random.uniform(0.68, 0.8)
        b = 1 - a
        curve = [a * np.cos(t) + b * np.cos(3 * t), a * np.sin(t) - b * np.sin(3 * t)]
        path = np.stack([*curve, 2 * math.sqrt(a * b) * np.sin(2 * t)], -1) * r
        lines = meshes.tube(path, thin * 1.4, 6)
    return _ball(random, meshes.ellipsoid(r, r, r, 28), r, Part(lines, tint))


def _ball_patches(random: Random) -> Asset:
    """A ball with round patches: a football's, a dotted one, or one with a large number's field."""
    r, count = random.uniform(0.025, 0.065), int(random.choice([1, 2, 6, 12, 20, 30]))
    opening = min(27.0, random.uniform(45, 62) / math.sqrt(count))
    patches = meshes.merge(*[cap(r, opening, *place) for place in spread(count)])
    tint = DARK if chance(random, 0.4) else pick_rgb(random)
    return _ball(random, meshes.ellipsoid(r, r, r, 26), r, Part(patches, tint), finishes=PAINTED)


def _ball_panels(random: Random) -> Asset:
    """A beach ball: some of its panels from pole to pole have other colours."""
    r, count = random.uniform(0.03, 0.09), int(random.choice([6, 8]))
    shell = meshes.ellipsoid(1.012 * r, 1.012 * r, 1.012 * r, 4 * count)
    middle = shell.vertices[shell.faces].mean(axis=1)
    angles = np.arctan2(middle[:, 1], middle[:, 0]) + math.pi / (4 * count)
    panel = np.floor(angles / (2 * math.pi / count)).astype(int) % count
    parts = []
    for number in range(0, count - 2, 3):
        parts.append(Part(split(shell, panel == number)[1], pick_rgb(random)))
    poles = meshes.merge(cap(r, 16, 0, 0, 1.03), cap(r, 16, 180, 0, 1.03))
    parts.append(Part(poles, pick_rgb(random)))
    return _ball(random, meshes.ellipsoid(r, r, r, 4 * count), r, *parts)


def _ball_bumps(random: Random) -> Asset:
    """A massage ball or sea mine: knobs or spikes all over, of one colour or two."""
    r, count = random.uniform(0.018, 0.038), int(random.integers(24, 70))
    base, long = r * random.uniform(0.12, 0.2), r * random.uniform(0.12, 0.35)
    blunt = base * random.uniform(0.2, 0.8)
    knob = meshes.lathe([(0, 0.93 * r), (base, 0.93 * r), (blunt, r + 0.8 * long), (0, r + long)], 8)
    knobs = [knob.turned("y", polar).turned("z", azimuth) for polar, azimuth in spread(count)]
    tint = pick_rgb(random) if chance(random, 0.5) and count < 34 and base < 0.15 * r else None
    return _ball(random, meshes.ellipsoid(r, r, r, 22), r + long, Part(meshes.merge(*knobs), tint))


def _ball_holes(random: Random) -> Asset:
    """A bowling ball, or a light ball full of holes; the holes are dark."""
    r = random.uniform(0.025, 0.06)
    if chance(random, 0.4):
        size, places = random.uniform(6, 9), [(12.0, 0.0), (12.0, 110.0), (26.0, 235.0)]
    else:
        count = int(random.integers(14, 32))
        size, places = random.uniform(34, 48) / math.sqrt(count), spread(count)
    holes = meshes.merge(*[cap(r, size, *place) for place in places])
    return _ball(random, meshes.ellipsoid(r, r, r, 28), r, Part(holes, DARK), finishes=(*PAINTED, "metal"))


def _ball_ribbed(random: Random) -> Asset:
    """A ball with ribs from pole to pole or of few facets, or with a band around it."""
    r = random.uniform(0.018, 0.06)
    kind = int(random.integers(3))
    if kind == 0:
        count = int(random.integers(6, 13))
        ribbed = lobed(meshes.ellipsoid(r, r, r, 4 * count), count, random.uniform(0.03, 0.06))
        return _ball(random, ribbed, r, finishes=SOLID)
    if kind == 1:
        return _ball(random, meshes.ellipsoid(r, r, r, int(random.integers(9, 13))), r, finishes=SOLID)
    half = random.uniform(0.12, 0.3)
    angles = np.linspace(-half, half, 5)
    wall = [(1.012 * r * math.cos(a), 1.012 * r * math.sin(a)) for a in angles]
    inside = [(0.95 * r, wall[-1][1]), (0.95 * r, wall[0][1])]
    band = meshes.lathe([*wall, *inside, wall[0]], 30)
    return _ball(random, meshes.ellipsoid(r, r, r, 28), r, Part(band, pick_rgb(random)), finishes=PAINTED)


def _ring(mesh: Mesh, *parts: Part, metal: bool = True) -> Asset:
    finishes = ("plain", "plain", "plain", "wooden", "striped") + (("metal",) if metal else ())
    return Asset("ring", set_down((Part(mesh), *parts)), finishes=finishes)


def _ring_torus(random: Random) -> Asset:
    """A round ring, from a wire to a swim ring, its section round, flat or high."""
    r = random.uniform(0.022, 0.06)
    across = r * random.uniform(0.08, 0.5)
    high = across * random.uniform(0.6, 1.5)
    return _ring(hoop(r, (across, high), 12, 36))


def _ring_beads(random: Random) -> Asset:
    """A ring of beads, all of one size or large and small ones."""
    count, r = int(random.integers(9, 19)), random.uniform(0.024, 0.05)
    size = math.pi * r / count * random.uniform(1.05, 1.25)
    small = size * float(random.choice([1.0, 1.0, 0.8]))
    beads = []
    for i in range(count):
        bead = size if i % 2 else small
        beads.append(meshes.ellipsoid(bead, bead, bead, 12).moved(x=r).turned("z", 360 * i / count))
    core = hoop(r, (0.35 * size, 0.35 * size), 6)
    return _ring(meshes.merge(*beads, core), metal=False)


def _around(r: float, degrees: Points) -> Points:
    """Return points of a circle in the plane z = 0."""
    a = np.radians(degrees)
    return np.stack([r * np.cos(a), r * np.sin(a), np.zeros_like(a)], -1)


def _ring_rope(random: Random) -> Asset:
    """A ring of two or three strands twisted together."""
    strands, turns = int(random.integers(2, 4)), int(random.integers(5, 12))
    r, t = random.uniform(0.028, 0.05), np.linspace(0, 2 * math.pi, 97)
    thick = r * random.uniform(0.09, 0.16)
    tubes = []
    for strand in range(strands):
        phase = turns * t + 2 * math.pi * strand / strands
        out = r + 0.85 * thick * np.cos(phase)
        path = np.stack([out * np.cos(t), out * np.sin(t), 0.85 * thick * np.sin(phase)], -1)
        tubes.append(meshes.tube(path, thick, 7))
    return _ring(meshes.merge(*tubes), metal=False)


def _ring_marked(random: Random) -> Asset:
    """A life buoy: a round ring with short bands of a second colour."""
    r, count = random.uniform(0.026, 0.06), int(random.integers(1, 7))
    thick, sweep = r * random.uniform(0.16, 0.42), random.uniform(80, 130) / count
    sweep = min(sweep, 60.0)
    bands = [
        meshes.tube(_around(r, np.linspace(i * 360 / count, i * 360 / count + sweep, 8)), 1.03 * thick, 14)
        for i in range(count)
    ]
    tint: Rgb = pick_rgb(random, "white", "white", "red", "blue", "yellow", "black", "green")
    return _ring(hoop(r, (thick, thick), 14, 36), Part(meshes.merge(*bands), tint), metal=False)


def _ring_facets(random: Random) -> Asset:
    """A ring with a waved or an edged outline, or with a section of four to six corners."""
    r = random.uniform(0.026, 0.05)
    across = r * random.uniform(0.12, 0.36)
    corners, start = int(random.integers(4, 7)), float(random.choice([-90.0, -45.0]))
    if chance(random, 0.5):
        count = int(random.integers(5, 13))
        waved = lobed(hoop(r, (across, across), 10, 60), count, random.uniform(0.04, 0.09))
        return _ring(waved, metal=False)
    return _ring(hoop(r, (across, across), corners, int(random.integers(9, 37)), start), metal=False)


BALLS: dict[str, tuple[Builder, ...]] = {
    "ball": (_ball_seams, _ball_patches, _ball_panels, _ball_bumps, _ball_holes, _ball_ribbed),
    "ring": (_ring_torus, _ring_beads, _ring_rope, _ring_marked, _ring_facets),
}
