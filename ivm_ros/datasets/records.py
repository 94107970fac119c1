"""Records of datasets and the fields in them; every complaint names file, record and field."""

from __future__ import annotations

import json
import os.path
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import InvalidInstructionError, check_instruction


class RecordError(ValueError):
    """A record that does not follow its format; says which file, record and field, and what was expected.

    Attributes:
        record: the number of its line, or what else names it in its file, such as "ref_id 12".
        field: the field at fault.
    """

    def __init__(self, file: Path, record: int | str, field: str, problem: str) -> None:
        place = f"{file}:{record}" if isinstance(record, int) else f"{file}: {record}"
        super().__init__(f'{place}: field "{field}": {problem}')
        self.record = record
        self.field = field
        self._parts = (file, record, field, problem)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it travel between processes."""
        return type(self), self._parts


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


class Fields:
    """The fields of one record; its methods return a field's value or raise `RecordError`.

    Args:
        file: that the record is in.
        record: the number of its line, or what else names it.
        fields: of the record.
    """

    def __init__(self, file: Path, record: int | str, fields: Any) -> None:
        self.file = file
        self.record = record
        if not isinstance(fields, dict):
            raise self.error("(record)", f"expected fields by name, got {shown(fields)}")
        self.fields: dict[str, Any] = fields

    def error(self, field: str, problem: str) -> RecordError:
        """Return the error that complains about a field."""
        return RecordError(self.file, self.record, field, problem)

    def value(self, field: str) -> Any:
        """Return a field that must be there."""
        if field not in self.fields:
            raise self.error(field, "expected this field, but it is missing")
        return self.fields[field]

    def text(self, field: str) -> str:
        """Return a field that must be text."""
        value = self.value(field)
        if not isinstance(value, str):
            raise self.error(field, f"expected text, got {shown(value)}")
        return value

    def integer(self, field: str) -> int:
        """Return a field that must be a whole number."""
        value = self.value(field)
        if type(value) is not int:
            raise self.error(field, f"expected a whole number, got {shown(value)}")
        return value

    def identifier(self, field: str) -> int | str:
        """Return a field that must be an id: a whole number, or text that is not empty."""
        value = self.value(field)
        if not is_id(value):
            raise self.error(field, f"expected an id, a whole number or text, got {shown(value)}")
        return value

    def instruction(self, field: str, text: Any) -> str:
        """Return text that must be usable as an instruction."""
        try:
            return check_instruction(text)
        except InvalidInstructionError as error:
            raise self.error(field, str(error)) from error

    def numbers(self, field: str, values: Any) -> tuple[float, float, float, float]:
        """Return what must be four finite numbers."""
        given = values if isinstance(values, (list, tuple)) else []
        numbers = [float(value) for value in given if is_finite(value)]
        if len(numbers) != 4 or len(given) != 4:
            raise self.error(field, f"expected four finite numbers, got {shown(values)}")
        return (numbers[0], numbers[1], numbers[2], numbers[3])

    def sequence(self, field: str) -> list[Any]:
        """Return a field that must be a list."""
        value = self.value(field)
        if not isinstance(value, list):
            raise self.error(field, f"expected a list, got {shown(value)}")
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

    def check_size(
        self, field: str, picture: npt.NDArray[Any], size: tuple[int, ...], whose: str = "image's"
    ) -> None:
        """Complain unless a picture has the (height, width) of the image that it belongs to."""
        if picture.shape[:2] != size[:2]:
            (height, width), (want_height, want_width) = picture.shape[:2], size[:2]
            problem = f"expected the {whose} size {want_width}x{want_height}, got {width}x{height}"
            raise self.error(field, problem)


class Record(Fields):
    """One record of a file of JSON lines.

    Args:
        lines: the file.
        index: of the record.
    """

    def __init__(self, lines: JsonLines, index: int) -> None:
        number, text = lines.read(index)
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            problem = f"expected a JSON object, got text that is not JSON: {error}"
            raise RecordError(lines.file, number, "(line)", problem) from error
        if not isinstance(fields, dict):
            problem = f"expected a JSON object, got {type(fields).__name__}"
            raise RecordError(lines.file, number, "(line)", problem)
        super().__init__(lines.file, number, fields)


def read_json(file: Path, encodings: Sequence[str] = ("utf-8-sig",)) -> Any:
    """Read a file of JSON.

    Args:
        file: to read.
        encodings: of its text, tried in turn.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON.
    """
    data = file.read_bytes()
    for encoding in encodings:
        try:
            return json.loads(data.decode(encoding))
        except UnicodeDecodeError:
            continue
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file}: expected JSON, got text that is not: {error}") from error
    raise ValueError(f"{file}: expected text in {' or '.join(encodings)}, got other bytes")


def is_finite(value: Any) -> bool:
    """Tell whether a value is a number, of a size that pixels can have; true and false are none."""
    return type(value) in (int, float) and abs(value) < 1e9


def is_id(value: Any) -> TypeGuard[int | str]:
    """Tell whether a value can be an id: a whole number, or text that is not empty."""
    return type(value) is int or (type(value) is str and value != "")


def shown(value: Any) -> str:
    """Return a value as a message shows it: not all of a long one."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


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
