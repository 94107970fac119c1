"""Tabletop scenes of another renderer, with other objects, to measure a model on what it was not trained on.

python benchmarks/pybullet_tabletop.py OUT --scenes 100 --seed 0

PyBullet drops its bundled objects (duck, mug, teddy, ...) and simple shapes onto a table and draws them on
the CPU. Masks, depth and positions are the renderer's; the instructions are made as for our own scenes, in
validation wordings. OUT is in the folder format of `ivm_ros.datasets.folder`; nothing else needs PyBullet.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from ivm_ros.datasets.folder_writer import write_index
from ivm_ros.datasets.tabletop.assets import Random
from ivm_ros.datasets.tabletop.processes import in_processes
from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.datasets.tabletop.write_folder import start_folder, write_view

try:
    import pybullet
    import pybullet_data
    from pybullet_utils.bullet_client import BulletClient
except ImportError as error:
    raise SystemExit(
        f"this benchmark draws with PyBullet ({error}); install it with: pip install pybullet"
    ) from error

Vector = npt.NDArray[np.float64]
Shape = dict[str, Any]
"""Arguments that PyBullet's collision and visual shapes share."""

SIZE = (640, 480)
VIEWS = 2
NEAR, FAR = 0.05, 6.0
FLOOR = -0.7  # metres; the table top is z = 0
TABLE = 0.6  # half side, metres
REACH = 0.26  # how far from the middle objects are dropped
SETTLING_STEPS = 360  # of 1/240 s
ATTEMPTS = 30

COLORS = {
    "red": (0.85, 0.08, 0.08),
    "orange": (1.0, 0.5, 0.0),
    "yellow": (0.98, 0.88, 0.05),
    "green": (0.1, 0.65, 0.15),
    "cyan": (0.0, 0.8, 0.85),
    "blue": (0.08, 0.2, 0.85),
    "purple": (0.5, 0.12, 0.75),
    "pink": (1.0, 0.5, 0.75),
    "brown": (0.42, 0.23, 0.1),
    "white": (0.97, 0.97, 0.97),
    "gray": (0.54, 0.54, 0.54),
    "black": (0.06, 0.06, 0.06),
}
"""Name of `vocabulary.COLORS` -> RGB; not the ranges of our own scenes."""

FACTORS = ((None, 1.0), (None, 1.0), (None, 1.0), ("small", 0.7), ("large", 1.4))
"""Size words with what lengths are multiplied by; three in five objects have no size word."""

IN_TRAY = 0.4  # how often an object is dropped into a tray, if there is one
GROUNDS = ("checker_blue.png", "table/table.png", "tray/tray.jpg", None)
"""Bundled textures of the table, none of them black, where black objects would vanish; None is plain."""

MESHES = {
    "duck": ("duck.obj", 0.09, "y"),
    "mug": ("objects/mug.obj", 0.095, "z"),
    "lego": ("lego/lego.obj", 0.05, "y"),
    "teddy": ("teddy2_VHACD_CHs.obj", 0.085, "z"),
    "tray": ("tray/tray_textured.obj", 0.05, "z"),
    "ring": ("torus/torus_textured.obj", 0.028, "y"),
}
"""Kind -> bundled mesh, its height in metres, and which of its axes points up."""

PRIMITIVES: dict[str, Shape] = {
    "cube": {"shapeType": pybullet.GEOM_BOX, "halfExtents": [0.028] * 3},
    "box": {"shapeType": pybullet.GEOM_BOX, "halfExtents": [0.053, 0.032, 0.021]},
    "ball": {"shapeType": pybullet.GEOM_SPHERE, "radius": 0.03},
    "cylinder": {"shapeType": pybullet.GEOM_CYLINDER, "radius": 0.027, "height": 0.09},
}


@dataclass(frozen=True)
class Body:
    """An object: PyBullet's number, its words, where it was dropped and the radius that it keeps free."""

    number: int
    kind: str
    color: str
    size: str | None
    spot: Vector
    radius: float


class UnsettledError(RuntimeError):
    """Objects found no place, fell off the table, still move, or lean on one another."""


class PyBulletTabletop:
    """Simulates and draws scenes by seed; the same seed gives the same pictures.

    Args:
        folder: where copies of the meshes without their textures are written.
    """

    def __init__(self, folder: Path) -> None:
        self.client = BulletClient(pybullet.DIRECT)
        self.data = Path(pybullet_data.getDataPath())
        meshes = {
            kind: _mesh(self.data / file, size, up, folder) for kind, (file, size, up) in MESHES.items()
        }
        # Hollow shapes are simulated only where they do not move: things lie in trays, but not in mugs.
        meshes["tray"]["flags"] = pybullet.GEOM_FORCE_CONCAVE_TRIMESH
        self.shapes = PRIMITIVES | meshes

    def render(self, seed: int) -> list[Scene]:
        """Return the views of scene `seed`, a non-negative integer."""
        random = np.random.default_rng(seed)
        for _ in range(ATTEMPTS):
            try:
                bodies, table = self._simulate(random)
                supports = [self._support(body, bodies, table) for body in bodies]
            except UnsettledError:
                continue
            return [self._view(bodies, supports, random) for _ in range(VIEWS)]
        raise UnsettledError(f"scene {seed} did not come to rest in {ATTEMPTS} attempts; use other seeds")

    def _simulate(self, random: Random) -> tuple[list[Body], int]:
        """Drop objects of few kinds and colours, so that most have a twin; return them and the table."""
        self.client.resetSimulation()
        self.client.setGravity(0, 0, -9.81)
        table = self._ground(random)
        kinds = random.choice(list(self.shapes), int(random.integers(2, 6)), replace=False)
        colors = random.choice(list(COLORS), int(random.integers(2, 6)), replace=False)
        drawn = random.choice(kinds, int(random.integers(3, 8)))
        bodies: list[Body] = []
        for kind in sorted(drawn, key="tray".__ne__):  # trays first: others are dropped into them
            bodies.append(self._drop(str(kind), str(random.choice(colors)), bodies, random))
        for _ in range(SETTLING_STEPS):
            self.client.stepSimulation()
        return bodies, table

    def _ground(self, random: Random) -> int:
        """Put a table on a floor, neither of them an object; return the table's number."""
        for half, height in ((4.0, FLOOR), (TABLE, 0.0)):
            shape = {"shapeType": pybullet.GEOM_BOX, "halfExtents": [half, half, 0.02]}
            number = self._body(shape, 0.0)
            self.client.resetBasePositionAndOrientation(number, (0, 0, height - 0.02), (0, 0, 0, 1))
            tone = random.uniform(0.4, 1.0) * random.uniform(0.85, 1.0, 3)
            ground = GROUNDS[int(random.integers(len(GROUNDS)))]
            texture = self.client.loadTexture(str(self.data / ground)) if ground else -1
            self.client.changeVisualShape(number, -1, rgbaColor=[*tone, 1], textureUniqueId=texture)
        return number

    def _body(self, shape: Shape, mass: float) -> int:
        """Add a body at the origin from arguments that `createCollisionShape` takes."""
        visual = {key.replace("collision", "visual"): value for key, value in shape.items() if key != "flags"}
        if "height" in visual:
            visual["length"] = visual.pop("height")
        number: int = self.client.createMultiBody(
            mass, self.client.createCollisionShape(**shape), self.client.createVisualShape(**visual)
        )
        self.client.changeDynamics(
            number, -1, lateralFriction=0.9, rollingFriction=0.004, spinningFriction=0.004, angularDamping=0.3
        )
        return number

    def _drop(self, kind: str, color: str, bodies: list[Body], random: Random) -> Body:
        """Add an object above a free spot of the table or of a tray."""
        size, factor = (None, 1.0) if kind == "tray" else FACTORS[random.integers(len(FACTORS))]
        shape = _scaled(self.shapes[kind], factor * random.uniform(0.9, 1.1))
        number = self._body(shape, 0.0 if kind == "tray" else 0.1)
        self.client.changeVisualShape(number, -1, rgbaColor=[*COLORS[color], 1])
        length, width, height = np.ptp(self.client.getAABB(number), axis=0)
        radius = math.hypot(length, width) / 2
        spot, above = _free_spot(radius, kind, bodies, random)
        turn = self.client.getQuaternionFromEuler((0, 0, random.uniform(0, 2 * math.pi)))
        self.client.resetBasePositionAndOrientation(number, (*spot, above + height / 2), turn)
        return Body(number, kind, color, size, spot, radius)

    def _support(self, body: Body, bodies: list[Body], table: int) -> int | None:
        """Return the index of the tray that a body lies in, or None for the table."""
        position, _ = self.client.getBasePositionAndOrientation(body.number)
        speed = float(np.linalg.norm(self.client.getBaseVelocity(body.number)[0]))
        if position[2] < 0 or speed > 0.02 or np.abs(position[:2]).max() > REACH + 0.1:
            raise UnsettledError
        touched = {contact[2] for contact in self.client.getContactPoints(bodyA=body.number)}
        if body.kind == "tray" or table in touched:
            return None
        for index, other in enumerate(bodies):
            if other.kind == "tray" and touched == {other.number}:
                return index
        raise UnsettledError

    def _view(self, bodies: list[Body], supports: list[int | None], random: Random) -> Scene:
        client, (width, height) = self.client, SIZE
        fov, yaw, pitch = random.uniform((42, 0, -60), (58, 360, -25))
        middle = (*random.uniform(-0.05, 0.05, 2), 0.03)
        view = client.computeViewMatrixFromYawPitchRoll(middle, random.uniform(0.6, 1.0), yaw, pitch, 0, 2)
        lens = client.computeProjectionMatrixFOV(fov, width / height, NEAR, FAR)
        _, _, rgba, buffer, numbers = client.getCameraImage(
            *(width, height, view, lens),
            lightDirection=[*random.uniform(-1, 1, 2), random.uniform(0.8, 2)],
            lightColor=random.uniform(0.9, 1.0, 3).tolist(),
            shadow=int(random.random() < 0.8),
            lightAmbientCoeff=random.uniform(0.55, 0.68),
            lightDiffuseCoeff=random.uniform(0.35, 0.5),
            lightSpecularCoeff=random.uniform(0.0, 0.15),
            renderer=pybullet.ER_TINY_RENDERER,
        )
        instances = np.zeros((height, width), np.uint8)
        for instance, body in enumerate(bodies, start=1):
            instances[np.reshape(numbers, (height, width)) == body.number] = instance
        axes, buffer = np.reshape(view, (4, 4)).T, np.reshape(buffer, (height, width))
        metres = NEAR * FAR / (FAR - (FAR - NEAR) * buffer)
        focal = height / 2 / math.tan(math.radians(fov) / 2)
        return Scene(
            image=np.reshape(rgba, (height, width, 4)).astype(np.uint8)[..., :3],
            instances=instances,
            depth=np.where(buffer < 1, np.round(metres * 1000), 0).astype(np.uint16),
            intrinsics=(focal, focal, width / 2, height / 2),
            objects=tuple(self._seen(i + 1, body, supports[i], axes) for i, body in enumerate(bodies)),
        )

    def _seen(self, instance: int, body: Body, support: int | None, view: Vector) -> SceneObject:
        """Return what is known of an object as the camera of a (4, 4) view matrix sees it."""
        low, high = np.array(self.client.getAABB(body.number))
        x, up, backward = view[:3, :3] @ ((low + high) / 2) + view[:3, 3]
        place = (round(float(x), 4), round(float(-up), 4), round(float(-backward), 4))
        distance, on = round(math.hypot(*place), 4), None if support is None else support + 1
        return SceneObject(instance, body.kind, body.color, None, body.size, distance, place, on)


def _mesh(file: Path, height: float, up: str, folder: Path) -> Shape:
    """Return a shape with its centre at the origin, from a copy of a mesh without its texture."""
    lines = file.read_text().splitlines()
    copy = folder / file.name
    copy.write_text("\n".join(line for line in lines if not line.startswith(("mtllib", "usemtl"))))
    points = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = height / float((high - low)["xyz".index(up)])
    x, y, z = -scale * (low + high) / 2
    return {
        "shapeType": pybullet.GEOM_MESH,
        "fileName": str(copy),
        "meshScale": [scale] * 3,
        "collisionFramePosition": [x, -z, y] if up == "y" else [x, y, z],
        "collisionFrameOrientation": pybullet.getQuaternionFromEuler((math.pi / 2 * (up == "y"), 0, 0)),
    }


def _scaled(shape: Shape, factor: float) -> Shape:
    lengths = ("halfExtents", "radius", "height", "meshScale", "collisionFramePosition")
    return {k: (np.multiply(v, factor).tolist() if k in lengths else v) for k, v in shape.items()}


def _free_spot(radius: float, kind: str, bodies: list[Body], random: Random) -> tuple[Vector, float]:
    """Return where an object may be dropped, and the height to drop it from, metres."""
    trays = [body for body in bodies if body.kind == "tray"]
    for _ in range(100):
        inside = bool(trays) and kind != "tray" and random.random() < IN_TRAY
        if inside:
            spot = trays[int(random.integers(len(trays)))].spot + random.uniform(-0.03, 0.03, 2)
        else:
            spot = random.uniform(-REACH, REACH, 2)
        near = [other for other in bodies if np.linalg.norm(spot - other.spot) < radius + other.radius]
        if all(inside and other.kind == "tray" for other in near):
            return spot, 0.02 if inside else 0.003
    raise UnsettledError


def main(
    output: Annotated[Path, typer.Argument(help="folder to write; must not have an index yet")],
    scenes: Annotated[int, typer.Option(min=1, help="scenes; each gives two views")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="of the first scene")] = 0,
    count: Annotated[int, typer.Option("--questions", min=1, help="per view, at most")] = 2,
) -> None:
    """Draw tabletop scenes with PyBullet into the folder format."""
    start_folder(output)
    entries = []
    with tempfile.TemporaryDirectory() as folder:
        tabletop = PyBulletTabletop(Path(folder))
        seeds = range(seed, seed + scenes)
        for number, views in in_processes(tabletop.render, seeds, 1, f"rendering {scenes} scenes"):
            for view, scene in enumerate(views):
                entries += write_view(output, scene, number, view, count)
    write_index(output, entries)
    print(f"{len(entries)} questions in {output}")


if __name__ == "__main__":
    typer.run(main)
