"""InstanceVG's annotation files: RefCOCO/+/g in one (mixed-seg), gRefCOCO (grefs), Ref-ZOM and R-RefCOCO.

    ROOT/annotations/mixed-seg/instances_nogoogle.json     {split: [entries]}, and so the others
    ROOT/images/mscoco/train2014/COCO_train2014_000000000100.jpg

An entry has `image_id`, `width`, `height`. In mixed-seg it has `bbox` [x, y, w, h], `mask` (polygons or
RLE) and `expressions` [text, ...]; in the others `expressions` {"raw": text or [text, ...]} and
`annotations` [{bbox, segmentation}, ...], with null for both where nothing matches. R-RefCOCO's entries are
lists of such. Each expression is one sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ivm_ros.datasets.coco import size_of
from ivm_ros.datasets.questions import Picture, Question, Questions, Region, box_from
from ivm_ros.datasets.records import Fields, read_json, shown
from ivm_ros.datasets.samples import Group

_TRAIN = ("images/mscoco/train2014",)


@dataclass(frozen=True)
class InstanceVgSet:
    """How one dataset is laid out.

    Attributes:
        files: of annotations; the first that exists counts: its published names differ.
        images: folders; the first that has a picture counts.
        named: an entry has the `file_name` of its picture, else that follows from the `image_id`.
        generalized: an entry may have several targets or none.
        alternatives: an entry is a list of such.
        groups: file of ranges of entries that are measured together, if any.
    """

    files: tuple[str, ...]
    images: tuple[str, ...] = _TRAIN
    named: bool = False
    generalized: bool = True
    alternatives: bool = False
    groups: str = ""


SETS = {
    "instancevg-mixed": InstanceVgSet(
        ("mixed-seg/instances_nogoogle.json", "mixed-seg/instances_nogoogle_withid.json"), generalized=False
    ),
    "instancevg-grefcoco": InstanceVgSet(("grefs/instances.json", "grefs/instance.json")),
    "instancevg-refzom": InstanceVgSet(
        ("ref-zom/instance.json",),
        tuple(f"images/mscoco/{folder}" for folder in ("trainval2014", "train2014", "val2014")),
        named=True,
    ),
    "instancevg-rrefcoco": InstanceVgSet(
        ("rrefcoco/instance.json",), named=True, alternatives=True, groups="rrefcoco/instance_index.json"
    ),
}


class _Place(NamedTuple):
    """Where a sample's expression stands: numbers from 0 on."""

    entry: int
    alternative: int
    expression: int


class InstanceVg(Questions):
    """One split of an annotation file.

    Args:
        layout: one of `SETS`.
        root: has the folders `annotations` and `images`.
        split: such as "testA_refcoco_unc" or "testA".
        skip_bad: see `Dataset`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or there is no such split.
    """

    def __init__(self, layout: InstanceVgSet, root: Path, split: str, skip_bad: bool = False) -> None:
        super().__init__(skip_bad)
        self.layout, self.split = layout, split
        folder = root / "annotations"
        self.file = _first(folder, layout.files)
        entries = _split(self.file, read_json(self.file), split)
        # An empty list stands for itself: a bad entry, which must not vanish.
        self._entries = [
            entry if layout.alternatives and isinstance(entry, list) and entry else [entry]
            for entry in entries
        ]
        self._roots = tuple(root / images for images in layout.images)
        self._places = [
            _Place(i, j, k)
            for i, alternatives in enumerate(self._entries)
            for j, entry in enumerate(alternatives)
            for k in range(max(len(_expressions(entry)), 1))
        ]
        ranges = folder / layout.groups if layout.groups and split != "train" else None
        self._groups = {} if ranges is None else self._group_of_entries(ranges)
        self.annotations = (self.file,) if ranges is None else (self.file, ranges)

    def __len__(self) -> int:
        """Return the number of expressions, good and bad."""
        return len(self._places)

    def question(self, index: int) -> Question:
        """Return question `index`, from 0 on, undecoded."""
        self.check_index(index)
        place = self._places[index]
        record = Fields(self.file, self._name(place), self._entries[place.entry][place.alternative])
        image = record.integer("image_id")
        name = record.text("file_name") if self.layout.named else f"COCO_train2014_{image:012d}.jpg"
        field = "file_name" if self.layout.named else "image_id"
        texts = _expressions(record.fields)
        if not texts:
            problem = (
                "expected a list of texts" if not self.layout.generalized else 'expected texts under "raw"'
            )
            raise record.error("expressions", f"{problem}, got {shown(record.value('expressions'))}")
        regions = (
            self._regions(record) if self.layout.generalized else (self._region(record, record, "mask"),)
        )
        return Question(
            record=record,
            picture=Picture(record, field, name, self._roots, size_of(record)),
            instruction=(f"expressions[{place.expression}]", texts[place.expression]),
            regions=regions,
            tag=_TAGS[min(len(regions), 2)] if self.layout.generalized else None,
            group=self._groups.get(place.entry),
            ids={"image": image, "entry": place.entry, "expression": place.expression},
        )

    def _name(self, place: _Place) -> str:
        """Return what names an entry in its file."""
        several = len(self._entries[place.entry]) > 1
        return f"{self.split}[{place.entry}]" + (f"[{place.alternative}]" if several else "")

    def _regions(self, record: Fields) -> tuple[Region, ...]:
        annotations = record.sequence("annotations")
        found = [
            Fields(self.file, f"{record.record}.annotations[{i}]", annotation)
            for i, annotation in enumerate(annotations)
        ]
        empty = [a.value("bbox") is None and a.value("segmentation") is None for a in found]
        if len(found) == 1 and empty[0]:
            return ()
        if any(empty):
            raise record.error("annotations", "expected null in the only one or in none, got it among others")
        return tuple(self._region(record, annotation, "segmentation") for annotation in found)

    def _region(self, record: Fields, annotation: Fields, field: str) -> Region:
        if annotation.value(field) is None:
            raise annotation.error(field, "expected polygons or RLE, got null")
        box = box_from(annotation, "bbox", annotation.value("bbox"))
        return Region(annotation, box, annotation.fields[field], ("bbox", field))

    def _group_of_entries(self, file: Path) -> dict[int, Group]:
        """Return the group of each entry by its number."""
        ranges = _split(file, read_json(file), self.split)
        samples = Counter(place.entry for place in self._places)
        sizes = [samples[number] for number in range(len(self._entries))]
        groups: dict[int, Group] = {}
        end = 0
        for position, given in enumerate(ranges):
            if not (_is_range(given) and given[0] == end < given[1] <= len(sizes)):
                raise ValueError(
                    f"{file}: {self.split}[{position}]: expected [start, end] from {end} on and up to the "
                    f"{len(sizes)} entries of {self.file}, got {shown(given)}"
                )
            start, end = given
            group = Group(f"{self.split} {start}", sum(sizes[start:end]))
            groups.update(dict.fromkeys(range(start, end), group))
        if end != len(sizes):
            raise ValueError(f"{file}: {self.split}: expected ranges up to {len(sizes)} entries, got {end}")
        return groups


_TAGS = ("no target", "one target", "several targets")


def _first(folder: Path, names: Sequence[str]) -> Path:
    files = [folder / name for name in names if (folder / name).is_file()]
    if not files:
        raise FileNotFoundError(f"expected the file {' or '.join(names)} in {folder}; there is none")
    return files[0]


def _split(file: Path, content: Any, split: str) -> list[Any]:
    """Return the list of a split, which a file has by name."""
    if not isinstance(content, dict):
        raise ValueError(f"{file}: expected splits by name, got {shown(content)}")
    if split not in content:
        raise ValueError(f"{file}: expected a split of {', '.join(content)}; got {split!r}")
    if not isinstance(content[split], list):
        raise ValueError(f"{file}: expected a list for {split}, got {shown(content[split])}")
    return list(content[split])


def _expressions(entry: Any) -> list[Any]:
    """Return the texts of an entry; none where it has no such field."""
    given = entry.get("expressions") if isinstance(entry, dict) else None
    if isinstance(given, dict):
        given = [given["raw"]] if isinstance(given.get("raw"), str) else given.get("raw")
    return given if isinstance(given, list) else []


def _is_range(given: Any) -> bool:
    return isinstance(given, list) and len(given) == 2 and all(type(number) is int for number in given)
