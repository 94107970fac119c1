"""Surfaces and finishes with more variety than `textures` has: worn, shaded, slanted, darker, brighter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop import textures
from ivm_ros.datasets.tabletop.textures import FACE_SIDE, SURFACE_SIDE, Random, Texture, muted_rgb


def _patches(random: Random, side: int) -> npt.NDArray[np.float32]:
    """Return (side, side) smooth numbers in [0, 1]: large soft patches."""
    rows, columns = np.indices((side, side)) / side
    total = np.zeros((side, side))
    for _ in range(6):
        along, across = random.integers(-3, 4, 2)
        total += random.random() * np.sin(2 * np.pi * (along * rows + across * columns + random.random()))
    low, high = total.min(), total.max()
    return ((total - low) / max(high - low, 1e-6)).astype(np.float32)


def _worn(random: Random) -> Texture:
    """Mix two surfaces in patches, with a hard or a soft edge."""
    first, second = textures.surface(random), textures.surface(random)
    share = np.clip((_patches(random, SURFACE_SIDE) - 0.5) * random.uniform(1.5, 12) + 0.5, 0, 1)[..., None]
    return (first * share + second * (1 - share)).astype(np.uint8)


def _shaded(random: Random) -> Texture:
    """Let one muted colour pass into another."""
    share = _patches(random, SURFACE_SIDE)[..., None]
    first, second = muted_rgb(random), muted_rgb(random)
    grain = random.normal(0, random.uniform(0, 0.04), (SURFACE_SIDE, SURFACE_SIDE, 1))
    return (np.clip(first * share + second * (1 - share) + grain, 0, 1) * 255).astype(np.uint8)


def surface(random: Random) -> Texture:
    """Draw a (256, 256, 3) uint8 RGB texture for a table, floor or wall."""
    draw = random.random()
    return textures.surface(random) if draw < 0.5 else _worn(random) if draw < 0.8 else _shaded(random)


def _slanted(random: Random) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the coordinates of a face, turned by one to three quarters of a right angle.

    The first are in [0, 1.42), the second in (-0.93, 0.93).
    """
    rows, columns = np.indices((FACE_SIDE, FACE_SIDE)) / FACE_SIDE
    angle = np.pi / 8 * random.integers(1, 4)
    return np.cos(angle) * rows + np.sin(angle) * columns, np.cos(angle) * columns - np.sin(angle) * rows


def _faces(first: npt.ArrayLike, second: npt.ArrayLike, inside: npt.NDArray[np.bool_]) -> Texture:
    face = np.where(inside[..., None], np.asarray(second), np.asarray(first))
    return np.concatenate([(np.clip(face, 0, 1) * 255).astype(np.uint8)] * 6)


def checkered(random: Random, first: npt.ArrayLike, second: npt.ArrayLike) -> Texture:
    """Return (6 * 48, 48, 3) uint8 cube faces as `textures.checkered` does, half of the time slanted.

    The fields of slanted ones need not be square: each direction has a count of its own.
    """
    if random.random() < 0.5:
        return textures.checkered(random, first, second)
    u, v = (np.floor(side * random.choice([3, 4, 6])).astype(int) for side in _slanted(random))
    return _faces(first, second, (u + v) % 2 == 1)


def striped(random: Random, first: npt.ArrayLike, second: npt.ArrayLike) -> Texture:
    """Return cube faces as `textures.striped` does, half of the time slanted, of other widths."""
    if random.random() < 0.5:
        return textures.striped(random, first, second)
    across, _ = _slanted(random)
    return _faces(first, second, across * random.uniform(2.5, 5.5) % 1.0 > random.uniform(0.45, 0.75))


def metal(random: Random) -> Texture:
    """Return gray cube faces of metal: brushed, or with one or several bright bands over a darker ground."""
    if random.random() < 0.4:
        return textures.brushed_metal(random)
    height = np.linspace(0, 1, FACE_SIDE)[:, None] + random.uniform(-0.2, 0.2) * np.linspace(0, 1, FACE_SIDE)
    bands = 0.5 + 0.5 * np.sin(2 * np.pi * (height * random.uniform(0.5, 3.0) + random.random()))
    bands = bands ** random.uniform(0.5, 4)
    dark = random.uniform(0.25, 0.55)
    face = (dark + (1 - dark) * bands)[..., None] * np.array([1, 1, random.uniform(0.98, 1.04)])
    return np.concatenate([(np.clip(face, 0, 1) * 255).astype(np.uint8)] * 6)
