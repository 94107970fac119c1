"""What scenes are made from: a world has objects, textures, surroundings and lights of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy.typing as npt

from ivm_ros.datasets.tabletop import textures
from ivm_ros.datasets.tabletop.assets import Builder, Random, Rgb
from ivm_ros.datasets.tabletop.kinds import BUILDERS
from ivm_ros.datasets.tabletop.surroundings import Light, Paint, draw_lights, draw_room
from ivm_ros.datasets.tabletop.textures import Texture

if TYPE_CHECKING:
    from ivm_ros.datasets.tabletop.pool import Pool

Draw = Callable[[Random], Texture]
Pattern = Callable[[Random, npt.ArrayLike, npt.ArrayLike], Texture]


@dataclass(frozen=True)
class World:
    """Where the looks of scenes come from; what is where does not depend on it.

    Attributes:
        builders: kind -> how an object of it is drawn; all of `vocabulary.KINDS`.
        borrows: objects and textures of robosuite take part, where that is installed.
        surface: draws (256, 256, 3) uint8 RGB textures for tables, floors and walls.
        finishes: finish -> draws cube faces of it: "wooden", "metal", "print".
        patterns: finish -> draws cube faces of it in two colours: "checkered", "striped".
        room: paints table, floor and walls, and says how large the table is.
        lights: draws lamps, ambient light and headlight.
    """

    builders: Mapping[str, Builder]
    borrows: bool
    surface: Draw
    finishes: Mapping[str, Draw]
    patterns: Mapping[str, Pattern]
    room: Callable[[Pool, Random, bool], tuple[tuple[Paint, ...], tuple[float, float]]]
    lights: Callable[[Random, bool], tuple[tuple[Light, ...], Rgb, Rgb]]


KNOWN = World(
    builders=BUILDERS,
    borrows=True,
    surface=textures.surface,
    finishes={"wooden": textures.wooden, "metal": textures.brushed_metal, "print": textures.printed},
    patterns={"checkered": textures.checkered, "striped": textures.striped},
    room=draw_room,
    lights=draw_lights,
)
"""The one that models are trained in."""
