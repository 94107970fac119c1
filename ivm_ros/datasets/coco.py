"""COCO's `instances.json`: pictures, annotations and categories by their ids."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from ivm_ros.datasets.records import Fields, is_id, read_json, shown


class Table:
    """Records by their ids; a record whose id another one has as well is not to be had.

    Args:
        file: that they are in.
        key: the field with the id.
        records: from the file.
        kind: what the ids are of, for messages.
        wanted: ids of the records to keep; None for all.
    """

    def __init__(
        self, file: Path, key: str, records: Iterable[Any], kind: str, wanted: Container[Any] | None = None
    ) -> None:
        self.file, self.kind = file, kind
        self._records: dict[Any, Any] = {}
        self._twice: set[Any] = set()
        for record in records:
            number = record.get(key) if isinstance(record, dict) else None
            if not is_id(number) or (wanted is not None and number not in wanted):
                continue  # nothing can refer to it, or nothing does
            if number in self._records:
                self._twice.add(number)
            self._records[number] = record

    def find(self, number: Any, asked: Fields, field: str) -> Fields:
        """Return the record with an id.

        Args:
            number: the id.
            asked: the record that refers to it.
            field: of that record, to complain about.

        Raises:
            RecordError: no record has the id, or several have.
        """
        if not is_id(number) or number not in self._records:
            raise asked.error(field, f"expected the id of {self.kind} in {self.file}, got {shown(number)}")
        if number in self._twice:
            raise asked.error(
                field, f"expected an id that {self.file} has once, got {number}, which it has twice"
            )
        return Fields(self.file, f"{self.kind} {number}", self._records[number])


class Instances:
    """The file `instances.json` of a dataset.

    Args:
        file: to read.
        images: ids of those to keep: the file has far more than one split needs.
        annotations: the same of these.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON, or lacks one of its three lists.
    """

    def __init__(self, file: Path, images: Container[Any], annotations: Container[Any]) -> None:
        content = read_json(file)
        lists = [content.get(name) if isinstance(content, dict) else None for name in _LISTS]
        for name, found in zip(_LISTS, lists, strict=True):
            if not isinstance(found, list):
                raise ValueError(f'{file}: expected a list "{name}", got {shown(found)}')
        of_images, of_annotations, of_categories = (found or [] for found in lists)
        self.images = Table(file, "id", of_images, "image", images)
        self.annotations = Table(file, "id", of_annotations, "annotation", annotations)
        self.categories = Table(file, "id", of_categories, "category")


_LISTS = ("images", "annotations", "categories")


def size_of(image: Fields) -> tuple[int, int]:
    """Return (H, W) of an image's record."""
    return image.integer("height"), image.integer("width")
