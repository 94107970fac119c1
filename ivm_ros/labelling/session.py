"""A labelling session: decisions about items, each on disk before the next, as a dataset at any time.

Everything is in one folder. `labelling/` has the session: `items.jsonl`, `decisions.jsonl`, proposals and
answers as label maps. Pictures, masks and `index.jsonl` beside it are the folder format, made anew of the
decisions; skipped and open items are not in it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from ivm_ros.datasets.folder import INDEX
from ivm_ros.datasets.folder_writer import box_around
from ivm_ros.grounding import Grounding, Image, check_instruction
from ivm_ros.labelling.items import (
    ACCEPTED,
    DECISIONS,
    SKIPPED,
    STATE,
    UNDO,
    Decision,
    Item,
    Lines,
    read_decision,
    read_item,
    write_bytes,
)
from ivm_ros.labelling.maps import LabelError, LabelMap, decode, encode, masks_of

Ask = Callable[[Image, str], Grounding]


class BusyError(OSError):
    """Another process has the session."""


class Session:
    """The items of a folder and what was decided about them; for any thread.

    Args:
        folder: of the session, made if missing.

    Raises:
        BusyError: another process has it.
        ValueError: a file of it is damaged; says where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        state = folder / STATE
        state.mkdir(parents=True, exist_ok=True)
        self._lock_file = (state / "lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock_file.close()
            raise BusyError(f"expected {folder} for itself, but another ivm-ros label works in it") from error
        self.lock = RLock()
        self._item_lines = Lines(state / "items.jsonl")
        self._log = Lines(state / "decisions.jsonl")
        self.items = [read_item(values, n) for n, values in enumerate(self._item_lines.values)]
        self._stacks: dict[int, list[Decision]] = {}
        self._order: list[int] = []
        self._boxes: dict[str, dict[int, list[int]]] = {}
        for line in self._log.values:
            self._apply(line)
        if self._log.values:  # it may have been interrupted between the log and the masks
            self._settle(self._log.values[-1]["item"])

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the folder back."""
        self._item_lines.close()
        self._log.close()
        self._lock_file.close()

    def add_items(self, image: Image, items: list[tuple[Item, LabelMap]]) -> None:
        """Add a frame's items with their proposals; the picture is written unless it is there.

        Args:
            image: (H, W, 3) uint8 RGB.
            items: of this frame, numbered on.
        """
        with self.lock:
            picture = self.folder / items[0][0].picture
            if not picture.exists():
                good, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
                if not good:
                    raise LabelError(f"expected a picture that OpenCV can encode, got shape {image.shape}")
                write_bytes(picture, data.tobytes())
            for item, labels in items:
                write_bytes(self.folder / item.proposal, encode(labels))
            self._item_lines.add(*(item.to_json() for item, _ in items))
            self.items += [item for item, _ in items]

    def item(self, number: int) -> Item:
        """Return an item; raise `LabelError` where there is none of this number."""
        if not 0 <= number < len(self.items):
            raise LabelError(f"expected an item from 0 to {len(self.items) - 1}, got {number}")
        return self.items[number]

    def image(self, number: int) -> Image:
        """Return the (H, W, 3) uint8 RGB picture of an item."""
        path = self.folder / self.item(number).picture
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise OSError(f"expected the session's picture {path}, it is missing or damaged")
        return np.ascontiguousarray(picture[..., ::-1])

    def decision(self, number: int) -> Decision | None:
        """Return what was decided about an item, or None."""
        stack = self._stacks.get(number)
        return stack[-1] if stack else None

    def labels(self, number: int) -> bytes:
        """Return the PNG of an item's label map: the one decided, else the proposal."""
        item, decided = self.item(number), self.decision(number)
        path = item.proposal if decided is None or decided.labels is None else decided.labels
        return (self.folder / path).read_bytes()

    def decide(self, number: int, decision: str, instruction: str, png: bytes | None = None) -> None:
        """Take a decision down; it is on disk when this returns.

        Args:
            number: of the item.
            decision: of `DECISIONS`.
            instruction: the words.
            png: the label map of what is accepted; None for the one that `labels` gives.

        Raises:
            LabelError, InvalidInstructionError: what was sent cannot be; nothing has changed.
        """
        if decision not in DECISIONS:
            raise LabelError(f"expected a decision of {', '.join(DECISIONS)}; got {decision!r}")
        words = check_instruction(instruction)
        with self.lock:
            path = None
            if decision == ACCEPTED:
                data = self.labels(number) if png is None else png
                labels = decode(data, self.image(number).shape[:2])
                if not labels.any():
                    raise LabelError("expected a mask with a target; reject the words where nothing matches")
                path = f"{STATE}/answers/{number:06d}_{len(self._log.values):06d}.png"
                write_bytes(self.folder / path, encode(labels))
            self.item(number)
            line = {"item": number, "decision": decision, "instruction": words, "labels": path}
            self._log.add(line)
            self._apply(line)
            self._settle(number)

    def undo(self) -> int | None:
        """Take the last decision back, as often as there are any; return its item, or None."""
        with self.lock:
            if not self._order:
                return None
            number = self._order[-1]
            line = {"item": number, "decision": UNDO}
            self._log.add(line)
            self._apply(line)
            self._settle(number)
            return number

    def counts(self) -> dict[str, int]:
        """Return how many items there are of each decision, and of none ("open")."""
        counts = dict.fromkeys((*DECISIONS, "open"), 0)
        for item in self.items:
            decided = self.decision(item.number)
            counts["open" if decided is None else decided.decision] += 1
        return counts

    def _apply(self, line: Mapping[str, Any]) -> None:
        number, decided = read_decision(line, len(self.items))
        if decided is not None:
            self._order.append(number)
            self._stacks.setdefault(number, []).append(decided)
        elif self._order and self._order[-1] == number:
            self._order.pop()
            self._stacks[number].pop()
        else:
            raise ValueError(f"expected the last decision to be taken back, got item {number}")

    def _settle(self, number: int) -> None:
        """Write an item's masks in the folder format, then the index, then drop masks that are not in it."""
        item, decided = self.items[number], self.decision(number)
        part, kept = self.folder / item.part, set[str]()
        if decided is not None and decided.labels is not None:
            for target, mask in masks_of(self._read(decided.labels)).items():
                kept.add(self._mask_name(item, decided, target))
                write_bytes(
                    part / self._mask_name(item, decided, target), encode(mask.astype(np.uint8) * 255)
                )
        self._write_indexes()
        for path in part.glob(f"{item.frame}_{number:06d}_*.png"):
            if path.name not in kept:
                path.unlink()

    def _read(self, labels: str) -> LabelMap:
        picture = cv2.imread(str(self.folder / labels), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise OSError(f"expected the session's {self.folder / labels}, it is missing or damaged")
        return np.asarray(picture, np.uint8)

    @staticmethod
    def _mask_name(item: Item, decided: Decision, target: int) -> str:
        return f"{item.frame}_{Path(str(decided.labels)).stem}_{target}.png"

    def _write_indexes(self) -> None:
        """Write the index of each part, by rename; a part without items has none."""
        entries: dict[str, list[str]] = {item.part: [] for item in self.items}
        for item in self.items:
            decided = self.decision(item.number)
            if decided is not None and decided.decision != SKIPPED:
                entries[item.part].append(self._entry(item, decided))
        for part, lines in entries.items():
            path = self.folder / part / INDEX
            data = "".join(lines).encode()
            if not path.exists() or path.read_bytes() != data:
                write_bytes(path, data)

    def _entry(self, item: Item, decided: Decision) -> str:
        masks = {} if decided.labels is None else self._masks(decided.labels)
        entry = {
            "image": f"{item.frame}.jpg",
            "instruction": decided.instruction,
            "masks": [self._mask_name(item, decided, target) for target in masks],
            "boxes": list(masks.values()),
            "position": round(item.position, 3),
        }
        return json.dumps(entry, ensure_ascii=False) + "\n"

    def _masks(self, labels: str) -> dict[int, list[int]]:
        """Return target -> box of a label map; those of files that were read are remembered."""
        if labels not in self._boxes:
            self._boxes[labels] = {n: box_around(m) for n, m in masks_of(self._read(labels)).items()}
        return self._boxes[labels]
