"""Where labels come from: IVM-Mix-1M, or folders in the folder format; people's and machines' apart."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from ivm_ros.datasets.folder import INDEX, Folder
from ivm_ros.datasets.ivm_mix import IvmMix, MixSample, find_sources
from ivm_ros.training.batches import Items
from ivm_ros.training.ivm.samples import Labelled


class Labels(NamedTuple):
    """Datasets by who labelled them; None where nobody did.

    Attributes:
        human: people's labels.
        machine: machines' labels.
    """

    human: Items[Labelled] | None
    machine: Items[Labelled] | None

    @property
    def all(self) -> Items[Labelled]:
        """Both, as one dataset."""
        return Joined([part for part in self if part is not None])


class Joined:
    """Several datasets behind each other."""

    def __init__(self, parts: Sequence[Items[Labelled]]) -> None:
        self.parts = tuple(parts)
        self._ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        """Return how many items all have."""
        return self._ends[-1]

    def item(self, index: int, random: Random) -> Labelled:
        """Return item `index` of all; raise `ValueError` where it is unusable."""
        which = bisect_right(self._ends, index)
        before = self._ends[which - 1] if which else 0
        return self.parts[which].item(index - before, random)


class FolderLabels:
    """A dataset in the folder format as labels: all targets of an instruction are one heatmap.

    Args:
        path: of the folder.
        human: people made its labels.

    Raises:
        FileNotFoundError: no index in the folder.
    """

    def __init__(self, path: Path, human: bool) -> None:
        self.folder, self.human = Folder(path), human

    def __len__(self) -> int:
        """Return the number of entries, good and bad."""
        return len(self.folder)

    def item(self, index: int, random: Random) -> MixSample:
        """Return entry `index`; its heatmap is 0 everywhere where nothing matches.

        Raises:
            RecordError: the entry is unusable; says why.
        """
        sample = self.folder.read(index)
        heat = np.zeros(sample.image.shape[:2], np.float32)
        for mask in sample.masks:
            heat[mask] = 1.0
        return MixSample(sample.image, sample.instruction, heat, self.human, str(index))


def open_labels(human: Sequence[Path], machine: Sequence[Path], mix: Path | None = None) -> Labels:
    """Open datasets.

    Args:
        human: folders in the folder format whose labels people made.
        machine: folders in the folder format whose labels machines made.
        mix: IVM-Mix-1M, unzipped, which has both.

    Raises:
        ValueError: none is given.
        FileNotFoundError: a folder is not what it should be.
    """
    parts: dict[bool, list[Items[Labelled]]] = {True: [], False: []}
    for source in find_sources(mix) if mix is not None else ():
        parts[source.human].append(IvmMix([source]))
    for paths, by_people in ((human, True), (machine, False)):
        parts[by_people] += [FolderLabels(path, by_people) for path in paths]
    if not parts[True] and not parts[False]:
        raise ValueError(f"expected data: IVM-Mix-1M, or folders with an {INDEX}; got none")
    return Labels(*(Joined(parts[kind]) if parts[kind] else None for kind in (True, False)))
