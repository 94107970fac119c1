"""Labelled pictures to the tensors that IVM and its discriminator read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from ivm_ros.grounding import Heatmap, Image
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.discriminator import white_out
from ivm_ros.models.ivm.preprocess import clip_pixels, sam_pixels, squash
from ivm_ros.models.ivm.prompt import PromptTokenizer
from ivm_ros.training.batches import Items
from ivm_ros.training.ivm.random_crop import random_resized_crop


class Labelled(Protocol):
    """What a dataset gives: a picture, an instruction, and what somebody says that it is about.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        instruction: in words.
        heatmap: (H, W) float32 in [0, 1].
        human: a person says so, else a machine.
    """

    @property
    def image(self) -> Image: ...  # noqa: D102
    @property
    def instruction(self) -> str: ...  # noqa: D102
    @property
    def heatmap(self) -> Heatmap: ...  # noqa: D102
    @property
    def human(self) -> bool: ...  # noqa: D102


class Prompts(NamedTuple):
    """Prompts of one template, padded on the left.

    Attributes:
        ids: (B, L) int64.
        mask: (B, L), 0 on the padding.
    """

    ids: Tensor
    mask: Tensor


class LabelBatch(NamedTuple):
    """B labelled pictures.

    Attributes:
        sam_pixels: (B, 3, S, S) float32.
        clip_pixels: (B, 3, s, s) float32.
        masked_pixels: (B, 3, s, s) float32: CLIP's of the picture that is white outside the label.
        policy: the generator's prompts.
        judge: the discriminator's prompts.
        heat: (B, S, S) float32 in [0, 1]: the labels.
        human: (B,) bool.
    """

    sam_pixels: Tensor
    clip_pixels: Tensor
    masked_pixels: Tensor
    policy: Prompts
    judge: Prompts
    heat: Tensor
    human: Tensor


@dataclass(frozen=True, eq=False)
class Prepared:
    """One labelled picture as tensors; fields as in `LabelBatch`, prompts as lists of ids."""

    sam_pixels: Tensor
    clip_pixels: Tensor
    masked_pixels: Tensor
    policy: list[int]
    judge: list[int]
    heat: Tensor
    human: bool


class Preparation:
    """A dataset of labelled pictures, prepared for the network.

    Args:
        items: the dataset.
        config: sizes of the network.
        tokenizer: of its prompts.
        crop: cut a random window out of each picture, as IVM was trained; else all of it is seen.
    """

    def __init__(
        self, items: Items[Labelled], config: IvmConfig, tokenizer: PromptTokenizer, crop: bool = True
    ) -> None:
        self.items, self.config, self.tokenizer, self.crop = items, config, tokenizer, crop

    def __len__(self) -> int:
        """Return how many items there are, good and bad."""
        return len(self.items)

    def item(self, index: int, random: Random) -> Prepared:
        """Return a prepared item; raise `ValueError` where it is unusable."""
        label = self.items.item(index, random)
        side = self.config.vision.image_size
        if self.crop:
            image, heat = random_resized_crop(label.image, label.heatmap, side, random)
        else:
            image = squash(label.image, side)
            heat = np.asarray(cv2.resize(label.heatmap, (side, side), interpolation=cv2.INTER_LINEAR))
        clip = partial(clip_pixels, side=self.config.llava.vision_config.image_size)
        return Prepared(
            sam_pixels=sam_pixels(image),
            clip_pixels=clip(image),
            masked_pixels=clip(white_out(image, heat > 0.5)),
            policy=self.tokenizer.ids(label.instruction, "policy"),
            judge=self.tokenizer.ids(label.instruction, "discriminator"),
            heat=torch.from_numpy(np.ascontiguousarray(heat, np.float32)),
            human=label.human,
        )


def collator(tokenizer: PromptTokenizer) -> Callable[[Sequence[Prepared]], LabelBatch]:
    """Return the function that makes a batch of prepared items."""
    return partial(_collate, tokenizer)


def _collate(tokenizer: PromptTokenizer, items: Sequence[Prepared]) -> LabelBatch:
    return LabelBatch(
        sam_pixels=torch.stack([item.sam_pixels for item in items]),
        clip_pixels=torch.stack([item.clip_pixels for item in items]),
        masked_pixels=torch.stack([item.masked_pixels for item in items]),
        policy=Prompts(*tokenizer.batch([item.policy for item in items])),
        judge=Prompts(*tokenizer.batch([item.judge for item in items])),
        heat=torch.stack([item.heat for item in items]),
        human=torch.tensor([item.human for item in items]),
    )
