"""Layouts to pictures: colour, instances and depth of every view, by MuJoCo's off-screen renderer.

The OpenGL library is that of the environment variable MUJOCO_GL, "osmesa" (the default) or "egl".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop.layout import Layout, draw_layout
from ivm_ros.datasets.tabletop.opengl import mujoco
from ivm_ros.datasets.tabletop.pool import LIGHTS, Pool, build_pool
from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.datasets.tabletop.surroundings import Camera, Paint
from ivm_ros.datasets.tabletop.world import KNOWN, World

SCENES_PER_POOL = 250
"""Scenes with seeds n * 250 .. n * 250 + 249 are drawn from pool n."""

VIEWS = 2
SHOWN, HIDDEN = 0, 3  # geom groups

_ROLE = int(mujoco.mjtTextureRole.mjTEXROLE_RGB)
_ROLES = int(mujoco.mjtTextureRole.mjNTEXROLE)


class PoolRenderer:
    """Renders layouts of one pool.

    Args:
        pool: built with `offscreen` at least `size`.
        size: (width, height) of the pictures.
    """

    def __init__(self, pool: Pool, size: tuple[int, int]) -> None:
        self.pool = pool
        self.width, self.height = size
        self.model, self.data = pool.model, mujoco.MjData(pool.model)
        self.scene = mujoco.MjvScene(self.model, maxgeom=1000)
        self.option, self.camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self.option.geomgroup[:] = 0
        self.option.geomgroup[SHOWN] = 1
        self.camera.type, self.camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        self.context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.context)
        self.viewport = mujoco.MjrRect(0, 0, self.width, self.height)

    def close(self) -> None:
        """Give the textures and meshes of the context back."""
        self.context.free()

    def render(self, layout: Layout) -> list[Scene]:
        """Return one `Scene` for each camera of the layout."""
        return list(self.frames(layout))

    def frames(self, layout: Layout) -> Iterator[Scene]:
        """Yield what `render` returns; nothing else may be rendered meanwhile."""
        self._apply(layout)
        for camera in layout.cameras:
            yield self._view(layout, camera)

    def _apply(self, layout: Layout) -> None:
        """Write a layout into the model; whatever an earlier one wrote is overwritten."""
        model, pool = self.model, self.pool
        for geom, paint in zip(pool.room, layout.room, strict=True):
            self._paint(geom, paint)
        model.geom_size[pool.room[0], :2] = layout.table
        for item in pool.items:
            model.geom_group[list(item.geoms)] = HIDDEN
        for placement in layout.placements:
            item = pool.items[placement.item]
            model.geom_group[list(item.geoms)] = SHOWN
            mocap = model.body_mocapid[item.body]
            self.data.mocap_pos[mocap] = placement.position
            mujoco.mju_mat2Quat(self.data.mocap_quat[mocap], placement.turn.ravel())
            for geom, part in zip(item.geoms, item.asset.parts, strict=True):
                if part.tint is None:
                    self._paint(geom, placement.paint)
        self._light(layout)

    def _paint(self, geom: int, paint: Paint) -> None:
        """Paint a geom, in the model and in the context, whose own copies of texture and repeat count too."""
        model = self.model
        material = model.geom_matid[geom]
        texture = -1 if paint.texture is None else paint.texture
        model.geom_rgba[geom, :3] = paint.rgb
        model.mat_texid[material, _ROLE] = texture
        model.mat_texrepeat[material] = paint.repeat
        model.mat_specular[material], model.mat_shininess[material] = paint.specular, paint.shininess
        self.context.mat_texid[material * _ROLES + _ROLE] = texture
        self.context.mat_texrepeat[2 * material : 2 * material + 2] = paint.repeat

    def _light(self, layout: Layout) -> None:
        model = self.model
        model.light_active[:] = False
        kinds = mujoco.mjtLightType
        for index, light in enumerate(layout.lights[:LIGHTS]):
            model.light_active[index] = True
            model.light_type[index] = kinds.mjLIGHT_DIRECTIONAL if light.directional else kinds.mjLIGHT_SPOT
            model.light_pos[index] = light.position
            model.light_dir[index] = np.array(light.direction) / np.linalg.norm(light.direction)
            model.light_diffuse[index], model.light_specular[index] = light.diffuse, light.specular
            model.light_ambient[index] = 0
            model.light_castshadow[index] = light.shadow
            model.light_cutoff[index], model.light_exponent[index] = 75, 1
        head = model.vis.headlight
        head.ambient[:], head.diffuse[:], head.specular[:] = layout.ambient, layout.headlight, 0.1

    def _view(self, layout: Layout, camera: Camera) -> Scene:
        model = self.model
        model.cam_pos[0], model.cam_fovy[0] = camera.position, camera.fovy
        mujoco.mju_mat2Quat(model.cam_quat[0], camera.axes.ravel())
        mujoco.mj_kinematics(model, self.data)
        mujoco.mj_camlight(model, self.data)
        mujoco.mjv_updateScene(
            model, self.data, self.option, None, self.camera, mujoco.mjtCatBit.mjCAT_ALL, self.scene
        )
        image = np.empty((self.height, self.width, 3), np.uint8)
        codes = np.empty_like(image)
        depth = np.empty((self.height, self.width), np.float32)
        mujoco.mjr_render(self.viewport, self.scene, self.context)
        mujoco.mjr_readPixels(image, None, self.viewport, self.context)
        for flag in (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR):
            self.scene.flags[flag] = True
        mujoco.mjr_render(self.viewport, self.scene, self.context)
        mujoco.mjr_readPixels(codes, depth, self.viewport, self.context)
        for flag in (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR):
            self.scene.flags[flag] = False
        focal = self.height / 2 / math.tan(math.radians(camera.fovy) / 2)
        return Scene(
            image=np.ascontiguousarray(image[::-1]),
            instances=np.ascontiguousarray(self._instances(layout, codes)[::-1]),
            depth=np.ascontiguousarray(self._millimetres(depth)[::-1]),
            intrinsics=(focal, focal, self.width / 2, self.height / 2),
            objects=describe(self.pool, layout, camera),
        )

    def _instances(self, layout: Layout, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Turn the colour-coded picture into instance numbers."""
        owner = np.zeros(self.model.ngeom, np.uint8)
        for number, placement in enumerate(layout.placements, start=1):
            owner[list(self.pool.items[placement.item].geoms)] = number
        table = np.zeros(self.scene.ngeom + 1, np.uint8)
        for geom in self.scene.geoms[: self.scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = owner[geom.objid]
        wide = codes.astype(np.int32)
        return table[wide[..., 0] + (wide[..., 1] << 8) + (wide[..., 2] << 16)]

    def _millimetres(self, depth: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
        """Turn the depth buffer into millimetres along the optical axis; 0 where nothing was hit."""
        near = self.model.vis.map.znear * self.model.stat.extent
        far = self.model.vis.map.zfar * self.model.stat.extent
        metres = near / (1 - depth * (1 - near / far))
        return np.where(depth < 1, np.round(metres * 1000), 0).astype(np.uint16)


def describe(pool: Pool, layout: Layout, camera: Camera) -> tuple[SceneObject, ...]:
    """Return what is known of a layout's objects as one camera sees them; instances count from 1."""
    objects = []
    for number, placement in enumerate(layout.placements, start=1):
        item = pool.items[placement.item]
        low, high = (
            (placement_points := item.points @ placement.turn.T).min(axis=0),
            placement_points.max(axis=0),
        )
        middle = placement.position + (low + high) / 2
        right, up, backward = (middle - camera.position) @ camera.axes
        objects.append(
            SceneObject(
                instance=number,
                kind=item.asset.kind,
                color=placement.color,
                material=placement.material,
                size=item.asset.size,
                distance=round(float(np.linalg.norm(middle - camera.position)), 4),
                position=(round(float(right), 4), round(float(-up), 4), round(float(-backward), 4)),
                on=None if placement.on is None else placement.on + 1,
            )
        )
    return tuple(objects)


class TabletopRenderer:
    """Renders scenes by seed, compiling a new pool whenever the seed leaves the present one's range.

    The same seed gives the same pictures, whatever was rendered before, with the same versions of MuJoCo and
    its OpenGL library and with robosuite in both cases or in neither. Ascending seeds compile a pool once.

    Args:
        size: (width, height) of the pictures.
        views: cameras for each scene.
        world: what scenes are made from.
    """

    def __init__(self, size: tuple[int, int], views: int = VIEWS, world: World = KNOWN) -> None:
        self.size = size
        self.views = views
        self.world = world
        self._gl = mujoco.GLContext(*size)
        self._gl.make_current()
        self._number: int | None = None
        self._renderer: PoolRenderer | None = None

    def render(self, seed: int) -> list[Scene]:
        """Return the views of scene `seed`, a non-negative integer."""
        self._gl.make_current()  # another renderer of this process may have taken its place
        number = seed // SCENES_PER_POOL
        if self._renderer is None or number != self._number:
            if self._renderer is not None:
                self._renderer.close()
            self._renderer = PoolRenderer(build_pool(number, self.size, self.world), self.size)
            self._number = number
        layout = draw_layout(self._renderer.pool, np.random.default_rng([seed, 2]), self.views)
        return self._renderer.render(layout)

    def close(self) -> None:
        """Give the OpenGL context back."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        self._gl.free()


def contact_sheet(scenes: Sequence[Scene], columns: int) -> npt.NDArray[np.uint8]:
    """Return pictures side by side, for people: (rows * H, columns * W, 3) uint8 RGB."""
    height, width = scenes[0].image.shape[:2]
    rows = math.ceil(len(scenes) / columns)
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, scene in enumerate(scenes):
        y, x = divmod(index, columns)
        sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] = scene.image
    return sheet
