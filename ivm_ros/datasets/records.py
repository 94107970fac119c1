"""Records of datasets in files of JSON lines; every complaint names file, line and field."""

from __future__ import annotations

import json
import os.path
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


class RecordError(ValueError):
    """A record that does not follow its format; says which file, line and field, and what was expected."""

    def __init__(self, file: Path, line: int, field: str, problem: str) -> None:
        super().__init__(f'{file}:{line}: field "{field}": {problem}')
        self.line = line
        self.field = field


class JsonLines:
    """A file of JSON lines, of which only the places of the lines are held; blank lines do not count.

    Args:
        file: to read; must not change meanwhile.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        places, start = [], 0
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    places.append((number, start, len(line)))
                start += len(line)
        self._places = np.array(places, np.int64).reshape(-1, 3)

    def __len__(self) -> int:
        """Return the number of records, good and bad."""
        return len(self._places)

    def read(self, index: int) -> tuple[int, str]:
        """Return the line number of record `index`, from 1 on, and its text."""
        number, start, length = self._places[index].tolist()
        with self.file.open("rb") as lines:
            lines.seek(start)
            return number, lines.read(length).decode("utf-8-sig", errors="replace")


class Record:
    """One record of a file of JSON lines; its methods return a field's value or raise `RecordError`.

    Args:
        lines: the file.
        index: of the record.
    """

    def __init__(self, lines: JsonLines, index: int) -> None:
        self.file = lines.file
        self.number, text = lines.read(index)
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.error(
                "(line)", f"expected a JSON object, got text that is not JSON: {error}"
            ) from error
        if not isinstance(record, dict):
            raise self.error("(line)", f"expected a JSON object, got {type(record).__name__}")
        self.fields: dict[str, Any] = record

    def error(self, field: str, problem: str) -> RecordError:
        """Return the error that complains about a field."""
        return RecordError(self.file, self.number, field, problem)

    def value(self, field: str) -> Any:
        """Return a field that must be there."""
        if field not in self.fields:
            raise self.error(field, "expected this field, but it is missing")
        return self.fields[field]

    def text(self, field: str) -> str:
        """Return a field that must be text."""
        value = self.value(field)
        if not isinstance(value, str):
            raise self.error(field, f"expected text, got {value!r}")
        return value

    def sequence(self, field: str) -> list[Any]:
        """Return a field that must be a list."""
        value = self.value(field)
        if not isinstance(value, list):
            raise self.error(field, f"expected a list, got {value!r}")
        return value

    def picture(self, field: str, name: Any, roots: Sequence[Path], flags: int) -> npt.NDArray[Any]:
        """Read a picture.

        Args:
            field: to complain about.
            name: of the file, relative to a root that it must not leave.
            roots: folders; the first that has the file counts.
            flags: of `cv2.imdecode`.

        Returns:
            What OpenCV decodes: (H, W) or (H, W, 3) BGR, uint8 or uint16.
        """
        if not isinstance(name, str):
            raise self.error(field, f"expected the name of a file, got {name!r}")
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts:
            raise self.error(field, f"expected a path inside the folder, got {name!r}")
        file = next((root / inside for root in roots if os.path.isfile(root / inside)), None)
        if file is None:
            places = " or ".join(map(str, roots))
            raise self.error(field, f"expected the file {name!r} in {places}, but there is none")
        picture = _decode(file, flags)
        if picture is None:
            raise self.error(field, f"expected a picture, but {file} cannot be decoded or is cut off")
        return picture

    def check_size(self, field: str, picture: npt.NDArray[Any], size: tuple[int, ...]) -> None:
        """Complain unless a picture has the (height, width) of the image that it belongs to."""
        if picture.shape[:2] != size[:2]:
            (height, width), (want_height, want_width) = picture.shape[:2], size[:2]
            problem = f"expected the image's size {want_width}x{want_height}, got {width}x{height}"
            raise self.error(field, problem)


def _decode(file: Path, flags: int) -> npt.NDArray[Any] | None:
    try:
        data = file.read_bytes()
        if not data or _is_cut_off(data):
            return None
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (OSError, cv2.error):
        return None


def _is_cut_off(data: bytes) -> bool:
    """Tell whether a JPEG lacks its end, which OpenCV would fill with gray without a word."""
    # Inside compressed data, 255 is followed by 0 or a restart marker: neither of these can occur there.
    return data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
