"""A small ivm-tiny and drawn scenes to try it on."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np

from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.models.ivm_tiny.config import TinyConfig

SMALL = TinyConfig(
    width=64,
    height=64,
    widths=(8, 8, 16, 16),
    channels=32,
    heads=2,
    text_depth=1,
    matcher_depth=2,
    buckets=512,
    embedding=16,
    pixels=6,
    hidden=4,
    pair=4,
    most=6,
)
PAINTS = {"red": (200, 30, 30), "blue": (30, 30, 200), "green": (30, 180, 30)}


def drawn_scene(seed: int, config: TinyConfig = SMALL) -> Scene:
    """Draw three coloured cubes (squares) on a gray table."""
    rng = Random(seed)
    image = np.full((config.height, config.width, 3), 120, np.uint8)
    instances = np.zeros(image.shape[:2], np.uint8)
    objects = []
    for index, x in enumerate((4, 24, 44), start=1):
        color, y = rng.choice(list(PAINTS)), rng.randrange(4, 44)
        image[y : y + 16, x : x + 16] = PAINTS[color]
        instances[y : y + 16, x : x + 16] = index
        objects.append(SceneObject(index, "cube", color, None, None, 1.0, (x / 64, 0.0, 1.0)))
    return Scene(image, instances, None, (60.0, 60.0, 32.0, 32.0), tuple(objects))


def twice(scene: Scene) -> Scene:
    """The same view, each pixel four times: as large as the store's views are."""
    image, instances = (part.repeat(2, axis=0).repeat(2, axis=1) for part in (scene.image, scene.instances))
    return replace(scene, image=image, instances=instances)
