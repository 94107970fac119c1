"""What is there to label: frames on disk, and a question about a frame with the model's proposal."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

STATE = "labelling"
"""Folder of a session's state, beside the pictures."""

PARTS = ("train", "validation")
"""Folders in the folder format, where a session has two."""


ACCEPTED, REJECTED, SKIPPED = "accepted", "rejected", "skipped"
UNDO = "undo"
DECISIONS = (ACCEPTED, REJECTED, SKIPPED)
"""The mask is right; nothing in the picture matches; not to be used."""


_ANSWER = re.compile(rf"{STATE}/answers/\d+_\d+\.png")


@dataclass(frozen=True)
class Item:
    """One question about one frame.

    Attributes:
        number: of the item, from 0 on.
        frame: name of the frame's picture without its suffix, such as "000012".
        part: folder that it belongs to, relative to the session's; "." or of `PARTS`.
        position: of the frame, seconds.
        instruction: in words.
        existence: as the model says, in [0, 1].
        found: whether the model proposes a target.
    """

    number: int
    frame: str
    part: str
    position: float
    instruction: str
    existence: float
    found: bool

    @property
    def picture(self) -> str:
        """Path of the picture, relative to the session's folder."""
        return f"{self.part}/{self.frame}.jpg"

    @property
    def proposal(self) -> str:
        """Path of the proposed label map, relative to the session's folder."""
        return f"{STATE}/proposals/{self.number:06d}.png"

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `read_item` reads them."""
        return asdict(self)


def read_item(values: Mapping[str, Any], number: int) -> Item:
    """Return the item of a line; raise `ValueError` unless it is one, of this number, inside the folder."""
    kinds = {"number": int, "frame": str, "part": str, "position": float, "instruction": str}
    kinds |= {"existence": float, "found": bool}
    fits = values.keys() == kinds.keys() and all(
        type(values[name]) is kind or (kind is float and type(values[name]) is int)
        for name, kind in kinds.items()
    )
    inside = fits and values["part"] in (".", *PARTS) and values["frame"].isalnum()
    if not inside or values["number"] != number:
        raise ValueError(f"expected item {number} of a session, got {json.dumps(values)[:200]}")
    return Item(**values)


def read_decision(values: Mapping[str, Any], items: int) -> tuple[int, Decision | None]:
    """Return item and decision of a line, None for one taken back; raise `ValueError` where it is none."""
    number, decision, labels = (values.get(name) for name in ("item", "decision", "labels"))
    if type(number) is int and 0 <= number < items:
        if decision == UNDO:
            return number, None
        right = (
            isinstance(labels, str) and _ANSWER.fullmatch(labels) if decision == ACCEPTED else labels is None
        )
        if decision in DECISIONS and right and isinstance(values.get("instruction"), str):
            return number, Decision(str(decision), values["instruction"], labels)
    raise ValueError(f"expected a decision about one of {items} items, got {json.dumps(values)[:200]}")


@dataclass(frozen=True)
class Decision:
    """What a person said about an item.

    Attributes:
        decision: of `DECISIONS`.
        instruction: the words, perhaps changed.
        labels: path of the label map, relative to the session's folder; None but for what was accepted.
    """

    decision: str
    instruction: str
    labels: str | None


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file by rename, so that an interruption leaves the one before, and wait for the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


class Lines:
    """A file of JSON lines that only grows; a last line that was cut off is dropped when it is opened.

    Args:
        path: of the file; made if missing.

    Raises:
        ValueError: a line before the last is no JSON object.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.values: list[dict[str, Any]] = []
        whole = 0
        data = path.read_bytes() if path.exists() else b""
        for number, line in enumerate(data.splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                break
            try:
                value = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}:{number}: expected a JSON object: {error}") from error
            if not isinstance(value, dict):
                raise ValueError(f"{path}:{number}: expected a JSON object, got {type(value).__name__}")
            self.values.append(value)
            whole += len(line)
        self._file = path.open("ab")
        self._file.truncate(whole)

    def add(self, *values: Mapping[str, Any]) -> None:
        """Append lines, and wait until the disk has them."""
        for value in values:
            self._file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
            self.values.append(dict(value))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
