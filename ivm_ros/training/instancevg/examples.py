"""Samples to the tensors that InstanceVG reads and learns from; its spec, sections 2, 3 and 10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ivm_ros.datasets.samples import Sample
from ivm_ros.models.instancevg import text
from ivm_ros.models.instancevg.preprocess import pixels, scale_factor, squash, squash_mask
from ivm_ros.models.instancevg.text import Tokenizer
from ivm_ros.training.batches import Items
from ivm_ros.training.instancevg.concepts import asked_classes, concept_classes, named_classes
from ivm_ros.training.instancevg.matching import Truth
from ivm_ros.training.samples import RenderedSample


class Concepts(NamedTuple):
    """Kinds and colours that are seen and named; with a first axis of samples in a batch.

    Attributes:
        seen: (3, c, c) int64 of `concept_classes` and `asked_classes`.
        named: (2,) int64 of `named_classes`.
    """

    seen: Tensor
    named: Tensor


@dataclass(frozen=True, eq=False)
class Example:
    """One sample as tensors.

    Attributes:
        pixels: (3, S, S) float32.
        ids: of the instruction.
        boxes: (n, 4) float32, as in `Truth`.
        masks: (n, S, S) bool.
        concepts: what the renderer knows besides, or None where it is not learned.
    """

    pixels: Tensor
    ids: list[int]
    boxes: Tensor
    masks: Tensor
    concepts: Concepts | None = None


class ExampleBatch(NamedTuple):
    """B samples.

    Attributes:
        pixels: (B, 3, S, S) float32.
        ids: (B, L) int64.
        padding: (B, L) bool, or None where all texts are of one length.
        boxes: of each sample.
        masks: of each sample.
        concepts: of all samples, or None.
    """

    pixels: Tensor
    ids: Tensor
    padding: Tensor | None
    boxes: list[Tensor]
    masks: list[Tensor]
    concepts: Concepts | None = None

    @property
    def truths(self) -> list[Truth]:
        """What matcher and losses read."""
        return [Truth(boxes, masks) for boxes, masks in zip(self.boxes, self.masks, strict=True)]


class Preparation:
    """A dataset of samples, prepared for the network.

    Args:
        items: the dataset; it has masks.
        side: of the network's square in pixels.
        tokenizer: of its words.
        cells: of kind and colour along a side, which rendered views have; 0 without.
    """

    def __init__(self, items: Items[Sample], side: int, tokenizer: Tokenizer, cells: int = 0) -> None:
        self.items, self.side, self.tokenizer, self.cells = items, side, tokenizer, cells

    def __len__(self) -> int:
        """Return how many items there are, good and bad."""
        return len(self.items)

    def item(self, index: int, random: Random) -> Example:
        """Return a prepared item; raise `ValueError` where it is unusable."""
        sample = self.items.item(index, random)
        try:
            return prepared(sample, self.side, self.tokenizer, self.cells)
        except ValueError as error:
            named = ", ".join(f"{name} {value}" for name, value in sample.ids.items())
            raise ValueError(f"sample {index} ({named or 'without ids'}): {error}") from error


def prepared(sample: Sample, side: int, tokenizer: Tokenizer, cells: int = 0) -> Example:
    """Return a sample as tensors; raise `ValueError` where it has no masks, no words, or no wanted labels."""
    height, width = sample.image.shape[:2]
    masks = [squash_mask(mask, side) for mask in sample.masks]
    corners = np.array(sample.boxes, np.float32).reshape(-1, 4) * scale_factor((width, height), side) / side
    centres, sizes = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    return Example(
        pixels=pixels(squash(sample.image, side)),
        ids=tokenizer.ids(sample.instruction),
        boxes=torch.from_numpy(np.concatenate([centres, sizes], axis=1)),
        masks=torch.from_numpy(np.array(masks, np.bool_).reshape(-1, side, side)),
        concepts=_concepts(sample, cells) if cells else None,
    )


def _concepts(sample: Sample, cells: int) -> Concepts:
    if not isinstance(sample, RenderedSample):
        raise ValueError("expected a rendered view to learn kinds and colours from, got another sample")
    asked = asked_classes(sample.masks, sample.ignored, sample.instances.shape, cells)
    kinds_colors = concept_classes(sample.objects, sample.instances, cells)
    return Concepts(
        torch.from_numpy(np.concatenate([kinds_colors, asked])),
        torch.from_numpy(named_classes(sample.wanted)),
    )


def collate(examples: Sequence[Example]) -> ExampleBatch:
    """Return a batch of prepared items."""
    ids, padding = text.batch([example.ids for example in examples])
    concepts = [example.concepts for example in examples if example.concepts is not None]
    return ExampleBatch(
        pixels=torch.stack([example.pixels for example in examples]),
        ids=ids,
        padding=padding,
        boxes=[example.boxes for example in examples],
        masks=[example.masks for example in examples],
        concepts=Concepts(*map(torch.stack, zip(*concepts, strict=True))) if concepts else None,
    )
