"""Every published dataset by name, and how to open it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ivm_ros.datasets import instancevg, plvl, refer
from ivm_ros.datasets.flickr30k import Flickr30k
from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.instancevg import InstanceVg
from ivm_ros.datasets.plvl import Plvl
from ivm_ros.datasets.reasonseg import ReasonSeg
from ivm_ros.datasets.refer import Refer
from ivm_ros.datasets.samples import Dataset, Sample

Opener = Callable[[Path, str, bool], Dataset[Sample]]
"""Takes the root folder, the split, and whether to skip what is bad; raises as `open_dataset`."""

_OPENERS: dict[str, Opener] = {
    **{name: partial(Refer, layout) for name, layout in refer.SETS.items()},
    **{name: partial(InstanceVg, layout) for name, layout in instancevg.SETS.items()},
    **{name: partial(Plvl, name) for name in plvl.SETS},
    "flickr30k-entities": Flickr30k,
    "reasonseg": ReasonSeg,
}


def available() -> tuple[str, ...]:
    """Return the names of all datasets that can be opened."""
    return tuple(_OPENERS)


def open_dataset(name: str, split: str, root: Path, skip_bad: bool = False) -> Dataset[Sample]:
    """Open a split of a published dataset.

    Args:
        name: of the registry, such as "refcoco-unc".
        split: as the dataset calls it, such as "testA".
        root: folder in which the dataset's own layout begins.
        skip_bad: an iteration leaves out unusable samples and collects their errors; else it raises.

    Raises:
        ValueError: no dataset has this name, it has no such split, or a file of it is damaged.
        FileNotFoundError: a file of it is missing.
    """
    if name not in _OPENERS:
        raise ValueError(f"expected a dataset of {', '.join(_OPENERS)}; got {name!r}")
    return _OPENERS[name](root, split, skip_bad)


def open_any(dataset: str, root: Path | None = None, skip_bad: bool = False) -> Dataset[Sample]:
    """Open what a command's --dataset and --root name.

    Args:
        dataset: NAME:SPLIT of a published dataset that lies in `root`; without `root` a folder in the folder
            format.
        root: see there.
        skip_bad: as in `open_dataset`.

    Raises:
        ValueError, FileNotFoundError: as `open_dataset` and `Folder`; or the two do not go together.
    """
    name, _, split = dataset.partition(":")
    if root is None:
        if name in _OPENERS:
            raise ValueError(f"expected --root with the folder that {name} lies in, got none")
        return Folder(Path(dataset), skip_bad)
    if not (name and split):
        raise ValueError(f"expected NAME:SPLIT with --root, such as refcoco-unc:testA; got {dataset!r}")
    return open_dataset(name, split, root, skip_bad)
