"""Records the clip that ships with the package: a camera moves around a cluttered table, with the truth.

    python -m ivm_ros.datasets.tabletop.record_clip

Same versions of MuJoCo, OpenGL library and OpenCV: same clip. The files are described in `ivm_ros.clip`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import typer
from rich.progress import track

from ivm_ros.clip import CLIP_FOLDER
from ivm_ros.datasets.tabletop.colors import sample_rgb
from ivm_ros.datasets.tabletop.kinds import BUILDERS
from ivm_ros.datasets.tabletop.layout import Layout, Placement, standing
from ivm_ros.datasets.tabletop.meshes import rotation
from ivm_ros.datasets.tabletop.opengl import mujoco
from ivm_ros.datasets.tabletop.pool import Pool, compile_pool
from ivm_ros.datasets.tabletop.renderer import PoolRenderer
from ivm_ros.datasets.tabletop.surroundings import Camera, Light, Paint, look_at
from ivm_ros.datasets.tabletop.textures import wood
from ivm_ros.datasets.tabletop.write_clip import write_clip
from ivm_ros.grounding import Image

SEED = 10
SIZE = (640, 480)
OVERSAMPLING = 2
FPS = 25
FRAMES = 200
FOVY = 42.0


@dataclass(frozen=True)
class _Thing:
    """An object of the clip: x, y in metres on the table, or on top of another by its place in the list."""

    kind: str
    color: str
    x: float
    y: float
    yaw: float = 0.0
    on: int | None = None


THINGS = (
    _Thing("cup", "red", 0.02, -0.06),
    _Thing("plate", "white", -0.17, 0.0),
    _Thing("apple", "green", -0.18, 0.02, on=1),
    _Thing("bottle", "green", 0.13, 0.14),
    _Thing("bowl", "blue", 0.2, -0.04),
    _Thing("duck", "yellow", -0.05, -0.2, -70),
    _Thing("box", "brown", -0.05, 0.17, 20),
    _Thing("cube", "red", 0.14, -0.19, 30),
    _Thing("bottle", "brown", 0.02, 0.2),
    _Thing("mug", "blue", -0.24, -0.15, -140),
    _Thing("lego", "orange", 0.03, -0.16, 15),
    _Thing("lemon", "yellow", 0.2, -0.04, 40, on=4),
    _Thing("can", "purple", 0.26, 0.1),
    _Thing("spoon", "gray", 0.1, -0.25, 8),
    _Thing("teddy", "brown", -0.22, 0.17, -60),
)
INSTRUCTIONS: dict[str, tuple[int, ...]] = {
    "hand me the blue mug": (9,),
    "pick up the red cup": (0,),
    "the yellow duck": (5,),
    "the apple on the plate": (2,),
    "the lemon in the blue bowl": (11,),
    "both bottles": (3, 8),
    "the purple hammer": (),
}
"""Instruction -> places in `THINGS` of its targets."""


def _layout(pool: Pool, random: np.random.Generator) -> Layout:
    placements: list[Placement] = []
    for number, thing in enumerate(THINGS):
        item, turn = pool.items[number], rotation("z", thing.yaw)
        spot = np.array([thing.x, thing.y, 0.0])
        if thing.on is not None:
            support = pool.items[thing.on].asset.support
            if support is None:
                raise ValueError(f"expected a kind that others can stand on, got {THINGS[thing.on].kind}")
            spot[2] = placements[thing.on].position[2] + support.z
        paint = Paint(sample_rgb(thing.color, random), specular=0.4, shininess=0.5)
        position = standing(item, turn, spot)
        placements.append(Placement(number, position, turn, paint, thing.color, None, thing.on))
    table = Paint((1.0, 1.0, 1.0), pool.surfaces[0], 2.0, 0.15, 0.3)
    room = (table, Paint((0.5, 0.47, 0.44)), *[Paint((0.95, 0.93, 0.88), specular=0.0)] * 4)
    lights = (
        Light((0.7, -0.5, 1.6), (-0.7, 0.5, -1.6), (0.55, 0.54, 0.51), 0.4, True, True),
        Light((-1.0, -0.6, 1.2), (1.0, 0.6, -1.2), (0.16, 0.17, 0.19), 0.1, True, False),
    )
    cameras = tuple(_camera(2 * math.pi * frame / FRAMES) for frame in range(FRAMES))
    return Layout(
        tuple(placements), room, (0.6, 0.5), lights, (0.36, 0.36, 0.36), (0.16, 0.16, 0.16), cameras
    )


def _camera(phase: float) -> Camera:
    """Return the camera at a phase of its closed path, so that the clip can loop without a jump."""
    azimuth = math.radians(-90 + 24 * math.sin(phase))
    elevation = math.radians(42 + 7 * math.sin(2 * phase + 0.6))
    distance = 0.86 + 0.07 * math.cos(phase)
    target = np.array([0.02 * math.sin(phase + 1), 0.0, 0.03])
    flat = distance * math.cos(elevation)
    away = np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), distance * math.sin(elevation)])
    return look_at(target + away, target, FOVY)


def _smaller_image(image: Image) -> Image:
    return cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _smaller_instances(instances: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return for every pixel the instance that covers most of it."""
    masks = [(instances == number).astype(np.float32) for number in range(len(THINGS) + 1)]
    covered = [cv2.resize(mask, SIZE, interpolation=cv2.INTER_AREA) for mask in masks]
    return np.argmax(covered, axis=0).astype(np.uint8)


def record(folder: Path) -> None:
    """Render the clip into a folder: video, truth and description."""
    random = np.random.default_rng(SEED)
    large = (SIZE[0] * OVERSAMPLING, SIZE[1] * OVERSAMPLING)
    assets = [BUILDERS[thing.kind](random) for thing in THINGS]
    gl = mujoco.GLContext(*large)
    gl.make_current()
    pool = compile_pool(assets, [wood(random, (0.8, 0.9))], random, large, shadow=4096)
    renderer = PoolRenderer(pool, large)
    layout = _layout(pool, random)
    views = (
        (_smaller_image(scene.image), _smaller_instances(scene.instances))
        for scene in track(renderer.frames(layout), "recording", total=FRAMES)
    )
    objects = {number: f"{thing.color} {thing.kind}" for number, thing in enumerate(THINGS, start=1)}
    instructions = {text: tuple(place + 1 for place in places) for text, places in INSTRUCTIONS.items()}
    write_clip(folder, views, SIZE, FPS, FOVY, objects, instructions)
    renderer.close()
    gl.free()


def main(folder: Annotated[Path, typer.Option(help="where the clip goes")] = CLIP_FOLDER) -> None:
    """Record the clip that ships with the package."""
    record(folder)


if __name__ == "__main__":
    typer.run(main)
