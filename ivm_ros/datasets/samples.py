"""What every dataset gives, `Sample`, and what every dataset is, `Dataset`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.records import RecordError
from ivm_ros.grounding import Box, Image, Mask

AnySample = TypeVar("AnySample")


class Group(NamedTuple):
    """Samples that a dataset's metrics take together, such as R-RefCOCO's.

    Attributes:
        name: of the group, the same for all samples in it.
        size: how many samples are in it.
    """

    name: str
    size: int


@dataclass(frozen=True, eq=False)
class Sample:
    """One instruction about one picture, and its answer.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        instruction: in words, not empty.
        boxes: (x_min, y_min, x_max, y_max) half-open pixels, one for each target; none where nothing matches.
        annotated: the masks as the dataset has them; None where it has boxes alone. `masks` is the safe way.
        ignored: (H, W) bool, pixels that do not count, where the dataset names some.
        tag: what kind of question it is, where the dataset says so.
        group: what it is measured together with, where the dataset's metrics want that.
        ids: what the dataset calls the image, the expression and so on: "image" -> 581857.
        intrinsics: (fx, fy, cx, cy) pixels, where the dataset has them.
        depth: (H, W) uint16 millimetres, 0 where unknown, where the dataset has it.
    """

    image: Image
    instruction: str
    boxes: tuple[Box, ...]
    annotated: tuple[Mask, ...] | None
    ignored: Mask | None = None
    tag: str | None = None
    group: Group | None = None
    ids: Mapping[str, int | str] = field(default_factory=dict)
    intrinsics: tuple[float, float, float, float] | None = None
    depth: npt.NDArray[np.uint16] | None = None

    @property
    def masks(self) -> tuple[Mask, ...]:
        """(H, W) bool, one for each box, in their order; raise `ValueError` where there are boxes alone."""
        if self.annotated is None:
            raise ValueError("expected a dataset with masks, got one that has boxes alone")
        return self.annotated

    @property
    def present(self) -> bool:
        """Whether the instruction is about anything in the image."""
        return bool(self.boxes)


class Dataset(ABC, Generic[AnySample]):
    """Samples that are read when they are asked for, by number or one after the other.

    Attributes:
        skip_bad: an iteration leaves out unusable samples and collects their errors; else it raises.
        skipped: the errors of samples that the latest iteration left out.
        annotations: the files and folders that say what the samples are; none where no file does.
    """

    annotations: tuple[Path, ...] = ()

    def __init__(self, skip_bad: bool = False) -> None:
        self.skip_bad = skip_bad
        self.skipped: list[RecordError] = []

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples, good and bad."""

    @abstractmethod
    def read(self, index: int) -> AnySample:
        """Return sample `index`, from 0 on.

        Raises:
            RecordError: it is unusable; says why.
            IndexError: there is no such sample.
        """

    def __iter__(self) -> Iterator[AnySample]:
        """Yield all samples in order, always the same; raise `RecordError` at a bad one, or skip it."""
        self.skipped = []
        for index in range(len(self)):
            try:
                yield self.read(index)
            except RecordError as error:
                if not self.skip_bad:
                    raise
                self.skipped.append(error)

    def check_index(self, index: int) -> None:
        """Raise IndexError unless there is a sample `index`."""
        if not 0 <= index < len(self):
            raise IndexError(f"expected a sample from 0 to {len(self) - 1}, got {index}")
