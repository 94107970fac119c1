"""ReasonSeg: questions that must be thought about, and polygons of their answers.

    ROOT/reason_seg/ReasonSeg/val/3.jpg, 3.json     {shapes: [{label, points}], text: [...], is_sentence}

A shape whose label has "ignore" in it marks pixels that do not count, one with "flag" is left out, every
other one is target. They are drawn the largest first, outline and inside, points cut to whole pixels. In
train each text is a sample; elsewhere the first alone, as the published evaluation has it. A split's name
may end in _shortquery or _longquery, for the questions that are phrases or sentences.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.folder_writer import box_around
from ivm_ros.datasets.records import Fields, RecordError, read_json, shown
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.datasets.segmentation import check_points
from ivm_ros.grounding import Mask

FOLDER = "reason_seg/ReasonSeg"
TARGET, IGNORED = 1, 255
_TAGS = {True: "long query", False: "short query"}
_ENDINGS = {"_longquery": True, "_shortquery": False}


class ReasonSeg(Dataset[Sample]):
    """One split of ReasonSeg.

    Args:
        root: has the folder `reason_seg`.
        split: train, val or test, or one of these with _shortquery or _longquery.
        skip_bad: see `Dataset`.

    Raises:
        FileNotFoundError: the dataset is not there.
        ValueError: there is no such split.
    """

    def __init__(self, root: Path, split: str, skip_bad: bool = False) -> None:
        super().__init__(skip_bad)
        ending = next((ending for ending in _ENDINGS if split.endswith(ending)), "")
        folder = root / FOLDER / split.removesuffix(ending)
        if not folder.is_dir():
            splits = sorted(path.name for path in (root / FOLDER).glob("*") if path.is_dir())
            if not splits:
                raise FileNotFoundError(f"expected the folder {folder}; there is none")
            raise ValueError(f"{root / FOLDER}: expected a split of {', '.join(splits)}; got {split!r}")
        self.annotations = (folder,)
        every_text = folder.name == "train"
        self._entries: list[tuple[Fields, int] | RecordError] = []
        for file in sorted(folder.glob("*.json")):
            try:
                record = _read(file)
                if not ending or _is_sentence(record) is _ENDINGS[ending]:
                    texts = len(record.sequence("text")) if every_text else 1
                    self._entries += [(record, number) for number in range(max(texts, 1))]
            except RecordError as error:
                self._entries.append(error)

    def __len__(self) -> int:
        """Return the number of questions, good and bad."""
        return len(self._entries)

    def read(self, index: int) -> Sample:
        """Return sample `index`, from 0 on."""
        self.check_index(index)
        entry = self._entries[index]
        if isinstance(entry, RecordError):
            raise entry
        record, number = entry
        texts = record.sequence("text")
        if not texts:
            raise record.error("text", "expected at least one text, got none")
        instruction = record.instruction(f"text[{number}]", texts[number])
        name = f"{record.file.stem}.jpg"
        picture = record.picture("(picture)", name, [record.file.parent], cv2.IMREAD_COLOR)
        drawn = _draw(record, (picture.shape[0], picture.shape[1]))
        target: Mask = drawn == TARGET
        if not target.any():
            raise record.error("shapes", "expected a target, got none that has a pixel")
        x_min, y_min, x_max, y_max = box_around(target)
        return Sample(
            image=np.ascontiguousarray(picture[..., ::-1]),
            instruction=instruction,
            boxes=((x_min, y_min, x_max, y_max),),
            annotated=(target,),
            ignored=drawn == IGNORED if (drawn == IGNORED).any() else None,
            tag=_TAGS[_is_sentence(record)],
            ids={"image": record.file.stem, "query": number},
        )


def _read(file: Path) -> Fields:
    try:
        return Fields(file, "annotation", read_json(file, ("utf-8-sig", "cp1252")))
    except RecordError:
        raise
    except ValueError as error:
        raise RecordError(file, "annotation", "(file)", str(error).partition(": ")[2]) from error


def _is_sentence(record: Fields) -> bool:
    value = record.value("is_sentence")
    if type(value) is not bool:
        raise record.error("is_sentence", f"expected true or false, got {shown(value)}")
    return value


def _draw(record: Fields, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8: 1 target, 255 ignored, else 0."""
    shapes = []
    for position, given in enumerate(record.sequence("shapes")):
        shape = Fields(record.file, f"shapes[{position}]", given)
        label = shape.text("label").lower()
        if "flag" in label:
            continue
        points = _points(shape, size)
        alone = _filled(np.zeros(size, np.uint8), points, 1)
        shapes.append((int(alone.sum()), points, IGNORED if "ignore" in label else TARGET))
    drawn = np.zeros(size, np.uint8)
    for _, points, value in sorted(shapes, key=lambda shape: -shape[0]):
        _filled(drawn, points, value)
    return drawn


def _points(shape: Fields, size: tuple[int, int]) -> npt.NDArray[np.int32]:
    given: list[Any] = shape.sequence("points")
    if len(given) < 3 or not all(isinstance(point, list) and len(point) == 2 for point in given):
        raise shape.error("points", f"expected three or more points [x, y], got {shown(given)}")
    try:
        check_points([number for point in given for number in point], size)
    except ValueError as error:
        raise shape.error("points", str(error)) from error
    return np.array(given, np.float64).astype(np.int32)


def _filled(image: npt.NDArray[np.uint8], points: npt.NDArray[np.int32], value: int) -> npt.NDArray[np.uint8]:
    cv2.polylines(image, [points], True, value, 1)
    cv2.fillPoly(image, [points], value)
    return image
