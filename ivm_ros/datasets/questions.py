"""From an annotation, still undecoded, to a `Sample`: the part that all published layouts have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ivm_ros.datasets.folder_writer import box_around
from ivm_ros.datasets.records import Fields
from ivm_ros.datasets.samples import Dataset, Group, Sample
from ivm_ros.datasets.segmentation import check_points, decode_segmentation
from ivm_ros.grounding import Box, Image, Mask

# Annotations are in the pixels as stored: what a camera noted about its orientation is not looked at.
_COLOR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


@dataclass(frozen=True)
class Picture:
    """A picture as it is annotated.

    Attributes:
        record: that names it, to complain about.
        field: of that record.
        name: path relative to one of the roots.
        roots: folders; the first that has the picture counts.
        size: (H, W) as annotated; None where the dataset does not say.
    """

    record: Fields
    field: str
    name: str
    roots: tuple[Path, ...]
    size: tuple[int, int] | None = None

    def pixels(self) -> Image:
        """Read it as (H, W, 3) uint8 RGB."""
        pixels = self.record.picture(self.field, self.name, self.roots, _COLOR)
        if self.size is not None:
            self.record.check_size(self.field, pixels, self.size, "annotated")
        return np.ascontiguousarray(pixels[..., ::-1])


@dataclass(frozen=True)
class Region:
    """A target as it is annotated.

    Attributes:
        record: that it stands in, to complain about.
        box: (x_min, y_min, x_max, y_max) half-open pixels; None: the box around the mask.
        segmentation: as `decode_segmentation` reads it; None where the dataset has boxes alone.
        fields: the names of box and segmentation in the record.
    """

    record: Fields
    box: Box | None
    segmentation: Any
    fields: tuple[str, str] = ("bbox", "segmentation")

    def mask(self, size: tuple[int, int]) -> Mask | None:
        """Return the mask in an image of `size` (H, W)."""
        if self.segmentation is None:
            return None
        try:
            return decode_segmentation(self.segmentation, size)
        except ValueError as error:
            raise self.record.error(self.fields[1], str(error)) from error

    def box_in(self, size: tuple[int, int], mask: Mask | None) -> Box:
        """Return the box, cut to an image of `size` (H, W) that it may leave by rounding alone."""
        if self.box is None:
            assert mask is not None, "a region has a box or a segmentation"
            left, top, right, bottom = box_around(mask)
            return (left, top, right, bottom)
        try:
            check_points(self.box, size)
        except ValueError as error:
            raise self.record.error(self.fields[0], str(error)) from error
        height, width = size
        x_min, x_max = (float(min(max(x, 0.0), width)) for x in self.box[0::2])
        y_min, y_max = (float(min(max(y, 0.0), height)) for y in self.box[1::2])
        if not (x_min < x_max and y_min < y_max):
            raise self.record.error(self.fields[0], f"expected a box with an area, got {list(self.box)}")
        return (x_min, y_min, x_max, y_max)


@dataclass(frozen=True)
class Question:
    """One instruction about one picture as it is annotated; nothing is decoded yet.

    Attributes:
        record: that it stands in, to complain about.
        picture: that it is about.
        instruction: the field that it stands in, and the words.
        regions: the targets; none where nothing matches.
        tag, group, ids: see `Sample`.
    """

    record: Fields
    picture: Picture
    instruction: tuple[str, Any]
    regions: tuple[Region, ...]
    tag: str | None = None
    group: Group | None = None
    ids: Mapping[str, int | str] = field(default_factory=dict)

    def sample(self) -> Sample:
        """Read the picture and decode the targets; raise `RecordError` where that fails."""
        instruction = self.record.instruction(*self.instruction)
        image = self.picture.pixels()
        size = (image.shape[0], image.shape[1])
        masks = [region.mask(size) for region in self.regions]
        boxes = tuple(region.box_in(size, mask) for region, mask in zip(self.regions, masks, strict=True))
        decoded = tuple(mask for mask in masks if mask is not None)
        return Sample(
            image=image,
            instruction=instruction,
            boxes=boxes,
            annotated=decoded if len(decoded) == len(boxes) else None,
            tag=self.tag,
            group=self.group,
            ids=self.ids,
        )


class Questions(Dataset[Sample]):
    """A dataset whose annotations can be looked at without decoding them."""

    @abstractmethod
    def question(self, index: int) -> Question:
        """Return question `index`, from 0 on, undecoded; raises what `read` raises."""

    def read(self, index: int) -> Sample:
        """Return sample `index`, from 0 on."""
        return self.question(index).sample()


def box_from(record: Fields, name: str, values: Any, corners: bool = False) -> Box:
    """Return a box of a record.

    Args:
        record: to complain about.
        name: of its field.
        values: [x, y, width, height], or with `corners` [x_min, y_min, x_max, y_max].
        corners: see there.
    """
    x, y, third, fourth = record.numbers(name, values)
    return (x, y, third, fourth) if corners else (x, y, x + third, y + fourth)
