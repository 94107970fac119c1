"""Draws clips in which the camera moves and objects move as well: some cross in front, some leave the image.

A clip is drawn from a pool of the tabletop by its seed, with the truth of every frame. `record_clip` writes
clips in the format of `ivm_ros.clip`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ivm_ros.datasets.tabletop.assets import Random
from ivm_ros.datasets.tabletop.layout import Layout, Placement, draw_layout
from ivm_ros.datasets.tabletop.meshes import rotation
from ivm_ros.datasets.tabletop.pool import Pool
from ivm_ros.datasets.tabletop.renderer import PoolRenderer
from ivm_ros.datasets.tabletop.scene import Scene
from ivm_ros.datasets.tabletop.surroundings import Camera, Vector, look_at

STORIES = ("camera", "slide", "cross", "leave")
"""What happens to the target while the camera moves: nothing else, it slides and turns, another object
crosses in front of it, it leaves the image and comes back."""

SIZE = (640, 480)
FPS = 30
MIN_PIXELS = 1200  # of the target in the first frame
LARGEST = 0.12  # of the image that it may cover there
TARGETS = 3
ATTEMPTS = 200

_Path = Callable[[float], tuple[Vector, float]]
"""Seconds -> (3,) metres from where it stood, and degrees that it has turned."""


@dataclass(frozen=True, eq=False)
class MovingScene:
    """A scene in time.

    Attributes:
        story: of `STORIES`.
        layout: where everything stands at the start.
        camera: seconds -> camera.
        paths: number of a placement -> how it moves.
        instructions: text -> instances that it is about, the story's target first.
    """

    story: str
    layout: Layout
    camera: Callable[[float], Camera]
    paths: dict[int, _Path]
    instructions: dict[str, tuple[int, ...]]

    def at(self, seconds: float) -> Layout:
        """Return the layout at a time, with the camera's view of it."""
        placements = []
        for number, placement in enumerate(self.layout.placements):
            if number in self.paths:
                shift, degrees = self.paths[number](seconds)
                turn = rotation("z", degrees) @ placement.turn
                placement = replace(placement, position=placement.position + shift, turn=turn)
            placements.append(placement)
        return replace(self.layout, placements=tuple(placements), cameras=(self.camera(seconds),))

    def frames(self, renderer: PoolRenderer, count: int, fps: float = FPS) -> Iterator[Scene]:
        """Yield `count` rendered frames."""
        for frame in range(count):
            yield renderer.render(self.at(frame / fps))[0]


def draw_moving_scene(
    pool: Pool, renderer: PoolRenderer, seed: int, story: str, seconds: float
) -> MovingScene:
    """Draw a scene whose target is well visible at the start; the same seed gives the same scene.

    Args:
        pool: that the renderer has.
        renderer: looks at candidates.
        seed: non-negative.
        story: of `STORIES`.
        seconds: that the clip will take.

    Raises:
        ValueError: no such story, or no such scene was found.
    """
    if story not in STORIES:
        raise ValueError(f"expected a story of {', '.join(STORIES)}; got {story!r}")
    for attempt in range(ATTEMPTS):
        random = np.random.default_rng([seed, 3, attempt])
        layout = draw_layout(pool, random, 1)
        camera = _draw_camera_path(layout, random)
        first = renderer.render(replace(layout, cameras=(camera(0.0),)))[0]
        targets = _targets(layout, first)
        targets = dict(list(targets.items())[:TARGETS])
        if not targets:
            continue
        number = next(iter(targets.values()))[0] - 1
        paths = _draw_paths(layout, camera, number, story, seconds, random)
        if paths is not None:
            return MovingScene(story, layout, camera, paths, targets)
    raise ValueError(f"expected a scene with a visible target within {ATTEMPTS} attempts of seed {seed}")


def _targets(layout: Layout, first: Scene) -> dict[str, tuple[int, ...]]:
    """Return instructions for objects that colour and kind tell from all others, the best visible first.

    Only those that nothing stands on and that stand on the table, so that each can move.
    """
    names = [
        (placement.color, thing.kind)
        for placement, thing in zip(layout.placements, first.objects, strict=True)
    ]
    supports = {placement.on for placement in layout.placements}
    largest = LARGEST * first.instances.size
    found = []
    for number, (placement, name) in enumerate(zip(layout.placements, names, strict=True)):
        pixels = int((first.instances == number + 1).sum())
        movable = placement.on is None and number not in supports
        if movable and name[0] and names.count(name) == 1 and MIN_PIXELS <= pixels <= largest:
            found.append((pixels, f"the {name[0]} {name[1]}", number + 1))
    return {text: (instance,) for _, text, instance in sorted(found, reverse=True)}


def _draw_camera_path(layout: Layout, random: Random) -> Callable[[float], Camera]:
    """Draw the way of a camera that someone or an arm holds: slow turns, and a little unrest."""
    reach = max(float(np.hypot(*placement.position[:2])) for placement in layout.placements) + 0.06
    fovy, azimuth = random.uniform(40, 58), random.uniform(0, 360)
    elevation, swing = random.uniform(28, 58), random.uniform(8, 18)
    distance = float(np.clip(reach / math.tan(math.radians(fovy) / 2) * random.uniform(0.9, 1.3), 0.45, 1.6))
    pace, phases = random.uniform(0.1, 0.25), random.uniform(0, 2 * math.pi, 6)
    unrest = random.uniform(0.05, 0.3)  # degrees

    def camera(seconds: float) -> Camera:
        turns = 2 * math.pi * pace * seconds
        shakes = 2 * math.pi * 1.7 * seconds
        around = math.radians(
            azimuth + swing * math.sin(turns + phases[0]) + unrest * math.sin(shakes + phases[1])
        )
        up = math.radians(elevation + 6 * math.sin(0.8 * turns + phases[2]) + unrest * math.sin(1.3 * shakes))
        far = distance * (1 + 0.1 * math.sin(0.6 * turns + phases[3]))
        target = 0.03 * np.array([math.sin(turns + phases[4]), math.cos(turns + phases[5]), 1.0])
        flat = far * math.cos(up)
        away = np.array([flat * math.cos(around), flat * math.sin(around), far * math.sin(up)])
        return look_at(target + away, target, fovy, roll=1.5 * math.sin(0.7 * turns + phases[1]))

    return camera


def _draw_paths(
    layout: Layout,
    camera: Callable[[float], Camera],
    target: int,
    story: str,
    seconds: float,
    random: Random,
) -> dict[int, _Path] | None:
    """Return what moves in a story and how; None if the layout has no object for it."""
    place, view = layout.placements[target].position, camera(seconds / 2)
    right = view.axes[:, 0] * np.array([1.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    side, pace = float(random.choice([-1.0, 1.0])), random.uniform(0.12, 0.3)
    if story == "slide":
        angle = random.uniform(0, 2 * math.pi)
        way = np.array([math.cos(angle), math.sin(angle), 0.0]) * random.uniform(0.05, 0.12)
        spin = side * random.uniform(10, 60)
        return {target: _swing(way, pace, spin)}
    if story == "leave":
        aside = float((place - view.position) @ view.axes[:, 0])
        ahead = float((view.position - place) @ view.axes[:, 2])
        half = ahead * math.tan(math.radians(view.fovy) / 2) * SIZE[0] / SIZE[1]
        return {target: _bump(right * (side * half * 1.25 - aside), seconds, side * 20.0)}
    if story == "cross":
        others = [n for n, placement in enumerate(layout.placements) if n != target and _free(layout, n)]
        if not others:
            return None
        number = int(random.choice(others))
        middle = place + (view.position - place) * random.uniform(0.25, 0.4)
        start = layout.placements[number].position
        return {number: _crossing(middle - start, right * side * random.uniform(0.15, 0.3), seconds)}
    return {}


def _free(layout: Layout, number: int) -> bool:
    placements: tuple[Placement, ...] = layout.placements
    return placements[number].on is None and all(placement.on != number for placement in placements)


def _swing(way: Vector, pace: float, spin: float) -> _Path:
    def path(seconds: float) -> tuple[Vector, float]:
        return way * math.sin(2 * math.pi * pace * seconds), spin * seconds

    return path


def _bump(way: Vector, seconds: float, spin: float) -> _Path:
    """Return a way there and back, half of the clip long, in its middle."""

    def path(now: float) -> tuple[Vector, float]:
        share = min(max((now / seconds - 0.2) / 0.6, 0.0), 1.0)
        return way * math.sin(math.pi * share) ** 2, spin * now

    return path


def _crossing(middle: Vector, way: Vector, seconds: float) -> _Path:
    """Return a straight way that is at `middle` at half time, `way` long per second, held in the air."""

    def path(now: float) -> tuple[Vector, float]:
        return middle + way * (now - seconds / 2), 15.0 * now

    return path
