"""A batch of own pictures, and of rendered views where there are some: from items to tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ivm_ros.datasets.tabletop.scene import Scene
from ivm_ros.evaluation.fingerprint import fingerprint
from ivm_ros.grounding import Image, Mask
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.training.ivm_tiny.data import IGNORE, Batch, make_batch
from ivm_ros.training.ivm_tiny.instances import ViewObjects, view_objects
from ivm_ros.training.ivm_tiny.own_pictures import AskedPicture
from ivm_ros.training.ivm_tiny.task import TRUE_MASKS
from ivm_ros.training.ivm_tiny.views import ShardPool

_Any = TypeVar("_Any", "OwnBatch", Batch)


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
class OwnBatch:
    """B own pictures with K questions each, Q in all, and their T targets that are large enough.

    Attributes:
        images: (B, H, W, 3) uint8 RGB.
        pictures: the same as they are looked at closely, (h, w, 3) uint8 RGB of any sizes.
        texts: Q instructions, picture by picture.
        present: (Q,) bool whether anything is meant.
        image: (T,) int64 picture of each target, ascending.
        masks: (T, H, W) bool.
        fine: the same T as (h, w) bool of the pictures.
        cells: (T, 2) int64 row and column of a cell of the stride 4 inside each, drawn by chance.
        shown: (T,) bool: looked at through the true mask, not the drawn one.
        heat: (B, H / 4, W / 4) float32: 1 deepest inside a target, 0 outside of all.
        targets: (Q, M) int64 of the M targets of its picture: 1 meant, 0 not, `IGNORE` unclear or padding.
        blurred: (B, H / 4, W / 4) bool where there are targets that are too small.
        views: a batch of rendered views, or None.
        seed: of all chance in the views.
    """

    images: Tensor
    pictures: list[Image]
    texts: tuple[str, ...]
    present: Tensor
    image: Tensor
    masks: Tensor
    fine: list[Mask]
    cells: Tensor
    shown: Tensor
    heat: Tensor
    targets: Tensor
    blurred: Tensor
    views: Batch | None = None
    seed: int = 0

    def to(self, device: Any, **how: Any) -> OwnBatch:
        """Return it on a device, but for what glimpses are cut from."""
        views = None if self.views is None else _moved(self.views, device, how)
        return replace(_moved(self, device, how), views=views)


def _moved(batch: _Any, device: Any, how: dict[str, Any]) -> _Any:
    parts = {field.name: getattr(batch, field.name) for field in fields(batch)}
    moved: dict[str, Any] = {
        n: part.to(device, **how) for n, part in parts.items() if isinstance(part, Tensor)
    }
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

    def __call__(self, items: Sequence[AskedPicture | RenderedView]) -> OwnBatch:
        """Return a batch of pictures, or of pictures and views."""
        own = [item for item in items if isinstance(item, AskedPicture)]
        views = [item for item in items if isinstance(item, RenderedView)]
        batch = _own_batch(own, self.config)
        if not views:
            return batch
        random = Random(f"{[view.seed for view in views]}")
        rendered = make_batch([view.scene for view in views], random, self.questions, self.config)
        return replace(batch, views=rendered, seed=random.getrandbits(48))


def _own_batch(pictures: Sequence[AskedPicture], config: TinyConfig) -> OwnBatch:
    random = Random(f"{[picture.seed for picture in pictures]}")
    heat = np.zeros((len(pictures), config.height // 4, config.width // 4), np.float32)
    blurred = np.zeros(heat.shape, np.bool_)
    kept: list[list[int]] = []
    seen: list[ViewObjects] = []
    for number, picture in enumerate(pictures):
        kept.append([])
        for index, mask in enumerate(picture.masks):
            # one by one, since targets of different questions may cover each other
            found = view_objects(mask.view(np.uint8), random)
            np.maximum(heat[number], found.heat, out=heat[number])
            if len(found.ids):
                kept[number].append(index)
                seen.append(found)
            else:
                blurred[number] |= _any_in_cell(mask)
    most = max(1, *(len(indices) for indices in kept))
    targets = np.full((len(pictures), len(pictures[0].texts), most), IGNORE, np.int64)
    for number, (picture, indices) in enumerate(zip(pictures, kept, strict=True)):
        targets[number, :, : len(indices)] = picture.meant[:, indices]
    return OwnBatch(
        images=torch.from_numpy(np.stack([picture.image for picture in pictures])),
        pictures=[picture.picture for picture in pictures],
        texts=tuple(text for picture in pictures for text in picture.texts),
        present=torch.from_numpy(np.concatenate([picture.present for picture in pictures])),
        image=torch.tensor([n for n, indices in enumerate(kept) for _ in indices], dtype=torch.int64),
        masks=torch.from_numpy(
            np.concatenate([np.zeros((0, config.height, config.width), np.bool_), *(s.masks for s in seen)])
        ),
        fine=[picture.fine[i] for picture, indices in zip(pictures, kept, strict=True) for i in indices],
        cells=torch.from_numpy(np.concatenate([np.zeros((0, 2), np.int64), *(s.cells for s in seen)])),
        shown=torch.tensor([random.random() < TRUE_MASKS for _ in seen], dtype=torch.bool),
        heat=torch.from_numpy(heat),
        targets=torch.from_numpy(targets.reshape(-1, most)),
        blurred=torch.from_numpy(blurred),
    )


def _any_in_cell(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    return np.asarray(mask.reshape(height // 4, 4, width // 4, 4).any(axis=(1, 3)))
