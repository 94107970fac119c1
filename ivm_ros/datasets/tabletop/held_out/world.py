"""The held-out world itself."""

from __future__ import annotations

from ivm_ros.datasets.tabletop.held_out import textures
from ivm_ros.datasets.tabletop.held_out.food import FOOD
from ivm_ros.datasets.tabletop.held_out.surroundings import draw_lights, draw_room
from ivm_ros.datasets.tabletop.held_out.tableware import TABLEWARE
from ivm_ros.datasets.tabletop.held_out.tools import TOOLS
from ivm_ros.datasets.tabletop.held_out.toys import TOYS
from ivm_ros.datasets.tabletop.world import World

NEW = World(
    builders={**TABLEWARE, **FOOD, **TOOLS, **TOYS},
    borrows=False,
    surface=textures.surface,
    finishes={"wooden": textures.wooden, "metal": textures.polished_metal, "print": textures.printed},
    patterns={"checkered": textures.checkered, "striped": textures.striped},
    room=draw_room,
    lights=draw_lights,
)
"""Nothing in it looks as in `world.KNOWN`, but for the colours that have names."""
