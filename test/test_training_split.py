"""What the training split asks and shows is pinned: weights are only comparable while it stays as it is.

So is what validation asks: scores are.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import asdict
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ivm_ros.datasets.tabletop.instructions import questions
from ivm_ros.datasets.tabletop.scene import SceneObject

if TYPE_CHECKING:
    from ivm_ros.datasets.tabletop.pool import Pool
    from ivm_ros.datasets.tabletop.renderer import TabletopRenderer

SIZE = (128, 96)
QUESTIONS = {"train": "01558a9e3873136f", "validation": "330371e2c54d5335"}
OBJECTS = "3d6ea14031c782a7"
SURFACES = "7d6796e921dd7ee9"
LAYOUTS = "08fe44c7b29338df"
PICTURE = [
    [[183.5, 184.4, 183.9], [185.0, 186.0, 185.4], [175.4, 166.3, 165.4], [176.6, 177.4, 177.0]],
    [[193.7, 194.8, 194.1], [116.3, 92.2, 93.5], [171.2, 153.5, 152.3], [192.2, 193.2, 192.6]],
    [[194.7, 195.8, 195.2], [152.9, 150.8, 151.0], [193.0, 194.0, 193.5], [193.6, 194.6, 194.0]],
]
"""Of view 0 of scene 3, in 3 x 4 parts: the mean of each, RGB."""


def digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def rounded(values: Any, digits: int = 5) -> Any:
    """Round every number, so that the last bit of a sine does not count."""
    if isinstance(values, dict):
        return {key: rounded(value, digits) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [rounded(value, digits) for value in values]
    if isinstance(values, np.ndarray):
        return rounded(values.tolist(), digits)
    if isinstance(values, (float, np.floating)):
        return round(float(values), digits) + 0.0
    return values


def thing(number: int, kind: str, color: str | None, x: float, **more: Any) -> SceneObject:
    values = {"material": None, "size": None, "distance": 1.0 + 0.1 * x, "position": (x, 0.1, 1.0), **more}
    return SceneObject(number, kind, color, **values)


@pytest.mark.parametrize("split", QUESTIONS)
def test_a_split_asks_what_it_asked(split: str) -> None:
    objects = (
        thing(1, "cup", "red", -0.3),
        thing(2, "cup", "blue", 0.3, size="small"),
        thing(3, "plate", "red", 0.0),
        thing(4, "box", "brown", 0.1, material="wooden", on=3),
        thing(5, "duck", None, 0.2),
    )
    instances = np.zeros((192, 256), np.uint8)
    for number, (x, y, side) in enumerate(
        ((20, 80, 28), (200, 120, 28), (110, 40, 40), (120, 50, 16), (20, 20, 30)), start=1
    ):
        instances[y : y + side, x : x + side] = number
    asked = [
        [question.text, question.tag, list(question.targets), list(question.ignored), question.anchor]
        for seed in range(50)
        for question in questions(objects, instances, Random(seed), 40, split)
    ]
    assert digest(asked) == QUESTIONS[split]


@pytest.fixture(scope="module")
def renderer() -> Iterator[TabletopRenderer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name, package=None: None)  # no robosuite
        try:
            from ivm_ros.datasets.tabletop.renderer import TabletopRenderer

            renderer = TabletopRenderer(SIZE)
        except Exception as error:  # whatever a missing MuJoCo or OpenGL library raises
            pytest.skip(f"cannot render without a screen: {error}")
        yield renderer
        renderer.close()


@pytest.fixture(scope="module")
def pool(renderer: TabletopRenderer) -> Pool:
    from ivm_ros.datasets.tabletop.pool import build_pool

    return build_pool(0, SIZE)


def test_training_has_the_objects_it_had(pool: Pool) -> None:
    seen = [
        [
            item.asset.kind,
            item.asset.colors,
            item.asset.finishes,
            item.asset.size,
            item.asset.lies,
            asdict(item.asset.support) if item.asset.support else None,
            item.points.std(axis=0),
            item.points.sum(),
        ]
        for item in pool.items
    ]
    assert digest(rounded(seen)) == OBJECTS


def test_training_has_the_textures_it_had(pool: Pool) -> None:
    starts, sizes = pool.model.tex_adr, pool.model.tex_height * pool.model.tex_width * pool.model.tex_nchannel
    means = [
        float(pool.model.tex_data[start : start + size].mean())
        for start, size in zip(starts, sizes, strict=True)
    ]
    names = {name: [each.color for each in found] for name, found in pool.finishes.items()}
    assert digest([names, [round(mean) for mean in means]]) == SURFACES


def test_training_lays_tables_as_it_did(pool: Pool) -> None:
    from ivm_ros.datasets.tabletop.layout import draw_layout

    seen = []
    for seed in range(20):
        layout = draw_layout(pool, np.random.default_rng([seed, 2]), 2)
        things = [asdict(placement) for placement in layout.placements]
        room = [asdict(paint) for paint in layout.room]
        lights = [asdict(light) for light in layout.lights]
        cameras = [asdict(camera) for camera in layout.cameras]
        seen.append([things, room, layout.table, lights, layout.ambient, layout.headlight, cameras])
    assert digest(rounded(json.loads(json.dumps(seen, default=lambda value: value.tolist())))) == LAYOUTS


def test_training_shows_what_it_showed(renderer: TabletopRenderer) -> None:
    image = renderer.render(3)[0].image
    means = image.reshape(3, 32, 4, 32, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(means, PICTURE, atol=2.0)  # other versions of OpenGL round edges otherwise
