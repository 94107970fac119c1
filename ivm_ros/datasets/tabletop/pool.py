"""A pool: one compiled MuJoCo model with about ninety objects, from which some hundred scenes are drawn.

Compiling a model is slow and changing one is fast, so scenes only move, paint, show and hide what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop import textures
from ivm_ros.datasets.tabletop.assets import Asset, Part
from ivm_ros.datasets.tabletop.colors import sample_rgb
from ivm_ros.datasets.tabletop.kinds.robosuite import ROBOSUITE, robosuite_asset, robosuite_folder
from ivm_ros.datasets.tabletop.opengl import mujoco
from ivm_ros.datasets.tabletop.world import KNOWN, World
from ivm_ros.language.vocabulary import COLORS

ROOM = ("table", "floor", "north", "south", "east", "west")
"""Geoms around the objects, in this order."""

PROCEDURAL_SURFACES = 18
ROBOSUITE_SURFACES = 10
PACKAGES = ("bread", "can", "cereal", "glass", "lemon", "soda")
"""Robosuite's textures that belong on things and not on tables and walls."""

_FINISHES = (("wooden", "brown", 3), ("metal", None, 4), ("print", "", 10))
"""Finishes that are not made of two colours: their own colour, and how many textures of each."""

LIGHTS = 3
SAMPLES = 4  # per pixel, against jagged edges


@dataclass(frozen=True)
class Finish:
    """A texture for objects: where `color` is None the object's own colour paints it."""

    texture: int
    color: str | None


@dataclass(frozen=True, eq=False)
class Item:
    """One object of the pool.

    Attributes:
        asset: what it is.
        points: (N, 3) all its vertices, metres, about its own origin.
        body: id in the model.
        geoms: ids of its geoms, in the order of `asset.parts`.
    """

    asset: Asset
    points: npt.NDArray[np.float64]
    body: int
    geoms: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Pool:
    """A compiled model and what its ids mean.

    Attributes:
        model: the MuJoCo model.
        items: its objects.
        surfaces: texture ids for table, floor and walls.
        finishes: finish name -> textures for objects; "picture" is not among them.
        pictures: robosuite texture name -> texture id.
        room: geom ids of `ROOM`.
        world: what it was made from.
    """

    model: mujoco.MjModel
    items: tuple[Item, ...]
    surfaces: tuple[int, ...]
    finishes: dict[str, tuple[Finish, ...]]
    pictures: dict[str, int]
    room: tuple[int, ...]
    world: World


def _draw_assets(world: World, random: np.random.Generator) -> list[Asset]:
    """Draw two or three objects of every kind, of several sizes."""
    folder = robosuite_folder() if world.borrows else None
    assets = []
    for kind, build in world.builders.items():
        for _ in range(2 + int(random.random() < 0.7)):
            borrowed = folder is not None and kind in ROBOSUITE and random.random() < 0.5
            asset = robosuite_asset(kind, folder) if borrowed and folder else build(random)
            factor = random.choice(
                [random.uniform(0.62, 0.76), random.uniform(0.9, 1.12), random.uniform(1.3, 1.55)],
                p=[0.2, 0.6, 0.2],
            )
            assets.append(asset.scaled(float(factor)))
    return assets


class _Builder:
    """Fills an `MjSpec`; textures are numbered in the order in which they are added."""

    def __init__(self, random: np.random.Generator, offscreen: tuple[int, int], shadow: int) -> None:
        self.random = random
        self.spec = mujoco.MjSpec()
        self.spec.visual.global_.offwidth, self.spec.visual.global_.offheight = offscreen
        self.spec.visual.quality.offsamples = SAMPLES
        self.spec.visual.quality.shadowsize = shadow
        self.spec.visual.map.znear, self.spec.visual.map.zfar = 0.02, 12.0
        self.spec.stat.extent = 1.0
        self.textures = 0

    def texture(self, pixels: npt.NDArray[np.uint8], cube: bool) -> int:
        kind = mujoco.mjtTexture.mjTEXTURE_CUBE if cube else mujoco.mjtTexture.mjTEXTURE_2D
        height, width = pixels.shape[:2]
        self.spec.add_texture(
            name=f"texture{self.textures}",
            type=kind,
            width=width,
            height=height,
            nchannel=3,
            data=pixels.ravel().tolist(),
        )
        self.textures += 1
        return self.textures - 1

    def material(self, name: str, cube: bool) -> str:
        """Add a material; it starts with some texture, as one without could not be given one later."""
        material = self.spec.add_material(name=name, texuniform=not cube)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "texture0"
        return name

    def object(self, index: int, asset: Asset) -> None:
        body = self.spec.worldbody.add_body(name=f"object{index}", mocap=True)
        for number, part in enumerate(asset.parts):
            name = f"object{index}_{number}"
            self._mesh(name, part)
            geom = body.add_geom(
                name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, contype=0, conaffinity=0
            )
            if part.tint is None:
                geom.material = self.material(name, cube=True)
            geom.rgba = [*(part.tint or (1, 1, 1)), 1]

    def _mesh(self, name: str, part: Part) -> None:
        mesh = self.spec.add_mesh(
            name=name,
            uservert=part.mesh.vertices.ravel().tolist(),
            userface=part.mesh.faces.ravel().tolist(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,  # meshes with open edges have no volume
        )
        if part.mesh.texture is not None:
            mesh.usertexcoord = part.mesh.texture.ravel().tolist()
            mesh.userfacetexcoord = part.mesh.faces.ravel().tolist()

    def room(self) -> None:
        world = self.spec.worldbody
        world.add_geom(name="table", type=mujoco.mjtGeom.mjGEOM_BOX, size=[1, 1, 0.02], pos=[0, 0, -0.02])
        world.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[4, 4, 1], pos=[0, 0, -0.75])
        for name, x, y in (("north", 0, 1), ("south", 0, -1), ("east", 1, 0), ("west", -1, 0)):
            world.add_geom(
                name=name,
                type=mujoco.mjtGeom.mjGEOM_PLANE,
                size=[4, 4, 1],
                pos=[3 * x, 3 * y, 0],
                zaxis=[-x, -y, 0],
            )
        for name in ROOM:
            geom = self.spec.geom(name)
            geom.material = self.material(name, cube=False)
            geom.contype = geom.conaffinity = 0
        for _ in range(LIGHTS):
            world.add_light()
        world.add_camera(name="camera")

    def finishes(self, world: World) -> dict[str, tuple[Finish, ...]]:
        """Add the textures of objects: gray ones to be painted, and every colour with white or black."""
        random = self.random
        found = {
            name: [Finish(self.texture(world.finishes[name](random), True), color) for _ in range(count)]
            for name, color, count in _FINISHES
        }
        for name, make in world.patterns.items():
            dark = (0.3, 0.3, 0.3)
            found[name] = [Finish(self.texture(make(random, (1, 1, 1), dark), True), None) for _ in range(2)]
            for color in COLORS:
                other = (
                    "black" if color == "white" or (color != "black" and random.random() < 0.3) else "white"
                )
                pixels = make(random, sample_rgb(color, random), sample_rgb(other, random))
                found[name].append(Finish(self.texture(pixels, True), color))
        return {name: tuple(items) for name, items in found.items()}

    def pictures(self, names: Sequence[str]) -> dict[str, int]:
        folder = robosuite_folder()
        if folder is None:
            return {}
        files = {name: folder / "textures" / f"{name}.png" for name in names}
        return {name: self.texture(textures.surface_from_file(file), False) for name, file in files.items()}


def _draw_surfaces(world: World, random: np.random.Generator) -> list[textures.Texture]:
    """Draw textures for tables, floors and walls; the procedural ones come first."""
    folder = robosuite_folder() if world.borrows else None
    files = sorted((folder / "textures").glob("*.png")) if folder else []
    files = [file for file in files if file.stem not in PACKAGES]
    chosen = random.permutation(len(files))[:ROBOSUITE_SURFACES]
    made = [world.surface(random) for _ in range(PROCEDURAL_SURFACES)]
    return made + [textures.surface_from_file(files[i]) for i in sorted(chosen)]


def build_pool(seed: int, offscreen: tuple[int, int], world: World = KNOWN) -> Pool:
    """Draw and compile a pool.

    Args:
        seed: same seed, same pool, as long as robosuite is installed in both cases or in neither.
        offscreen: (width, height) of the largest picture that will be rendered.
        world: what it is made from.
    """
    random = np.random.default_rng([seed, 1])
    assets = _draw_assets(world, random)
    return compile_pool(assets, _draw_surfaces(world, random), random, offscreen, world=world)


def compile_pool(
    assets: Sequence[Asset],
    surfaces: Sequence[textures.Texture],
    random: np.random.Generator,
    offscreen: tuple[int, int],
    shadow: int = 1024,
    world: World = KNOWN,
) -> Pool:
    """Compile a pool of given objects.

    Args:
        assets: its objects.
        surfaces: (256, 256, 3) uint8 RGB textures for table, floor and walls, at least one.
        random: draws the textures of the objects.
        offscreen: (width, height) of the largest picture that will be rendered.
        shadow: side of the shadow map, pixels.
        world: whose finishes, surroundings and lights they get.
    """
    builder = _Builder(random, offscreen, shadow)
    numbers = tuple(builder.texture(pixels, False) for pixels in surfaces)
    finishes = builder.finishes(world)
    pictures = builder.pictures(sorted({asset.picture for asset in assets if asset.picture}))
    builder.room()
    for index, asset in enumerate(assets):
        builder.object(index, asset)
    model = builder.spec.compile()
    items = tuple(_item(model, index, asset) for index, asset in enumerate(assets))
    room = tuple(model.geom(name).id for name in ROOM)
    return Pool(model, items, numbers, finishes, pictures, room, world)


def _item(model: mujoco.MjModel, index: int, asset: Asset) -> Item:
    points = np.concatenate([part.mesh.vertices for part in asset.parts])
    geoms = tuple(model.geom(f"object{index}_{number}").id for number in range(len(asset.parts)))
    return Item(asset, points, model.body(f"object{index}").id, geoms)
