"""The varied world itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ivm_ros.datasets.tabletop import textures
from ivm_ros.datasets.tabletop.assets import Asset, Builder, Random, Support
from ivm_ros.datasets.tabletop.kinds import BUILDERS
from ivm_ros.datasets.tabletop.surroundings import draw_room
from ivm_ros.datasets.tabletop.varied import textures as varied
from ivm_ros.datasets.tabletop.varied.food import FOOD
from ivm_ros.datasets.tabletop.varied.surroundings import draw_lights
from ivm_ros.datasets.tabletop.varied.tableware import TABLEWARE
from ivm_ros.datasets.tabletop.varied.tools import TOOLS
from ivm_ros.datasets.tabletop.varied.toys import TOYS
from ivm_ros.datasets.tabletop.world import World

STYLES: dict[str, tuple[Builder, ...]] = {
    kind: (BUILDERS[kind], *styles) for kind, styles in {**TABLEWARE, **FOOD, **TOOLS, **TOYS}.items()
}
"""Kind -> its designs, the known world's among them."""

EXACT = ("cube", "ball", "ring", "nut")
"""Kinds that are no longer what they are called where one side is longer than the others."""

_STRETCH = 0.16


def stretched(asset: Asset, random: Random) -> Asset:
    """Return an asset with each of its sides a little longer or shorter."""
    x, y, z = np.exp(random.uniform(-_STRETCH, _STRETCH, 3))
    parts = tuple(replace(part, mesh=part.mesh.scaled((x, y, z))) for part in asset.parts)
    support = asset.support and Support(asset.support.z * z, asset.support.radius * min(x, y))
    return replace(asset, parts=parts, support=support)


def _builder(kind: str) -> Builder:
    styles = STYLES[kind]

    def build(random: Random) -> Asset:
        asset = styles[int(random.integers(len(styles)))](random)
        return asset if kind in EXACT or random.random() < 0.3 else stretched(asset, random)

    return build


VARIED = World(
    builders={kind: _builder(kind) for kind in STYLES},
    borrows=True,
    surface=varied.surface,
    finishes={"wooden": textures.wooden, "metal": varied.metal, "print": textures.printed},
    patterns={"checkered": varied.checkered, "striped": varied.striped},
    room=draw_room,
    lights=draw_lights,
)
"""Several designs of each kind; models are trained in it and in `world.KNOWN`."""
