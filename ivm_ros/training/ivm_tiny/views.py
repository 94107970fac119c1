"""Where training's views come from: the shards of a rendered store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from ivm_ros.datasets.tabletop.scene import Scene
from ivm_ros.datasets.tabletop.store import Store, complete_shards, map_shards


class StoredViews:
    """Views of some shards, read where they lie.

    Args:
        stores: the shards.
        most: how many views, the first ones; None for all.
    """

    def __init__(self, stores: Sequence[Store], most: int | None = None) -> None:
        self.stores, self.most = [*stores], most

    def __len__(self) -> int:
        total = sum(map(len, self.stores))
        return total if self.most is None else min(self.most, total)

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


class ShardPool(StoredViews):
    """The shards of one training process; picks up new ones as they are finished.

    Args:
        folder: of the store.
        split: "train", "validation" or "test": shards are named by it, of whatever world: those of
            test-varied and of test-new are of "test".
        rank: of this process; it reads every `world`-th shard.
        world: number of processes.
    """

    def __init__(self, folder: Path, split: str, rank: int = 0, world: int = 1) -> None:
        self.folder, self.split, self.rank, self.world = folder, split, rank, world
        super().__init__(())
        self._stems: set[Path] = set()
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
            self.stores.extend(map_shards(new))
            self._stems.update(new)
        return len(new)
