"""A folder of own pictures by picture, and parts of it: what is trained on, and what is held out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.records import JsonLines, RecordError
from ivm_ros.datasets.samples import Dataset, Sample

_HELD_OUT = 5  # every fifth picture's worth, at the end, where there is no validation folder


def pictures_of(folder: Folder) -> list[list[int]]:
    """Return the entries of each picture, pictures in the order of the index; a bad line is one by itself."""
    groups: dict[str, list[int]] = {}
    lines = JsonLines(folder.index)
    for index in range(len(lines)):
        try:
            name = json.loads(lines.read(index)[1])["image"]
        except (ValueError, KeyError, TypeError, RecursionError):
            name = None
        groups.setdefault(name if isinstance(name, str) else f"/{index}", []).append(index)
    return list(groups.values())


class Part(Dataset[Sample]):
    """Some entries of a folder, by number.

    Args:
        folder: of all.
        entries: their numbers.
    """

    def __init__(self, folder: Folder, entries: Sequence[int]) -> None:
        super().__init__(folder.skip_bad)
        self.folder, self.entries = folder, tuple(entries)
        self.annotations = folder.annotations

    def __len__(self) -> int:
        """Return the number of entries, good and bad."""
        return len(self.entries)

    def read(self, index: int) -> Sample:
        """Return the sample of entry `index` of these."""
        self.check_index(index)
        return self.folder.read(self.entries[index])


def instructions_of(folder: Folder, entries: Sequence[int]) -> dict[int, str]:
    """Return the words of each entry that has some, without reading pictures."""
    lines, words = JsonLines(folder.index), {}
    for entry in entries:
        try:
            text = json.loads(lines.read(entry)[1])["instruction"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # `Folder.read` names what is wrong with it
        if isinstance(text, str):
            words[entry] = text
    return words


def open_folder(path: Path) -> Folder:
    """Open a folder whose bad entries are left out when it is scored; training replaces and names them."""
    folder = Folder(path, skip_bad=True)
    if not len(folder):
        raise ValueError(f"expected entries in {folder.index}, got none")
    return folder


def split(folder: Folder, validation: Path | None) -> tuple[list[list[int]], Dataset[Sample], str]:
    """Return the pictures to train on, the samples to score on, and what those are called.

    Args:
        folder: of the user.
        validation: another folder to score on; None holds the last fifth of the pictures out.

    Raises:
        ValueError: there are too few pictures, or what is held out has no target.
    """
    pictures = pictures_of(folder)
    if validation is not None:
        held_out: Dataset[Sample] = open_folder(validation)
        name = str(validation)
    else:
        count = len(pictures) // _HELD_OUT
        if not count:
            raise ValueError(
                f"expected at least {_HELD_OUT} pictures in {folder.path} to hold a fifth out, got "
                f"{len(pictures)}; label more, or name --validation"
            )
        held_out = Part(folder, [entry for entries in pictures[-count:] for entry in entries])
        pictures = pictures[:-count]
        name = f"the last {count} pictures of {folder.path}, which were not trained on"
    _check_has_target(held_out, name)
    return pictures, held_out, name


def _check_has_target(dataset: Dataset[Sample], name: str) -> None:
    problem: RecordError | None = None
    for index in range(len(dataset)):
        try:
            if dataset.read(index).present:
                return
        except RecordError as error:
            problem = problem or error
    raise ValueError(
        f"expected a usable entry with a target in {name}, as masks choose the best weights; got "
        f"none{'' if problem is None else f'; the first bad one: {problem}'}"
    )
