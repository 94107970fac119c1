"""What an object of the tabletop is: its pieces, its colours and finishes, what can stand on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ivm_ros.datasets.tabletop.meshes import Mesh
from ivm_ros.language.vocabulary import COLORS

Random = np.random.Generator
Rgb = tuple[float, float, float]

ANY = tuple(COLORS)
PATTERNED = ("plain", "plain", "plain", "plain", "plain", "plain", "checkered", "striped")


@dataclass(frozen=True)
class Support:
    """The place on or in an object where another can stand: a disc at height `z` of this `radius`, metres."""

    z: float
    radius: float


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of an object: `tint` None takes the object's paint, otherwise it is that RGB in [0, 1]."""

    mesh: Mesh
    tint: Rgb | None = None


@dataclass(frozen=True, eq=False)
class Asset:
    """One object as it lies in a pool.

    Attributes:
        kind: a name of `vocabulary.KINDS`.
        parts: its pieces, z up, about the object's own origin.
        colors: names of `vocabulary.COLORS` it may be painted in; repeated names are likelier.
        finishes: of "plain", "checkered", "striped", "wooden", "metal", "print"; repeated ones are likelier.
            "metal" wants gray and "wooden" brown; "print" is a package with several colours.
        support: where others can stand on it.
        lies: whether it may also lie on its side.
        picture: name of a robosuite texture that belongs to its texture coordinates.
        size: "small" or "large" for its kind, or None.
    """

    kind: str
    parts: tuple[Part, ...]
    colors: tuple[str, ...] = ANY
    finishes: tuple[str, ...] = ("plain",)
    support: Support | None = None
    lies: bool = False
    picture: str | None = None
    size: str | None = None

    def scaled(self, factor: float) -> Asset:
        """Return the asset times a factor, with its size word."""
        parts = tuple(replace(part, mesh=part.mesh.scaled(factor)) for part in self.parts)
        support = self.support and Support(self.support.z * factor, self.support.radius * factor)
        size = "small" if factor < 0.8 else "large" if factor > 1.25 else None
        return replace(self, parts=parts, support=support, size=size)


Builder = Callable[[Random], Asset]
