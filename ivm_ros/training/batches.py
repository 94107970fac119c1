"""Batches without end, each a pure function of the seed and its position: the data's part of resuming."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

Item = TypeVar("Item")
Batch = TypeVar("Batch")
_Item = TypeVar("_Item", covariant=True)


class Items(Protocol[_Item]):
    """A dataset with random access."""

    def __len__(self) -> int:
        """Return how many items there are, good and bad."""
        ...

    def item(self, index: int, random: Random) -> _Item:
        """Return item `index`; `random` decides all that is by chance about it.

        Raises:
            ValueError: the item is unusable; another one takes its place, and the error is counted.
        """
        ...


@dataclass(frozen=True)
class Drawn(Generic[Batch]):
    """One batch.

    Attributes:
        batch: what `collate` made.
        skipped: errors of the items whose place others took.
    """

    batch: Batch
    skipped: tuple[str, ...]


class Batches(Generic[Item, Batch]):
    """Draw batches from datasets, each shuffled anew in every epoch.

    Args:
        sources: datasets; a batch takes from them in turn, so equally many from each, however long they are.
        collate: items to a batch.
        size: items in a batch of one process.
        seed: of the order, and of all chance in the items.
        workers: processes that read ahead; 0 reads in this one. The batches do not depend on it.

    Raises:
        ValueError: no dataset, or an empty one.
    """

    def __init__(
        self,
        sources: Sequence[Items[Item]],
        collate: Callable[[list[Item]], Batch],
        size: int,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        if not sources or not all(len(source) for source in sources):
            raise ValueError(f"expected datasets with items, got sizes {[len(s) for s in sources]}")
        if size % len(sources):
            raise ValueError(f"expected a batch size that {len(sources)} datasets can share, got {size}")
        self._draws = _Draws(sources, seed)
        self._collate, self._size, self._workers = collate, size, workers
        self.about = {"data": f"{[len(s) for s in sources]} items, batches of {size}, seed {seed}"}

    def start(self, position: int, rank: int = 0, world: int = 1) -> Iterator[Drawn[Batch]]:
        """Yield this process's batches without end.

        Args:
            position: how many batches every process has had before.
            rank: of this process.
            world: number of processes.
        """
        loader: DataLoader[Any] = DataLoader(
            self._draws,
            batch_sampler=_Positions(position, self._size, rank, world),
            num_workers=self._workers,
            collate_fn=self._drawn,
            generator=torch.Generator(),  # else it draws from the global one, and a resumed run would differ
        )
        yield from loader

    def _drawn(self, results: list[tuple[Item, tuple[str, ...]]]) -> Drawn[Batch]:
        skipped = tuple(error for _, errors in results for error in errors)
        return Drawn(self._collate([item for item, _ in results]), skipped)


class _Positions:
    """The positions of one process's batches, without end."""

    def __init__(self, start: int, size: int, rank: int, world: int) -> None:
        self.start, self.size, self.rank, self.world = start, size, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        batch = self.start
        while True:
            first = (batch * self.world + self.rank) * self.size
            yield list(range(first, first + self.size))
            batch += 1


class _Draws(Dataset[Any]):
    """Position -> item and errors of those before it that were unusable."""

    def __init__(self, sources: Sequence[Items[Any]], seed: int) -> None:
        self.sources, self.seed = tuple(sources), seed
        self._orders: dict[int, tuple[int, list[int]]] = {}  # source -> its latest epoch and that one's order

    def __getitem__(self, position: int) -> tuple[Any, tuple[str, ...]]:
        turn, which = divmod(position, len(self.sources))
        source = self.sources[which]
        epoch, place = divmod(turn, len(source))
        order = self._order(which, epoch)
        errors: list[str] = []
        for offset in range(len(source)):
            index = order[(place + offset) % len(source)]
            try:
                return source.item(index, Random(f"{self.seed} {position}")), tuple(errors)
            except ValueError as error:
                errors.append(str(error))
        raise ValueError(f"expected usable items, got {len(source)} bad ones; the first: {errors[0]}")

    def _order(self, which: int, epoch: int) -> list[int]:
        known = self._orders.get(which)
        if known is None or known[0] != epoch:
            indices = list(range(len(self.sources[which])))
            Random(f"{self.seed} {which} {epoch}").shuffle(indices)
            known = self._orders[which] = (epoch, indices)
        return known[1]
