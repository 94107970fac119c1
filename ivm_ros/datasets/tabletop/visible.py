"""What can be seen in a picture, and which of it a description fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop.scene import SceneObject
from ivm_ros.language.phrases import Description

MIN_PIXELS = 30
"""Fewest visible pixels of an object that is asked about, at 256x192."""

_ALIKE = (
    ("cup", "mug"),
    ("box", "milk"),
    ("box", "cereal"),
    ("box", "cube"),
    ("can", "cylinder"),
    ("ring", "nut"),
)
PERHAPS_METAL = {"can", "nut", "pan", "pot", "spoon", "fork", "knife", "screwdriver", "hammer"}
"""Kinds that people may call metal even where the renderer names no material."""


@dataclass(frozen=True)
class Seen:
    """A visible object.

    Attributes:
        item: the object.
        pixels: how many of it are visible.
        x: centroid of the visible pixels, as a fraction of the picture's width.
        y: the same, of the height.
    """

    item: SceneObject
    pixels: int
    x: float
    y: float

    @property
    def clear(self) -> bool:
        """Whether enough of it is visible to be asked about."""
        return self.pixels >= MIN_PIXELS


class View:
    """The visible objects of one picture.

    Args:
        objects: every object of the scene.
        instances: (H, W) uint8 map of visible instances.
    """

    def __init__(self, objects: Sequence[SceneObject], instances: npt.NDArray[np.uint8]) -> None:
        height, width = instances.shape
        flat = instances.ravel()
        rows = np.repeat(np.arange(height), width)
        columns = np.tile(np.arange(width), height)
        pixels = np.bincount(flat, minlength=256)
        safe = np.maximum(pixels, 1)
        x = np.bincount(flat, columns, 256) / safe / width
        y = np.bincount(flat, rows, 256) / safe / height
        ids = ((item, item.instance) for item in objects)
        self.seen = [Seen(item, int(pixels[i]), float(x[i]), float(y[i])) for item, i in ids if pixels[i] > 0]
        self.clear = [seen for seen in self.seen if seen.clear]
        self.kinds = {seen.item.kind for seen in self.seen}

    def fitting(self, wanted: Description) -> tuple[list[Seen], list[Seen]]:
        """Return the objects that surely fit and those that perhaps do."""
        sure, perhaps = [], []
        for seen in self.seen:
            verdict = fits(seen.item, wanted)
            if verdict is None or (verdict and not seen.clear):
                perhaps.append(seen)
            elif verdict:
                sure.append(seen)
        return sure, perhaps


def fits(item: SceneObject, wanted: Description) -> bool | None:
    """Return whether a description fits an object; None when nobody can say."""
    verdicts: list[bool | None] = [wanted.stranger is None]
    if wanted.kind is not None and item.kind != wanted.kind:
        pair = {item.kind, wanted.kind}
        verdicts.append(None if any(pair == set(alike) for alike in _ALIKE) else False)
    if wanted.color is not None:
        verdicts.append(None if item.color is None else item.color == wanted.color)
    if wanted.size is not None:
        verdicts.append(None if item.size is None else item.size == wanted.size)
    if wanted.material is not None and item.material != wanted.material:
        perhaps = item.material is None and wanted.material == "metal" and item.kind in PERHAPS_METAL
        verdicts.append(None if perhaps else False)
    if False in verdicts:
        return False
    return None if None in verdicts else True
