"""The training store: rendered views in plain arrays on disk, read whole or where they lie.

A shard is three files that share a stem: `<stem>.images.npy` (N, H, W, 3) uint8 RGB, `<stem>.instances.npy`
(N, H, W) uint8 and `<stem>.jsonl` with one `ViewRecord` a line. The jsonl is written last, by rename, so a
shard whose jsonl exists is complete.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from rich.progress import track

from ivm_ros.datasets.tabletop.scene import Scene, SceneObject


class StoreError(ValueError):
    """A shard that is missing, incomplete or does not agree with itself."""


@dataclass(frozen=True)
class ViewRecord:
    """What is known of one stored view besides its pixels.

    Attributes:
        seed: of the scene; the views of a scene share it.
        view: 0 or 1, which of the scene's cameras.
        intrinsics: (fx, fy, cx, cy) in pixels.
        objects: every object of the scene, visible or not.
    """

    seed: int
    view: int
    intrinsics: tuple[float, float, float, float]
    objects: tuple[SceneObject, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON line."""
        return {
            "seed": self.seed,
            "view": self.view,
            "intrinsics": list(self.intrinsics),
            "objects": [item.to_json() for item in self.objects],
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> ViewRecord:
        """Rebuild from `to_json`'s values."""
        fx, fy, cx, cy = record["intrinsics"]
        objects = tuple(SceneObject.from_json(item) for item in record["objects"])
        return cls(record["seed"], record["view"], (fx, fy, cx, cy), objects)


@dataclass(frozen=True, eq=False)
class Store:
    """Views in memory; item i of each attribute belongs together.

    Attributes:
        images: (N, H, W, 3) uint8 RGB.
        instances: (N, H, W) uint8; 0 is table and background.
        records: N records.
    """

    images: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint8]
    records: tuple[ViewRecord, ...]

    def __len__(self) -> int:
        return len(self.records)

    def scene(self, index: int) -> Scene:
        """Return view `index` as a `Scene` without depth; its arrays are views into the store."""
        record = self.records[index]
        return Scene(self.images[index], self.instances[index], None, record.intrinsics, record.objects)


def write_shard(stem: Path, scenes: Sequence[Scene], seeds: Sequence[int], views: Sequence[int]) -> None:
    """Write one shard; an interrupted call leaves no jsonl, so the shard counts as missing."""
    np.save(f"{stem}.images.npy", np.stack([scene.image for scene in scenes]))
    np.save(f"{stem}.instances.npy", np.stack([scene.instances for scene in scenes]))
    partial = Path(f"{stem}.jsonl.partial")
    with partial.open("w") as lines:
        for scene, seed, view in zip(scenes, seeds, views, strict=True):
            record = ViewRecord(seed, view, scene.intrinsics, scene.objects)
            lines.write(json.dumps(record.to_json()) + "\n")
    os.replace(partial, f"{stem}.jsonl")


def complete_shards(folder: Path) -> list[Path]:
    """Return the stems of the finished shards in `folder`, sorted by name."""
    return sorted(path.with_suffix("") for path in folder.glob("*.jsonl"))


def load_store(stems: Iterable[Path], progress: bool = True) -> Store:
    """Read shards into one `Store`.

    Args:
        stems: of finished shards, all of one picture size; see `complete_shards`.
        progress: show a bar.

    Raises:
        StoreError: no shard at all, a file is missing, or counts or sizes differ.
    """
    stems = list(stems)
    if not stems:
        raise StoreError("expected at least one finished shard, got none; render some first")
    images, instances = [], []
    records: list[ViewRecord] = []
    for stem in track(stems, "reading shards", disable=not progress):
        shard = _load_shard(stem)
        images.append(shard.images)
        instances.append(shard.instances)
        records.extend(shard.records)
    sizes = {array.shape[1:3] for array in images}
    if len(sizes) != 1:
        raise StoreError(f"expected shards of one picture size, got {sorted(sizes)} (height, width)")
    return Store(np.concatenate(images), np.concatenate(instances), tuple(records))


def map_shards(stems: Iterable[Path]) -> list[Store]:
    """Open shards, one `Store` each, whose pictures stay on disk until they are looked at.

    Raises:
        StoreError: no shard at all, a file is missing, or counts differ.
    """
    stores = [_load_shard(stem, mapped=True) for stem in stems]
    if not stores:
        raise StoreError("expected at least one finished shard, got none; render some first")
    return stores


def _load_shard(stem: Path, mapped: bool = False) -> Store:
    mode: Literal["r"] | None = "r" if mapped else None
    try:
        images = np.load(f"{stem}.images.npy", mode, allow_pickle=False)
        instances = np.load(f"{stem}.instances.npy", mode, allow_pickle=False)
        text = Path(f"{stem}.jsonl").read_text()
    except OSError as error:
        raise StoreError(f"shard {stem} is incomplete: {error}") from error
    records = tuple(ViewRecord.from_json(json.loads(line)) for line in text.splitlines())
    if not len(images) == len(instances) == len(records) or images.shape[:3] != instances.shape:
        raise StoreError(
            f"shard {stem} does not agree with itself: images {images.shape}, "
            f"instances {instances.shape}, {len(records)} records"
        )
    return Store(images, instances, records)
