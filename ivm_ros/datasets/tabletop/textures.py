"""Textures made in numpy: flat ones for tables, floors and walls, cube ones that wrap around objects."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop.colors import sample_rgb

Random = np.random.Generator
Texture = npt.NDArray[np.uint8]

SURFACE_SIDE = 256
FACE_SIDE = 48


def _noise(random: Random, octaves: int = 5, stretch: int = 1) -> npt.NDArray[np.float32]:
    """Return (256, 256) smooth noise in [0, 1]; `stretch` draws it out along the rows."""
    total = np.zeros((SURFACE_SIDE, SURFACE_SIDE), np.float32)
    for octave in range(octaves):
        cells = 4 * 2**octave
        grid = random.random((cells, max(cells // stretch, 2)), dtype=np.float32)
        total += cv2.resize(grid, (SURFACE_SIDE, SURFACE_SIDE), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = total.min(), total.max()
    return (total - low) / (high - low)


def muted_rgb(random: Random) -> npt.NDArray[np.float32]:
    """Draw an RGB triple in [0, 1] for a table or wall: mostly unsaturated, now and then bright."""
    saturation = random.uniform(0, 0.35) if random.random() < 0.8 else random.uniform(0.3, 0.9)
    value = random.uniform(0.25, 1.0)
    return np.array(colorsys.hsv_to_rgb(random.random(), saturation, value), np.float32)


def _blend(amount: npt.NDArray[np.float32], first: npt.ArrayLike, second: npt.ArrayLike) -> Texture:
    mixed = np.asarray(first) * (1 - amount[..., None]) + np.asarray(second) * amount[..., None]
    return np.clip(mixed * 255, 0, 255).astype(np.uint8)


def wood(random: Random, brightness: tuple[float, float] = (0.55, 0.9)) -> Texture:
    """Draw a (256, 256, 3) uint8 RGB texture of wood whose light parts have this value in HSV."""
    hue, saturation = random.uniform(0.05, 0.11), random.uniform(0.25, 0.65)
    light = colorsys.hsv_to_rgb(hue, saturation, random.uniform(*brightness))
    dark = colorsys.hsv_to_rgb(hue, saturation, 0.55 * random.uniform(*brightness))
    grain = _noise(random, stretch=16)
    rings = 0.5 + 0.5 * np.sin(grain * random.uniform(15, 40) + 3 * _noise(random, 2))
    return _blend((0.6 * grain + 0.4 * rings).astype(np.float32), light, dark)


def _stone(random: Random) -> Texture:
    veins = np.abs(2 * _noise(random) - 1) ** random.uniform(0.3, 1.5)
    return _blend(veins.astype(np.float32), muted_rgb(random), muted_rgb(random))


def _speckle(random: Random) -> Texture:
    base = muted_rgb(random)
    grain = random.random((SURFACE_SIDE, SURFACE_SIDE), dtype=np.float32) ** random.uniform(1, 4)
    return _blend(random.uniform(0.1, 0.5) * grain, base, np.round(random.random(3)))


def _cells(random: Random) -> Texture:
    count = int(random.choice([2, 4, 8]))
    rows, columns = np.indices((SURFACE_SIDE, SURFACE_SIDE)) * count // SURFACE_SIDE
    first, second = muted_rgb(random), muted_rgb(random)
    if random.random() < 0.5:
        second = np.clip(first + random.uniform(-0.25, 0.25), 0, 1)
    return _blend(((rows + columns) % 2).astype(np.float32), first, second)


def _tiles(random: Random) -> Texture:
    count = int(random.choice([2, 3, 4, 6]))
    row, column = np.indices((SURFACE_SIDE, SURFACE_SIDE)) * count / SURFACE_SIDE % 1.0
    joint = np.minimum(np.minimum(row, 1 - row), np.minimum(column, 1 - column)) < 0.03
    shade = 0.25 * _noise(random) + 0.75 * joint
    return _blend(shade.astype(np.float32), muted_rgb(random), muted_rgb(random))


def _cloth(random: Random) -> Texture:
    rows, columns = np.indices((SURFACE_SIDE, SURFACE_SIDE)) / SURFACE_SIDE
    waves = int(random.integers(3, 14))
    along, across = np.sin(2 * np.pi * waves * rows) > 0.2, np.sin(2 * np.pi * waves * columns) > 0.2
    pattern = along * 0.5 + across * (0.5 if random.random() < 0.5 else 0.0)
    return _blend(
        (0.9 * pattern + 0.1 * _noise(random)).astype(np.float32), muted_rgb(random), muted_rgb(random)
    )


SURFACES: tuple[Callable[[Random], Texture], ...] = (wood, wood, _stone, _speckle, _cells, _tiles, _cloth)


def surface(random: Random) -> Texture:
    """Draw a (256, 256, 3) uint8 RGB texture for a table, floor or wall."""
    return SURFACES[random.integers(len(SURFACES))](random)


def surface_from_file(path: Path) -> Texture:
    """Read an image file as a (256, 256, 3) uint8 RGB texture."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"expected a readable image, got {path}")
    small = cv2.resize(image, (SURFACE_SIDE, SURFACE_SIDE), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., ::-1])


def _faces(pattern: npt.NDArray[np.float32], first: npt.ArrayLike, second: npt.ArrayLike) -> Texture:
    return np.concatenate([_blend(pattern, first, second)] * 6)


def checkered(random: Random, first: npt.ArrayLike, second: npt.ArrayLike) -> Texture:
    """Return (6 * 48, 48, 3) uint8 cube faces with a checkerboard of two RGB triples in [0, 1]."""
    count = int(random.choice([2, 4, 6]))
    rows, columns = np.indices((FACE_SIDE, FACE_SIDE)) * count // FACE_SIDE
    return _faces(((rows + columns) % 2).astype(np.float32), first, second)


def striped(random: Random, first: npt.ArrayLike, second: npt.ArrayLike) -> Texture:
    """Return cube faces as `checkered` does, with stripes of which the first colour has the larger part."""
    rows = np.indices((FACE_SIDE, FACE_SIDE))[random.integers(2)] * random.integers(3, 6) / FACE_SIDE
    return _faces((rows % 1.0 > random.uniform(0.5, 0.65)).astype(np.float32), first, second)


def wooden(random: Random) -> Texture:
    """Return cube faces of brown wood."""
    face = cv2.resize(wood(random, (0.45, 0.62)), (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA)
    return np.concatenate([face] * 6)


def brushed_metal(random: Random) -> Texture:
    """Return bright gray cube faces with the soft bands that a room mirrored in metal makes."""
    height = np.linspace(0, 1, FACE_SIDE, dtype=np.float32)[:, None]
    bands = 0.5 + 0.5 * np.sin(2 * np.pi * (height * random.uniform(0.8, 2.0) + random.random()))
    scratches = random.random((1, FACE_SIDE), dtype=np.float32) if random.random() < 0.5 else 0.5
    return _faces(0.85 * bands + 0.15 * scratches, (1.0, 1.0, 1.0), (0.45, 0.45, 0.48))


def printed(random: Random) -> Texture:
    """Return cube faces of a package: a ground, a band, a badge and lines of "text" in several colours."""
    names = list(
        random.permutation(["red", "orange", "yellow", "green", "cyan", "blue", "purple", "white", "black"])
    )
    ground, band, badge, text = (tuple(255 * c for c in sample_rgb(name, random)) for name in names[:4])
    front = np.full((FACE_SIDE, FACE_SIDE, 3), ground, np.uint8)
    top = int(random.integers(0, 34))
    cv2.rectangle(front, (0, top), (FACE_SIDE, top + int(random.integers(6, 16))), band, -1)
    cv2.circle(
        front, tuple(int(v) for v in random.integers(10, 38, 2)), int(random.integers(6, 13)), badge, -1
    )
    side = front.copy()
    for y in range(int(random.integers(6, 20)), 44, 5):
        cv2.line(side, (6, y), (int(random.integers(20, 42)), y), text, 1)
    faces = [side if i in (0, 1) else front for i in range(6)]
    return np.concatenate(faces)
