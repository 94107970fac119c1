"""Clips with moving things: what needs MuJoCo and an OpenGL library that works without a screen."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

try:
    from ivm_ros.datasets.tabletop.renderer import PoolRenderer, TabletopRenderer

    TabletopRenderer((16, 16)).close()
except Exception as error:  # whatever a missing MuJoCo or a missing or broken OpenGL library raises
    pytest.skip(f"cannot render without a screen: {error}", allow_module_level=True)

from ivm_ros.clip import load_clip
from ivm_ros.datasets.tabletop.moving_clip import MIN_PIXELS, SIZE, STORIES, draw_moving_scene
from ivm_ros.datasets.tabletop.opengl import mujoco
from ivm_ros.datasets.tabletop.pool import build_pool
from ivm_ros.datasets.tabletop.write_clip import write_clip

SECONDS = 4.0


@pytest.fixture(scope="module")
def renderer():
    gl = mujoco.GLContext(*SIZE)
    gl.make_current()
    renderer = PoolRenderer(build_pool(900, SIZE), SIZE)
    yield renderer
    renderer.close()
    gl.free()


def visible(renderer, scene, seconds: float) -> int:
    target = next(iter(scene.instructions.values()))[0]
    return int((renderer.render(scene.at(seconds))[0].instances == target).sum())


@pytest.mark.parametrize(("story", "seed"), [(story, seed) for seed, story in enumerate(STORIES)])
def test_a_story_happens_to_a_target_that_is_well_visible_at_first(renderer, story, seed) -> None:
    scene = draw_moving_scene(renderer.pool, renderer, seed, story, SECONDS)
    before, middle = visible(renderer, scene, 0.0), visible(renderer, scene, SECONDS / 2)
    assert before >= MIN_PIXELS
    assert bool(scene.paths) == (story != "camera")
    if story == "leave":
        assert middle < before / 2 < visible(renderer, scene, SECONDS)
    if story == "cross":
        far = (np.array([9.0, 9.0, 0.0]), 0.0)
        scene.paths.update({number: lambda now: far for number in scene.paths})
        assert middle < visible(renderer, scene, SECONDS / 2)


def test_a_seed_gives_the_same_scene_and_a_clip_can_be_read_back(renderer, tmp_path) -> None:
    one, two = (draw_moving_scene(renderer.pool, renderer, 5, "slide", SECONDS) for _ in range(2))
    assert one.instructions == two.instructions
    views = [(view.image, view.instances) for view in islice(one.frames(renderer, 3), 3)]
    again = renderer.render(two.at(2 / 30))[0]
    np.testing.assert_array_equal(views[2][0], again.image)
    write_clip(tmp_path, views, SIZE, 30, 45.0, {1: "red cup"}, one.instructions)
    clip = load_clip(tmp_path)
    assert (len(clip), clip.fps, clip.objects) == (3, 30.0, {1: "red cup"})
    text, (instance,) = next(iter(one.instructions.items()))
    np.testing.assert_array_equal(clip.truth(1, text), views[1][1] == instance)
    assert len(list(clip.frames())) == 3


def test_unknown_stories_are_refused(renderer) -> None:
    with pytest.raises(ValueError, match="camera, slide, cross, leave; got 'fly'"):
        draw_moving_scene(renderer.pool, renderer, 0, "fly", SECONDS)
