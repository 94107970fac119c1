"""Fine-tuning of ivm-tiny as a module for the loop: a batch of own pictures in, the terms of the loss out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.datasets.tabletop.scene import Scene
from ivm_ros.evaluation.fingerprint import fingerprint
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import Features, normalise
from ivm_ros.models.ivm_tiny.model import Answer, IvmTiny
from ivm_ros.training.ivm_tiny.data import Batch, ShardPool, make_batch
from ivm_ros.training.ivm_tiny.losses import WEIGHTS, losses, total
from ivm_ros.training.ivm_tiny.own_pictures import AskedPicture
from ivm_ros.training.losses import dice

FROZEN = ("image.stage4.",)
"""Beginnings of the names of weights that never change: edges and colours are the same everywhere."""

WITHOUT_VIEWS = ("anchor.", "relation.")
"""The same of weights that only rendered views can teach."""


@dataclass(frozen=True)
class RenderedView:
    """One rendered view, and the seed of what is asked about it."""

    scene: Scene
    seed: int


class RenderedViews:
    """The training views of a store, so that what they taught is not forgotten.

    Args:
        folder: of the store.

    Raises:
        StoreError: the store has no training views, or a shard is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._pool = ShardPool(folder, "train")
        if not len(self._pool):
            raise ValueError(
                f"expected finished train shards in {folder}, got none; render some (docs/models.md)"
            )
        self._records = sorted(folder.glob("train-*.jsonl"))

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self._pool)

    @property
    def identity(self) -> str:
        """The shards' records."""
        return " ".join(f"{path.stem} {fingerprint(path)}" for path in self._records)

    def item(self, index: int, random: Random) -> RenderedView:
        """Return view `index`."""
        return RenderedView(self._pool.scene(index), random.getrandbits(48))


@dataclass(frozen=True, eq=False)
class TuningBatch:
    """B own pictures with K questions each, and rendered views where there are some.

    Attributes:
        images: (B, H, W, 3) uint8 RGB.
        texts: B * K instructions, picture by picture.
        targets: (B * K, H, W) bool.
        views: a batch of rendered views, or None.
    """

    images: Tensor
    texts: tuple[str, ...]
    targets: Tensor
    views: Batch | None = None

    def to(self, device: Any, **how: Any) -> TuningBatch:
        """Return it on a device."""
        views = None if self.views is None else _moved(self.views, device)
        return TuningBatch(self.images.to(device, **how), self.texts, self.targets.to(device, **how), views)


def _moved(batch: Batch, device: Any) -> Batch:
    parts = {field.name: getattr(batch, field.name) for field in fields(batch)}
    moved: dict[str, Any] = {n: part.to(device) for n, part in parts.items() if isinstance(part, Tensor)}
    return replace(batch, **moved)


@dataclass(frozen=True)
class Collate:
    """Make a batch of items; callable in the processes that read data.

    Attributes:
        config: of the network.
        questions: about each rendered view.
    """

    config: TinyConfig
    questions: int

    def __call__(self, items: Sequence[AskedPicture | RenderedView]) -> TuningBatch:
        """Return a batch of pictures, or of pictures and views."""
        own = [item for item in items if isinstance(item, AskedPicture)]
        views = [item for item in items if isinstance(item, RenderedView)]
        rendered = None
        if views:
            random = Random(f"{[view.seed for view in views]}")
            rendered = make_batch([view.scene for view in views], random, self.questions, self.config)
        return TuningBatch(
            images=torch.from_numpy(np.stack([picture.image for picture in own])),
            texts=tuple(text for picture in own for text in picture.texts),
            targets=torch.from_numpy(np.concatenate([picture.targets for picture in own])),
            views=rendered,
        )


class TuningTask(nn.Module):
    """Learn own pictures without leaving what was known.

    The statistics of batch norms stay those of the start, since a few pictures have others by chance; the
    first stage rests; and weights are pulled to where they started (Li et al., 2018, arXiv 1802.01483).

    Args:
        model: with the weights to start from.
        pull: weight of half the squared distance from the start.
        views: batches have rendered views.
    """

    def __init__(self, model: IvmTiny, pull: float, views: bool) -> None:
        super().__init__()
        self.model, self.pull = model, pull
        rests = FROZEN if views else FROZEN + WITHOUT_VIEWS
        self._start: dict[str, Tensor] = {}
        for name, weight in model.named_parameters():
            weight.requires_grad_(not name.startswith(rests))
            if weight.requires_grad:
                self._start[name] = weight.detach().clone()

    def train(self, mode: bool = True) -> TuningTask:
        """Switch modes, but for batch norms, which always use their own statistics."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, batch: TuningBatch) -> dict[str, Tensor]:
        """Return the loss and its terms, in float32."""
        answer = self.model(self.model.encode(_pixels(batch.images)), batch.texts)
        terms = own_losses(answer, batch.targets)
        loss = total(terms)
        if batch.views is not None:
            features = self.model.image(_pixels(batch.views.images))
            asked = Features(*(part.detach() for part in features))  # as in the training before: see `train`
            seen = losses(self.model(self.model.prepare(asked), batch.views.texts), features, batch.views)
            terms["views"] = total(seen)
            loss = loss + terms["views"]
        distance = self._distance()
        return {"loss": loss + self.pull * distance, **terms, "distance": distance.detach()}

    def _distance(self) -> Tensor:
        """Return half the squared distance from the start."""
        weights: Mapping[str, Tensor] = dict(self.model.named_parameters())
        parts = [
            (weights[name] - start.to(weights[name].device)).square().sum()
            for name, start in self._start.items()
        ]
        return 0.5 * torch.stack(parts).sum()


def own_losses(answer: Answer, targets: Tensor) -> dict[str, Tensor]:
    """Return the terms that own pictures teach, by the names of `losses.WEIGHTS`.

    Args:
        answer: of the network.
        targets: (N, H, W) bool.
    """
    truth, present = F.avg_pool2d(targets[:, None].float(), 2)[:, 0], targets.flatten(1).any(dim=1)
    counted = torch.ones_like(truth, dtype=torch.bool)
    terms = {
        "mask": F.binary_cross_entropy_with_logits(answer.mask, truth),
        "dice": dice(answer.mask, truth, counted)[present].sum() / present.sum().clamp(min=1),
        "existence": F.binary_cross_entropy_with_logits(answer.existence, present.float()),
    }
    assert terms.keys() <= WEIGHTS.keys()
    return terms


def _pixels(images: Tensor) -> Tensor:
    return normalise(images).contiguous(memory_format=torch.channels_last)
