"""From the store to batches: augmented views, questions about them, and all that supervises the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ivm_ros.datasets.tabletop.instructions import Question, questions
from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.datasets.tabletop.visible import PERHAPS_METAL
from ivm_ros.grounding import Image
from ivm_ros.language.phrases import Description
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.matcher import NO_KIND, STRANGER
from ivm_ros.training.augment import augment, close_up
from ivm_ros.training.ivm_tiny.instances import view_objects

IGNORE = -100
"""Class of pixels and words that no loss looks at; the default of torch's cross entropy."""


CLOSE_UP = 0.75
"""Sides of a close-up as a share of the view's."""

_BACKGROUND_WEIGHT = 0.1
_USUAL_PIXELS = 100  # of an object at a quarter of the resolution; its pixels have weight 1
_FEWEST_PIXELS = 8


@dataclass(frozen=True, eq=False)
class Batch:
    """B views with Q questions in all, K about each, in the order of the views; and their N visible objects.

    Attributes:
        images: (B, H, W, 3) uint8 RGB.
        pictures: the same B views as they were before they were made so small, (h, w, 3) uint8 RGB.
        maps: B (h, w) uint8 instances of these.
        questions: the Q questions.
        image: (N,) int64 view of each object, ascending.
        ids: (N,) int64 their values in the maps.
        masks: (N, H, W) bool.
        cells: (N, 2) int64 row and column of a cell of the stride 4 inside each object, drawn by chance.
        looks: (N, 3) class of kind, colour, material of each object, or `IGNORE`.
        heat: (B, H / 4, W / 4) float32: 1 deepest inside an object, 0 outside.
        targets: (Q, M) int64 of the M objects of its view: 1 meant, 0 not, `IGNORE` unclear or padding.
        anchors: (Q, M) int64 likewise: 1 is what the words mention besides.
        kinds: (B, H / 4, W / 4) class of each pixel; the last is the background.
        colors: (B, H / 4, W / 4) class or `IGNORE`.
        materials: (B, H / 4, W / 4) class or `IGNORE`; the last is none of them.
        weights: (B, H / 4, W / 4) float32: of a pixel in these losses, less in large objects.
        words: (Q, 6) classes of the target's kind, colour, material; the anchor's kind, colour; the relation.
    """

    images: Tensor
    pictures: list[Image]
    maps: list[npt.NDArray[np.uint8]]
    questions: list[Question]
    image: Tensor
    ids: Tensor
    masks: Tensor
    cells: Tensor
    looks: Tensor
    heat: Tensor
    targets: Tensor
    anchors: Tensor
    kinds: Tensor
    colors: Tensor
    materials: Tensor
    weights: Tensor
    words: Tensor

    @property
    def texts(self) -> list[str]:
        """The Q instructions."""
        return [question.text for question in self.questions]

    @property
    def present(self) -> Tensor:
        """(Q,) bool: whether anything in view is meant."""
        return torch.tensor([bool(question.targets) for question in self.questions])


def make_batch(
    scenes: Sequence[Scene],
    rng: Random,
    per_view: int,
    config: TinyConfig,
    split: str = "train",
    close_ups: bool = False,
    whole: float = 0.2,
) -> Batch:
    """Augment the views (in training only) and ask `per_view` questions about each.

    Args:
        scenes: views of the network's size, or larger ones: then the network is shown them at its own size,
            and looks at each object closely in the view as it is.
        rng: decides everything.
        per_view: questions about each view; 0 for none.
        config: of the network.
        split: wordings, see `questions`; other splits than "train" are not augmented.
        close_ups: show parts of the views, at `CLOSE_UP` of their sides.
        whole: share of the views that are shown whole where they are no close-ups.
    """
    views, larger = [], []
    for scene in scenes:
        image, instances = scene.image, scene.instances
        shown = config.width, config.height
        if close_ups:
            height, width = instances.shape
            size = round(width * CLOSE_UP), round(height * CLOSE_UP)
            image, instances = close_up(image, instances, rng, size)
            shown = round(shown[0] * CLOSE_UP), round(shown[1] * CLOSE_UP)
        elif split == "train":
            image, instances = augment(image, instances, rng, whole)
        picture, map_ = np.ascontiguousarray(image), np.ascontiguousarray(instances)
        if image.shape[1::-1] != shown:
            image = cv2.resize(picture, shown, interpolation=cv2.INTER_AREA)
            instances = cv2.resize(map_, shown, interpolation=cv2.INTER_NEAREST)
        larger.append((picture, map_))
        asked = questions(scene.objects, instances, rng, per_view, split) if per_view else []
        views.append((image, instances, asked))
    tables = [classes_of(scene.objects, config) for scene in scenes]
    seen = [view_objects(instances, rng) for _, instances, _ in views]
    dense = [table[:, instances[2::4, 2::4]] for table, (_, instances, _) in zip(tables, views, strict=True)]
    most = max(1, max(len(each.ids) for each in seen))
    targets, anchors = [], []
    for each, (_, _, asked) in zip(seen, views, strict=True):
        for question in asked:
            targets.append(_labels(each.ids, question.targets, question.ignored, most))
            anchor = () if question.anchor is None else (question.anchor,)
            anchors.append(_labels(each.ids, anchor, (), most))
    kinds, colors, materials = (torch.from_numpy(np.stack(part)) for part in zip(*dense, strict=True))
    asked = [question for _, _, each in views for question in each]
    return Batch(
        images=torch.from_numpy(np.stack([image for image, _, _ in views])),
        pictures=[picture for picture, _ in larger],
        maps=[map_ for _, map_ in larger],
        questions=asked,
        image=torch.tensor([index for index, each in enumerate(seen) for _ in each.ids], dtype=torch.int64),
        ids=torch.from_numpy(np.concatenate([each.ids for each in seen])),
        masks=torch.from_numpy(np.concatenate([each.masks for each in seen])),
        cells=torch.from_numpy(np.concatenate([each.cells for each in seen])),
        looks=torch.from_numpy(
            np.concatenate([table[:, each.ids].T for table, each in zip(tables, seen, strict=True)])
        ),
        heat=torch.from_numpy(np.stack([each.heat for each in seen])),
        targets=_stacked(targets, most),
        anchors=_stacked(anchors, most),
        kinds=kinds,
        colors=colors,
        materials=materials,
        weights=torch.from_numpy(np.stack([_weights(instances[2::4, 2::4]) for _, instances, _ in views])),
        words=torch.tensor([_words(question, config) for question in asked], dtype=torch.int64),
    )


def _stacked(labels: Sequence[npt.NDArray[np.int64]], width: int) -> Tensor:
    return torch.from_numpy(np.array(labels, np.int64).reshape(-1, width))


def _labels(
    ids: npt.NDArray[np.int64], yes: Sequence[int], unclear: Sequence[int], most: int
) -> npt.NDArray[np.int64]:
    labels = np.full(most, IGNORE, np.int64)
    labels[: len(ids)] = [IGNORE if i in unclear else int(i in yes) for i in ids.tolist()]
    return labels


def classes_of(objects: Sequence[SceneObject], config: TinyConfig) -> npt.NDArray[np.int64]:
    """Return (3, 256) classes of kind, colour and material by instance; 0 is the background."""
    tables = np.full((3, 256), IGNORE, np.int64)
    tables[0, 0] = len(config.kinds)
    for item in objects:
        at = item.instance
        tables[0, at] = config.kinds.index(item.kind)
        if item.color is not None:
            tables[1, at] = config.colors.index(item.color)
        if item.material is not None:
            tables[2, at] = config.materials.index(item.material)
        elif item.kind not in PERHAPS_METAL:
            tables[2, at] = len(config.materials)
    return tables


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
