"""Where samples to train on come from: any dataset, or rendered views with questions made anew each time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.registry import open_any
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.datasets.tabletop.instructions import Question, questions
from ivm_ros.datasets.tabletop.scene import SceneObject
from ivm_ros.datasets.tabletop.store import complete_shards, map_shards
from ivm_ros.evaluation.fingerprint import fingerprint
from ivm_ros.grounding import Box, Mask
from ivm_ros.language.phrases import Description
from ivm_ros.training.augment import augment
from ivm_ros.training.batches import Items

_TRIES = 4


class Source(Items[Sample], Protocol):
    """What is trained on."""

    @property
    def identity(self) -> str:
        """What the samples are made of; a run that goes on wants the same."""
        ...


class DatasetItems:
    """A dataset's samples as they are."""

    def __init__(self, dataset: Dataset[Sample]) -> None:
        self.dataset = dataset

    @property
    def identity(self) -> str:
        """The dataset's annotations."""
        return " ".join(f"{path.name} {fingerprint(path)}" for path in self.dataset.annotations)

    def __len__(self) -> int:
        """Return the number of samples, good and bad."""
        return len(self.dataset)

    def item(self, index: int, random: Random) -> Sample:
        """Return sample `index`; raise `RecordError` where it is unusable."""
        return self.dataset.read(index)


@dataclass(frozen=True, eq=False)
class RenderedSample(Sample):
    """A sample with all that the renderer knows of its picture.

    Attributes:
        instances: (H, W) uint8 number of the object at each pixel; 0 is none.
        objects: all of the scene's.
        wanted: what the instruction says about its targets.
    """

    instances: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    objects: tuple[SceneObject, ...] = ()
    wanted: Description = field(default_factory=Description)


class TabletopItems:
    """Rendered views, with one question about each that chance decides.

    Args:
        folder: of the store.
        split: "train", "validation" or "test": shards are named by it.
        changed: crop, flip and recolour views by chance, and ask in the words of training; else views stay
            as they are and are asked about in words that training does not have.

    Raises:
        StoreError: the store has no such shard, or one is damaged.
    """

    def __init__(self, folder: Path, split: str, changed: bool = True) -> None:
        stems = [stem for stem in complete_shards(folder) if stem.name.startswith(f"{split}-")]
        self._stores, self.changed = map_shards(stems), changed
        self._ends = list(accumulate(map(len, self._stores)))
        self._records = [stem.with_suffix(".jsonl") for stem in stems]

    def __len__(self) -> int:
        """Return the number of views."""
        return self._ends[-1]

    @property
    def identity(self) -> str:
        """The shards' records."""
        return " ".join(f"{path.stem} {fingerprint(path)}" for path in self._records)

    def item(self, index: int, random: Random) -> RenderedSample:
        """Return view `index` with a question; pixels are ignored in it only where no other was found."""
        which = bisect_right(self._ends, index)
        scene = self._stores[which].scene(index - self._ends[which] + len(self._stores[which]))
        image, instances = np.array(scene.image), np.array(scene.instances)  # off the disk
        if self.changed:
            image, instances = augment(image, instances, random)
        split = "train" if self.changed else "validation"
        for _ in range(_TRIES):
            question = questions(scene.objects, instances, random, 1, split)[0]
            masks = tuple(instances == target for target in question.targets)
            if not question.ignored:
                break
        return RenderedSample(
            image=image,
            instruction=question.text,
            boxes=tuple(_box(mask) for mask in masks),
            annotated=masks,
            ignored=_ignored(question, instances),
            tag=question.tag,
            instances=instances,
            objects=tuple(scene.objects),
            wanted=question.target,
        )


class HeldOut(Dataset[Sample]):
    """A few items to score with, the same ones each time, spread evenly; unusable ones are left out.

    Args:
        items: to choose from.
        count: how many.
    """

    def __init__(self, items: Items[Sample], count: int) -> None:
        super().__init__(skip_bad=True)
        self._items = items
        self._indices = np.linspace(0, len(items) - 1, min(count, len(items))).astype(int).tolist()

    def __len__(self) -> int:
        """Return how many items there are, good and bad."""
        return len(self._indices)

    def read(self, index: int) -> Sample:
        """Return the sample of item `index` of these."""
        self.check_index(index)
        place = self._indices[index]
        return self._items.item(place, Random(place))


def open_sources(datasets: Sequence[str], root: Path | None, store: Path | None) -> list[Source]:
    """Open what is trained on.

    Args:
        datasets: as `open_any` takes them.
        root: of the datasets.
        store: of rendered views.

    Raises:
        ValueError, FileNotFoundError: nothing is named, or it cannot be opened.
    """
    sources: list[Source] = [DatasetItems(open_any(name, root)) for name in datasets]
    if store is not None:
        sources.append(TabletopItems(store, "train"))
    if not sources:
        raise ValueError("expected data: datasets, or a store of rendered views; got none")
    return sources


def open_held_out(dataset: str | None, root: Path | None, store: Path | None) -> Items[Sample] | None:
    """Open what is scored on: a dataset, as `open_any` takes it, else the store's own, else None."""
    if dataset is not None:
        return DatasetItems(open_any(dataset, root))
    return None if store is None else TabletopItems(store, "validation", changed=False)


def _box(mask: Mask) -> Box:
    """Return the half-open box of a mask's pixels."""
    rows, columns = np.nonzero(mask)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


def _ignored(question: Question, instances: np.ndarray) -> Mask | None:
    return np.isin(instances, question.ignored) if question.ignored else None
