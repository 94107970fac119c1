"""The folder format: pictures, instructions and answers that any tool can write and `ivm-ros eval` reads.

`index.jsonl` has one JSON object a line:

    {"image": "000001.jpg", "instruction": "the red cup", "masks": ["000001_1.png"],
     "boxes": [[x_min, y_min, x_max, y_max]]}

Paths are relative to the folder. Masks are single-channel 8-bit pictures of the image's size with values 0
and 255, one for each target; boxes are half-open and in pixels, one for each mask; both lists are empty where
nothing matches. Optional keys: "tag" (text, what kind of question it is), "intrinsics" ([fx, fy, cx, cy],
pixels) and "depth" (a 16-bit PNG of the image's size, millimetres along the optical axis, 0 where unknown).
Others are ignored. `folder_writer` writes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Box, Image, InvalidInstructionError, Mask, check_instruction

INDEX = "index.jsonl"


class FolderError(ValueError):
    """An entry that does not follow the format; says which file, line and field, and what was expected."""

    def __init__(self, index: Path, line: int, field: str, problem: str) -> None:
        super().__init__(f'{index}:{line}: field "{field}": {problem}')
        self.line = line
        self.field = field


@dataclass(frozen=True, eq=False)
class Sample:
    """One instruction about one picture, and its answer.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        instruction: in words, not empty.
        masks: (H, W) bool, one for each target; empty where nothing matches.
        boxes: (x_min, y_min, x_max, y_max) half-open pixels, one for each mask.
        tag: what kind of question it is, where the folder says so.
        intrinsics: (fx, fy, cx, cy) pixels, where the folder has them.
        depth: (H, W) uint16 millimetres, 0 where unknown, where the folder has it.
    """

    image: Image
    instruction: str
    masks: tuple[Mask, ...]
    boxes: tuple[Box, ...]
    tag: str | None = None
    intrinsics: tuple[float, float, float, float] | None = None
    depth: npt.NDArray[np.uint16] | None = None


class Folder:
    """A dataset in the folder format; iterate it for its samples, which are read one by one.

    Attributes:
        skipped: the errors of entries that the latest iteration left out.

    Args:
        path: of the folder.
        skip_bad: leave out entries that do not follow the format and collect their errors; else raise.

    Raises:
        FileNotFoundError: no index in the folder.
    """

    def __init__(self, path: Path, skip_bad: bool = False) -> None:
        self.path = Path(path)
        self.skip_bad = skip_bad
        self.skipped: list[FolderError] = []
        self.index = self.path / INDEX
        if not self.index.is_file():
            raise FileNotFoundError(f"expected the file {INDEX} in {self.path}; the folder format needs one")
        text = self.index.read_text(encoding="utf-8", errors="replace")
        self._lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]

    def __len__(self) -> int:
        """Return the number of entries, good and bad."""
        return len(self._lines)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples in the order of the index; raise `FolderError` at a bad one, or skip it."""
        self.skipped = []
        for number, line in self._lines:
            try:
                yield _Entry(self.index, number, line).sample()
            except FolderError as error:
                if not self.skip_bad:
                    raise
                self.skipped.append(error)


class _Entry:
    """Reads one line of the index; every complaint names the field that is at fault."""

    def __init__(self, index: Path, number: int, line: str) -> None:
        self.index = index
        self.number = number
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise self.error(
                "(line)", f"expected a JSON object, got text that is not JSON: {error}"
            ) from error
        if not isinstance(record, dict):
            raise self.error("(line)", f"expected a JSON object, got {type(record).__name__}")
        self.record: dict[str, Any] = record

    def error(self, field: str, problem: str) -> FolderError:
        return FolderError(self.index, self.number, field, problem)

    def sample(self) -> Sample:
        image = np.ascontiguousarray(self._picture("image", self._text("image"), cv2.IMREAD_COLOR)[..., ::-1])
        try:
            instruction = check_instruction(self._text("instruction"))
        except InvalidInstructionError as error:
            raise self.error("instruction", str(error)) from error
        names, corners = self._list("masks"), self._list("boxes")
        if len(names) != len(corners):
            problem = f"expected one box for each mask, got {len(corners)} boxes and {len(names)} masks"
            raise self.error("boxes", problem)
        size = image.shape[:2]
        return Sample(
            image=image,
            instruction=instruction,
            masks=tuple(self._mask(i, name, size) for i, name in enumerate(names)),
            boxes=tuple(self._box(i, box, size) for i, box in enumerate(corners)),
            tag=self._text("tag") if "tag" in self.record else None,
            intrinsics=self._intrinsics(),
            depth=self._depth(size),
        )

    def _value(self, field: str) -> Any:
        if field not in self.record:
            raise self.error(field, "expected this field, but it is missing")
        return self.record[field]

    def _text(self, field: str) -> str:
        value = self._value(field)
        if not isinstance(value, str):
            raise self.error(field, f"expected text, got {value!r}")
        return value

    def _list(self, field: str) -> list[Any]:
        value = self._value(field)
        if not isinstance(value, list):
            raise self.error(field, f"expected a list, got {value!r}")
        return value

    def _picture(self, field: str, name: Any, flags: int) -> npt.NDArray[Any]:
        if not isinstance(name, str):
            raise self.error(field, f"expected the name of a file, got {name!r}")
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts:
            raise self.error(field, f"expected a path inside the folder, got {name!r}")
        file = self.index.parent / inside
        if not file.is_file():
            raise self.error(field, f"expected the file {file}, but there is none")
        picture = cv2.imread(str(file), flags)
        if picture is None:
            raise self.error(field, f"expected a picture, but {file} cannot be decoded")
        return picture

    def _mask(self, position: int, name: Any, size: tuple[int, int]) -> Mask:
        field = f"masks[{position}]"
        mask = self._picture(field, name, cv2.IMREAD_UNCHANGED)
        if mask.ndim != 2 or mask.dtype != np.uint8:
            raise self.error(field, f"expected one 8-bit channel, got shape {mask.shape} of {mask.dtype}")
        self._check_size(field, mask, size)
        if not np.isin(mask, (0, 255)).all():
            raise self.error(field, f"expected values 0 and 255 alone, got {np.unique(mask)[:8].tolist()}")
        if not mask.any():
            raise self.error(field, "expected a target, got a mask without a pixel; leave absent targets out")
        return np.asarray(mask > 0)

    def _check_size(self, field: str, picture: npt.NDArray[Any], size: tuple[int, int]) -> None:
        if picture.shape[:2] != size:
            (height, width), (want_height, want_width) = picture.shape[:2], size
            problem = f"expected the image's size {want_width}x{want_height}, got {width}x{height}"
            raise self.error(field, problem)

    def _box(self, position: int, box: Any, size: tuple[int, int]) -> Box:
        field = f"boxes[{position}]"
        x_min, y_min, x_max, y_max = self._numbers(field, box)
        height, width = size
        if not (0 <= x_min < x_max <= width and 0 <= y_min < y_max <= height):
            order = f"0 <= x_min < x_max <= {width} and 0 <= y_min < y_max <= {height}"
            raise self.error(field, f"expected {order}, got {box}")
        return (x_min, y_min, x_max, y_max)

    def _numbers(self, field: str, values: Any) -> tuple[float, float, float, float]:
        """Return four finite numbers."""
        numbers = [v for v in values if type(v) in (int, float)] if isinstance(values, list) else []
        if len(numbers) != 4 or len(values) != 4 or not all(map(math.isfinite, numbers)):
            raise self.error(field, f"expected four finite numbers, got {values!r}")
        return (float(numbers[0]), float(numbers[1]), float(numbers[2]), float(numbers[3]))

    def _intrinsics(self) -> tuple[float, float, float, float] | None:
        if "intrinsics" not in self.record:
            return None
        return self._numbers("intrinsics", self.record["intrinsics"])

    def _depth(self, size: tuple[int, int]) -> npt.NDArray[np.uint16] | None:
        if "depth" not in self.record:
            return None
        depth = self._picture("depth", self.record["depth"], cv2.IMREAD_UNCHANGED)
        if depth.ndim != 2 or depth.dtype != np.uint16:
            raise self.error(
                "depth", f"expected one 16-bit channel, got shape {depth.shape} of {depth.dtype}"
            )
        self._check_size("depth", depth, size)
        return depth
