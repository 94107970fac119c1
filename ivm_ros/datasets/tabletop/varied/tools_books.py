"""Several designs of books; their spines are at low x."""

from __future__ import annotations

import math

import numpy as np

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Builder, Part, Random, Rgb, Support
from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.datasets.tabletop.varied.shapes import pick_rgb
from ivm_ros.datasets.tabletop.varied.shapes_tools import along_y, lying, slab, steel, strip, trim

COVER = ("plain", "plain", "plain", "plain", "plain", "striped", "checkered")
GOLD = (0.83, 0.68, 0.3)
PAPER = ((0.93, 0.91, 0.84), (0.96, 0.96, 0.95), (0.85, 0.78, 0.62))


def _paper(random: Random) -> Rgb:
    return PAPER[int(random.integers(len(PAPER)))]


def _label(random: Random, x: float, y: float, z: float) -> list[Part]:
    """Return a title plate, a stripe or nothing on a cover of these sides whose top is at `z`."""
    pick = random.random()
    if pick < 0.45:
        return []
    wide, high = random.uniform(0.3, 0.7) * x, random.uniform(0.08, 0.28) * y
    if pick < 0.7:
        wide = 0.98 * x
    tint = GOLD if random.random() < 0.25 else trim(random)
    plate = meshes.box(wide, high, 0.0012).moved(y=random.uniform(-0.25, 0.3) * y, z=z - 0.0006)
    return [Part(plate, tint)]


def _format(random: Random) -> tuple[float, float]:
    """Return the sides of a cover: narrow, usual, square or wide."""
    x = random.uniform(0.095, 0.2)
    return x, min(
        x * random.choice([random.uniform(1.2, 1.7), random.uniform(0.75, 1.15)], p=[0.8, 0.2]), 0.29
    )


def _book_hardback(random: Random) -> Asset:
    (x, y), z = _format(random), random.uniform(0.014, 0.05)
    board, over = random.uniform(0.002, 0.0035), random.uniform(0.002, 0.006)
    bulge = random.uniform(0.05, 0.35) * z
    spine = along_y(meshes.lathe([(0, -y / 2), (1, -y / 2), (1, y / 2), (0, y / 2)], 24))
    covers = slab(x, y, board)
    case = meshes.merge(
        covers, covers.moved(z=z - board), spine.scaled((bulge, 1, z / 2)).moved(x=-x / 2, z=z / 2)
    )
    pages = meshes.box(x - over, y - 2 * over, z - 2 * board).moved(x=-over / 2, z=board)
    parts = [Part(case), Part(pages, _paper(random)), *_label(random, x, y, z)]
    return Asset("book", tuple(parts), ANY, COVER, Support(z, 0.42 * min(x, y)))


def _book_paperback(random: Random) -> Asset:
    (x, y), z = _format(random), random.uniform(0.006, 0.04)
    corner = random.choice([0.0, 0.0, 0.008])
    cover = slab(x, y, 0.0008, corner)
    lid = cover
    if random.random() < 0.4:
        lift = random.uniform(2, 9)
        lid = cover.moved(x=x / 2).turned("y", -lift).moved(x=-x / 2)
    spine = meshes.box(0.0012, y - 2 * corner, z).moved(x=-x / 2)
    pages = slab(x - 0.002, y - 0.001, z - 0.0016, corner).moved(x=-0.0005, z=0.0008)
    closed = lid is cover
    parts = [Part(meshes.merge(cover, lid.moved(z=z - 0.0008), spine)), Part(pages, _paper(random))]
    if closed:
        parts += _label(random, x, y, z)
    return Asset("book", tuple(parts), ANY, COVER, Support(z, 0.42 * min(x, y)) if closed else None)


def _book_tome(random: Random) -> Asset:
    x, y = _format(random)
    z = min(min(x, y) * random.uniform(0.24, 0.4), 0.075)
    bulge, over = 0.2 * z, random.uniform(0.003, 0.006)
    shell = along_y(meshes.lathe([(0, -y / 2), (1, -y / 2), (1, y / 2), (0, y / 2)], 24))
    pieces = [slab(x, y, 0.004), slab(x, y, 0.004).moved(z=z - 0.004)]
    pieces.append(shell.scaled((bulge, 1, z / 2)).moved(x=-x / 2, z=z / 2))
    count = int(random.integers(2, 6))
    bands = [
        shell.scaled((1.25 * bulge, 0.03, 0.49 * z)).moved(x=-x / 2, y=float(t), z=z / 2)
        for t in np.linspace(-0.36, 0.36, count) * y
    ]
    gilded = random.random() < 0.4
    pages = meshes.box(x - over, y - 2 * over, z - 0.008).moved(x=-over / 2, z=0.004)
    parts = [Part(meshes.merge(*pieces, *([] if gilded else bands))), Part(pages, _paper(random))]
    if gilded:
        parts.append(Part(meshes.merge(*bands), GOLD))
    if random.random() < 0.4:
        size = random.uniform(0.12, 0.2) * x
        spots = [(x / 2 - size / 2, side * (y - size) / 2) for side in (-1, 1)]
        tops = [
            meshes.box(size, size, 0.0048).moved(a, b, h) for a, b in spots for h in (-0.0004, z - 0.0044)
        ]
        parts.append(Part(meshes.merge(*tops), GOLD if random.random() < 0.6 else steel(random)))
    else:
        parts += _label(random, x, y, z)
    return Asset("book", tuple(parts), ("brown", "red", *ANY), ("plain",), Support(z, 0.42 * min(x, y)))


def _book_spiral(random: Random) -> Asset:
    (x, y), z = _format(random), random.uniform(0.006, 0.02)
    corner = random.choice([0.0, 0.006, 0.012])
    cover = slab(x, y, 0.0012, corner)
    pages = slab(x - 0.003, y - 0.004, z - 0.0024, corner).moved(z=0.0012)
    turns = int(random.integers(9, 22))
    coil = z / 2 + random.uniform(0.002, 0.004)
    steps = np.linspace(0, 1, 9 * turns)
    angle = 2 * math.pi * turns * steps
    path = np.stack([coil * np.cos(angle), (steps - 0.5) * 0.9 * y, coil * np.sin(angle)], -1)
    wire = meshes.tube(path, random.uniform(0.0006, 0.0012), 5).moved(x=-x / 2, z=z / 2)
    lift = max(0.0, float(-wire.vertices[:, 2].min()))
    parts = [
        Part(meshes.merge(cover, cover.moved(z=z - 0.0012))),
        Part(pages, _paper(random)),
        Part(wire, trim(random)),
        *_label(random, x, y, z),
    ]
    turn = 90 if random.random() < 0.25 else 0
    moved = tuple(Part(part.mesh.turned("z", turn).moved(z=lift), part.tint) for part in parts)
    return Asset("book", moved, ANY, COVER, Support(z + lift, 0.4 * min(x, y)))


def _book_notebook(random: Random) -> Asset:
    (x, y), z = _format(random), random.uniform(0.009, 0.025)
    corner = random.uniform(0.005, 0.015)
    cover = slab(x, y, 0.0016, corner)
    spine = strip([(-y / 2 + corner, 0.003, z / 2, z / 2), (y / 2 - corner, 0.003, z / 2, z / 2)], 4)
    spine = spine.turned("z", 90).moved(x=-x / 2 + 0.003)
    pages = slab(x - 0.003, y - 0.003, z - 0.0032, corner).moved(z=0.0016)
    band = meshes.box(0.006, y + 0.0016, z + 0.0016).moved(x=random.uniform(0.25, 0.42) * x, z=-0.0008)
    parts = [Part(meshes.merge(cover, cover.moved(z=z - 0.0016), spine)), Part(pages, _paper(random))]
    tint = pick_rgb(random)
    if random.random() < 0.65:
        parts.append(Part(band, tint))
    if random.random() < 0.5:
        ribbon = meshes.box(0.004, 0.03, 0.0008).moved(x=-0.2 * x, y=-y / 2 - 0.014, z=0.3 * z)
        parts.append(Part(ribbon, tint))
    return Asset("book", tuple(parts), ("black", "black", *ANY), COVER, Support(z, 0.36 * min(x, y)))


def _book_face_down(random: Random) -> Asset:
    """A book left open, its pages downwards."""
    x, y = random.uniform(0.09, 0.15), random.uniform(0.14, 0.22)
    half, thick, angle = random.uniform(0.002, 0.01), random.uniform(0.004, 0.014), random.uniform(10, 32)
    board = meshes.box(x, y, 0.0024).moved(x=x / 2).turned("y", angle).moved(x=half)
    block = meshes.box(x - 0.005, y - 0.006, thick).moved(x=x / 2, z=-thick)
    seen = Mesh(
        block.vertices, np.delete(block.faces, [2, 3], axis=0)
    )  # without its top, on which the board lies
    leaves = seen.turned("y", angle).moved(x=half)
    spine = meshes.box(2 * half + 0.002, y, 0.0024)
    cover = meshes.merge(board, board.turned("z", 180), spine)
    pages = meshes.merge(leaves, leaves.turned("z", 180))
    return Asset("book", lying(Part(cover), Part(pages, _paper(random))), ANY, COVER)


BOOKS: tuple[Builder, ...] = (
    _book_hardback,
    _book_paperback,
    _book_tome,
    _book_spiral,
    _book_notebook,
    _book_face_down,
)
