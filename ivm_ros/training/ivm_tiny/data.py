"""From the store to batches: augmented views, questions about them, and all that supervises the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ivm_ros.datasets.tabletop.instructions import Question, questions
from ivm_ros.datasets.tabletop.phrases import Description
from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.datasets.tabletop.store import Store, complete_shards, load_store
from ivm_ros.datasets.tabletop.visible import PERHAPS_METAL
from ivm_ros.models.ivm_tiny.concepts import NO_KIND, STRANGER
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.training.augment import augment

IGNORE = -100
"""Class of pixels and words that no loss looks at; the default of torch's cross entropy."""


_BACKGROUND_WEIGHT = 0.1
_USUAL_PIXELS = 100  # of an object at a quarter of the resolution; its pixels have weight 1
_FEWEST_PIXELS = 8


@dataclass(frozen=True, eq=False)
class Batch:
    """B views with N questions in all, in the order of the views; equally many about each that is asked.

    Attributes:
        images: (B, H, W, 3) uint8 RGB.
        questions: the N questions.
        targets: (N, H, W) bool.
        ignored: (N, H, W) bool.
        anchors: (N, H, W) bool.
        kinds: (B, H / 4, W / 4) class of each pixel; the last is the background.
        colors: (B, H / 4, W / 4) class or `IGNORE`.
        materials: (B, H / 4, W / 4) class or `IGNORE`; the last is none of them.
        weights: (B, H / 4, W / 4) float32: of a pixel in these losses, less in large objects.
        words: (N, 6) classes of the target's kind, colour, material; the anchor's kind, colour; the relation.
    """

    images: Tensor
    questions: list[Question]
    targets: Tensor
    ignored: Tensor
    anchors: Tensor
    kinds: Tensor
    colors: Tensor
    materials: Tensor
    weights: Tensor
    words: Tensor

    @property
    def texts(self) -> list[str]:
        """The N instructions."""
        return [question.text for question in self.questions]


class ShardPool:
    """The shards of one training process; picks up new ones as they are finished.

    Args:
        folder: of the store.
        split: "train", "validation" or "test": shards are named by it.
        rank: of this process; it reads every `world`-th shard.
        world: number of processes.
    """

    def __init__(self, folder: Path, split: str, rank: int = 0, world: int = 1) -> None:
        self.folder, self.split, self.rank, self.world = folder, split, rank, world
        self._stems: set[Path] = set()
        self.stores: list[Store] = []
        self.rescan()

    def rescan(self) -> int:
        """Read the shards that are finished since, and return how many these are."""
        finished = complete_shards(self.folder)
        mine = [stem for stem in finished if stem.name.startswith(f"{self.split}-")]
        new = [
            s
            for s in mine
            if int(s.name.rsplit("-", 1)[1]) % self.world == self.rank and s not in self._stems
        ]
        if new:
            self.stores.append(load_store(new, progress=False))
            self._stems.update(new)
        return len(new)

    def __len__(self) -> int:
        return sum(map(len, self.stores))

    def scene(self, index: int) -> Scene:
        """Return view `index` of all."""
        for store in self.stores:
            if index < len(store):
                return store.scene(index)
            index -= len(store)
        raise IndexError(f"expected an index below {len(self)}")

    def draw(self, count: int, rng: Random) -> list[Scene]:
        """Return `count` views by chance."""
        return [self.scene(rng.randrange(len(self))) for _ in range(count)]


def make_batch(
    scenes: Sequence[Scene],
    rng: Random,
    per_view: int,
    config: TinyConfig,
    split: str = "train",
    asked_views: int | None = None,
) -> Batch:
    """Augment the views (in training only) and ask `per_view` questions about each.

    Args:
        scenes: views of the network's size.
        rng: decides everything.
        per_view: questions about each view.
        config: of the network.
        split: wordings, see `questions`; other splits than "train" are not augmented.
        asked_views: ask about this many of the views only, the first ones; None for all.
    """
    images, maps, asked, dense, weights = [], [], [], [], []
    for index, scene in enumerate(scenes):
        image, instances = scene.image, scene.instances
        if split == "train":
            image, instances = augment(image, instances, rng)
        images.append(image)
        if asked_views is None or index < asked_views:
            asked.append(questions(scene.objects, instances, rng, per_view, split))
            maps.append(instances)
        coarse = instances[2::4, 2::4]
        dense.append(_dense(scene.objects, coarse, config))
        weights.append(_weights(coarse))
    pairs = [
        (question, instances) for group, instances in zip(asked, maps, strict=True) for question in group
    ]
    kinds, colors, materials = (torch.from_numpy(np.stack(part)) for part in zip(*dense, strict=True))
    return Batch(
        images=torch.from_numpy(np.stack(images)),
        questions=[question for question, _ in pairs],
        targets=_masks([(question.targets, instances) for question, instances in pairs]),
        ignored=_masks([(question.ignored, instances) for question, instances in pairs]),
        anchors=_masks([((question.anchor or 256,), instances) for question, instances in pairs]),
        kinds=kinds,
        colors=colors,
        materials=materials,
        weights=torch.from_numpy(np.stack(weights)),
        words=torch.tensor([_words(question, config) for question, _ in pairs]),
    )


def _masks(chosen: Sequence[tuple[tuple[int, ...], npt.NDArray[np.uint8]]]) -> Tensor:
    masks = []
    for ids, instances in chosen:
        table = np.zeros(257, np.bool_)  # 256 stands for nothing
        table[list(ids)] = True
        masks.append(table[instances])
    return torch.from_numpy(np.stack(masks))


def _dense(
    objects: Sequence[SceneObject], instances: npt.NDArray[np.uint8], config: TinyConfig
) -> tuple[npt.NDArray[np.int64], ...]:
    kinds, colors, materials = (np.full(256, IGNORE, np.int64) for _ in range(3))
    kinds[0] = len(config.kinds)
    for item in objects:
        at = item.instance
        kinds[at] = config.kinds.index(item.kind)
        if item.color is not None:
            colors[at] = config.colors.index(item.color)
        if item.material is not None:
            materials[at] = config.materials.index(item.material)
        elif item.kind not in PERHAPS_METAL:
            materials[at] = len(config.materials)
    return kinds[instances], colors[instances], materials[instances]


def _weights(instances: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Weigh pixels so that an object counts by the root of its area; the background counts little."""
    pixels = np.bincount(instances.ravel(), minlength=256)
    weights = np.sqrt(_USUAL_PIXELS / np.maximum(pixels, _FEWEST_PIXELS))
    weights[0] = _BACKGROUND_WEIGHT
    return weights.astype(np.float32)[instances]


def _kind_class(description: Description | None, config: TinyConfig) -> int:
    if description is None or description.stranger is not None:
        return len(config.kinds) + STRANGER
    return len(config.kinds) + NO_KIND if description.kind is None else config.kinds.index(description.kind)


def _class(name: str | None, names: tuple[str, ...]) -> int:
    return len(names) if name is None else names.index(name)


def _words(question: Question, config: TinyConfig) -> list[int]:
    target, anchor = question.target, question.anchor_words
    return [
        _kind_class(target, config),
        _class(target.color, config.colors),
        _class(target.material, config.materials),
        _kind_class(anchor, config),
        _class(anchor.color if anchor else None, config.colors),
        _class(question.relation, config.relations),
    ]
