"""Surfaces of families that `tabletop.textures` does not have, and finishes with other counts and tones."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop.assets import Random
from ivm_ros.datasets.tabletop.colors import sample_rgb
from ivm_ros.datasets.tabletop.textures import FACE_SIDE, SURFACE_SIDE, Texture, muted_rgb

Map = npt.NDArray[np.float32]

STRIPES = (6, 9)
"""Stripes of an object, from and below; those of training are 3 to 5."""
STRIPE_SHARE = (0.7, 0.78)
"""Of the first colour, which training gives 0.5 to 0.65."""
CHECKS = (3, 8)
"""Checks along a side; training has 2, 4 or 6."""
WOOD_VALUE = (0.3, 0.4)
"""Of the light parts of an object's wood in HSV; training has 0.45 to 0.62."""
METAL_BANDS = (2.6, 4.0)
"""Bands that are mirrored in metal; training has 0.8 to 2."""


def _grid() -> tuple[Map, Map]:
    rows, columns = np.indices((SURFACE_SIDE, SURFACE_SIDE), np.float32) / SURFACE_SIDE
    return rows, columns


def _smooth(random: Random, cells: int) -> Map:
    """Return (256, 256) smooth noise in [0, 1] that repeats at the borders."""
    grid = random.random((cells, cells), dtype=np.float32)
    wide = cv2.resize(np.tile(grid, (3, 3)), (3 * SURFACE_SIDE,) * 2, interpolation=cv2.INTER_CUBIC)
    middle = slice(SURFACE_SIDE, 2 * SURFACE_SIDE)
    return np.clip(wide[middle, middle], 0, 1).astype(np.float32)


def _mix(amount: Map, first: npt.ArrayLike, second: npt.ArrayLike) -> Map:
    one, other = np.asarray(first, np.float32), np.asarray(second, np.float32)
    mixed: Map = one * (1 - amount[..., None]) + other * amount[..., None]
    return mixed


def _texture(colors: Map) -> Texture:
    return np.clip(colors * 255, 0, 255).astype(np.uint8)


def planks(random: Random) -> Texture:
    """Draw boards of several tones that are laid end to end, each row shifted."""
    hue, saturation = random.uniform(0.04, 0.12), random.uniform(0.15, 0.6)
    rows, columns = _grid()
    count = int(random.integers(3, 8))
    row = np.floor(rows * count).astype(int)
    shifted = (columns + random.random(count)[row]) % 1.0
    board = row * 2 + (shifted > 0.5)
    tones = random.uniform(0.45, 0.9, 2 * count).astype(np.float32)[board]
    grain = cv2.resize(random.random((SURFACE_SIDE, 12), dtype=np.float32), (SURFACE_SIDE,) * 2)
    joint = ((rows * count) % 1.0 < 0.05) | (np.abs(shifted - 0.5) < 0.006) | (shifted < 0.006)
    value = tones * (0.88 + 0.12 * grain) * np.where(joint, 0.45, 1.0)
    return _texture(value[..., None] * np.array(colorsys.hsv_to_rgb(hue, saturation, 1.0)))


def bricks(random: Random) -> Texture:
    """Draw bricks in half bond with light joints."""
    rows, columns = _grid()
    count = int(random.integers(3, 7)) * 2
    row = np.floor(rows * count).astype(int)
    across = (columns * count / 2 + 0.5 * (row % 2)) % 1.0
    number = (np.floor(columns * count / 2 + 0.5 * (row % 2)) % (count // 2)).astype(int)
    tones = random.uniform(-0.12, 0.12, (count, count // 2)).astype(np.float32)[row, number]
    joint = ((rows * count) % 1.0 < 0.12) | (across < 0.06)
    body = muted_rgb(random) + tones[..., None] - 0.06 * _smooth(random, 48)[..., None]
    return _texture(np.where(joint[..., None], 0.75 + 0.1 * _smooth(random, 32)[..., None], body))


def dots(random: Random) -> Texture:
    """Draw round dots in a lattice, every other row shifted."""
    rows, columns = _grid()
    count = 2 * int(random.integers(2, 6))
    shift = 0.5 * (np.floor(rows * count) % 2)
    away = np.hypot((rows * count) % 1.0 - 0.5, (columns * count + shift) % 1.0 - 0.5)
    amount = np.clip((random.uniform(0.2, 0.38) - away) * 30 + 0.5, 0, 1).astype(np.float32)
    return _texture(_mix(amount, muted_rgb(random), muted_rgb(random)))


def chevrons(random: Random) -> Texture:
    """Draw zigzag stripes."""
    rows, columns = _grid()
    count = int(random.integers(3, 8))
    zigzag = np.abs((columns * count) % 1.0 - 0.5)
    phase = (rows * count + zigzag) % 1.0
    amount = np.clip(np.abs(phase - 0.5) * 40 - 10, 0, 1).astype(np.float32)
    return _texture(_mix(amount, muted_rgb(random), muted_rgb(random)))


def hexagons(random: Random) -> Texture:
    """Draw six-sided tiles of several tones with joints."""
    across = int(random.integers(3, 8))
    down = 2 * max(1, round(across / np.sqrt(3)))
    places = np.array(
        [((r + 0.5) / down, (c + 0.5 * (r % 2)) / across) for r in range(down) for c in range(across)]
    )
    nearest, second, cell = _voronoi(places.astype(np.float32))
    tones = random.uniform(-0.1, 0.1, len(places)).astype(np.float32)[cell]
    joint = (second - nearest) * across < 0.12
    base = muted_rgb(random) + tones[..., None]
    return _texture(np.where(joint[..., None], 0.55 * muted_rgb(random), base))


def terrazzo(random: Random) -> Texture:
    """Draw angular chips of a few tones in a ground."""
    places = random.random((int(random.integers(120, 320)), 2), dtype=np.float32)
    nearest, second, cell = _voronoi(places)
    chip = (second - nearest > 0.012) & (random.random(len(places)) < 0.6)[cell]
    palette = np.stack([muted_rgb(random) for _ in range(4)])
    colors = palette[random.integers(0, 4, len(places))][cell]
    return _texture(np.where(chip[..., None], colors, muted_rgb(random)))


def _voronoi(places: Map) -> tuple[Map, Map, npt.NDArray[np.int64]]:
    """Return the distances to the nearest and the second of (N, 2) places, and the nearest's number."""
    tiled = np.concatenate([places + np.array((y, x)) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    number = np.tile(np.arange(len(places)), 9)
    near = (np.abs(tiled - 0.5) < 0.75).all(axis=1)
    tiled, number = tiled[near], number[near]
    half = np.indices((SURFACE_SIDE // 2,) * 2, np.float32).reshape(2, -1).T * 2 / SURFACE_SIDE
    squares = np.square(half).sum(axis=1)[:, None] + np.square(tiled).sum(axis=1) - 2 * half @ tiled.T
    two = np.argpartition(squares, 1, axis=1)[:, :2]
    distances = np.sqrt(np.maximum(np.take_along_axis(squares, two, axis=1), 0))
    order = np.argsort(distances, axis=1)
    distances, two = np.take_along_axis(distances, order, 1), np.take_along_axis(two, order, 1)

    def full(values: npt.NDArray[np.float64]) -> Map:
        square = values.reshape(SURFACE_SIDE // 2, -1).astype(np.float32)
        return cv2.resize(square, (SURFACE_SIDE,) * 2, interpolation=cv2.INTER_LINEAR)

    cell = number[two[:, 0]].reshape(SURFACE_SIDE // 2, -1).repeat(2, axis=0).repeat(2, axis=1)
    return full(distances[:, 0]), full(distances[:, 1]), cell


def concrete(random: Random) -> Texture:
    """Draw soft blotches with pores and a few cracks."""
    level = random.uniform(0.4, 0.8)
    clouds = 0.5 * _smooth(random, 3) + 0.3 * _smooth(random, 9) + 0.2 * _smooth(random, 40)
    value = level + 0.28 * (clouds - 0.5)
    value = np.where(random.random(value.shape, dtype=np.float32) > 0.994, value - 0.2, value).astype(
        np.float32
    )
    for _ in range(int(random.integers(1, 4))):
        steps = random.normal(0, 6, (24, 2)) + random.normal(0, 7, 2)
        path = (random.uniform(0, SURFACE_SIDE, 2) + np.cumsum(steps, axis=0)).astype(np.int32)
        cv2.polylines(value, [path], False, level - 0.3, 1, cv2.LINE_AA)
    return _texture(value[..., None] * (1 + random.uniform(-0.06, 0.06, 3)))


def basket(random: Random) -> Texture:
    """Draw a weave: strips that go over and under each other in turns."""
    rows, columns = _grid()
    count = 2 * int(random.integers(3, 9))
    over = (np.floor(rows * count) + np.floor(columns * count)) % 2 == 0
    along, across = (columns * count) % 1.0, (rows * count) % 1.0
    round_ = np.where(over, np.sin(np.pi * across), np.sin(np.pi * along))
    dip = np.where(over, np.sin(np.pi * along), np.sin(np.pi * across))
    value = (0.35 + 0.45 * round_ + 0.2 * dip) * random.uniform(0.75, 1.0)
    return _texture(value[..., None] * np.maximum(muted_rgb(random), 0.4))


SURFACES: tuple[Callable[[Random], Texture], ...] = (
    planks,
    planks,
    bricks,
    dots,
    chevrons,
    hexagons,
    terrazzo,
    concrete,
    basket,
)


def surface(random: Random) -> Texture:
    """Draw a (256, 256, 3) uint8 RGB texture for a table, floor or wall."""
    return SURFACES[random.integers(len(SURFACES))](random)


def _faces(face: Map) -> Texture:
    return np.concatenate([_texture(face)] * 6)


def checkered(random: Random, first: npt.ArrayLike, second: npt.ArrayLike) -> Texture:
    """Return (6 * 48, 48, 3) uint8 cube faces with `CHECKS` of two RGB triples in [0, 1]."""
    rows, columns = np.indices((FACE_SIDE, FACE_SIDE)) * int(random.choice(CHECKS)) // FACE_SIDE
    return _faces(_mix(((rows + columns) % 2).astype(np.float32), first, second))


def striped(random: Random, first: npt.ArrayLike, second: npt.ArrayLike) -> Texture:
    """Return cube faces with `STRIPES` of which the first colour has `STRIPE_SHARE`."""
    rows = np.indices((FACE_SIDE, FACE_SIDE))[random.integers(2)] * random.integers(*STRIPES) / FACE_SIDE
    return _faces(_mix((rows % 1.0 > random.uniform(*STRIPE_SHARE)).astype(np.float32), first, second))


def wooden(random: Random) -> Texture:
    """Return cube faces of dark brown wood with straight, fine lines."""
    hue, saturation = random.uniform(0.04, 0.07), random.uniform(0.5, 0.7)
    lines = random.random((FACE_SIDE, 1), dtype=np.float32) * np.ones((1, FACE_SIDE), np.float32)
    value = random.uniform(*WOOD_VALUE) * (0.7 + 0.3 * lines)
    return _faces(value[..., None] * np.array(colorsys.hsv_to_rgb(hue, saturation, 1.0), np.float32))


def polished_metal(random: Random) -> Texture:
    """Return bright gray cube faces with `METAL_BANDS` and a dark horizon."""
    height = np.linspace(0, 1, FACE_SIDE, dtype=np.float32)[:, None]
    bands = 0.5 + 0.5 * np.sin(2 * np.pi * (height * random.uniform(*METAL_BANDS) + random.random()))
    horizon = np.abs(height - random.uniform(0.3, 0.7)) < 0.06
    level = np.where(horizon, 0.3, 0.5 + 0.5 * bands**0.5) * np.ones((1, FACE_SIDE))
    return _faces(level[..., None] * np.array([1.0, 1.0, 1.02]))


def printed(random: Random) -> Texture:
    """Return cube faces of a package: two halves, a triangle, a bar code; training has bands and badges."""
    names = random.permutation(
        ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "white", "black"]
    )
    left, right, sign, ink = (tuple(255 * c for c in sample_rgb(name, random)) for name in names[:4])
    front = np.full((FACE_SIDE, FACE_SIDE, 3), left, np.uint8)
    front[:, int(random.integers(16, 32)) :] = right
    x, y = (int(v) for v in random.integers(14, 34, 2))
    size = int(random.integers(8, 14))
    corners = np.array([[x, y - size], [x - size, y + size // 2], [x + size, y + size // 2]], np.int32)
    cv2.fillPoly(front, [corners], sign)
    side = np.full_like(front, right)
    column = 6
    while column < 40:
        width = int(random.integers(1, 4))
        side[28:42, column : column + width] = ink
        column += width + int(random.integers(1, 4))
    return np.concatenate([side if i in (0, 1) else front for i in range(6)])
