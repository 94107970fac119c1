"""Writes the folder format of `folder`: pictures with their masks first, the index last."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.folder import INDEX
from ivm_ros.grounding import Image, Mask

JPEG_QUALITY = 95


@dataclass(frozen=True)
class Answer:
    """An instruction about a picture that is being written.

    Attributes:
        instruction: in words.
        targets: which of the picture's masks it is about; empty where nothing matches.
        tag: what kind of question it is, or None.
    """

    instruction: str
    targets: tuple[int, ...]
    tag: str | None = None


def write_picture(
    folder: Path,
    name: str,
    image: Image,
    masks: Mapping[int, Mask],
    answers: Sequence[Answer],
    depth: npt.NDArray[np.uint16] | None = None,
    intrinsics: tuple[float, float, float, float] | None = None,
) -> list[dict[str, Any]]:
    """Write one picture with everything that belongs to it and return its entries for `write_index`.

    Args:
        folder: an existing folder.
        name: of the picture, without an extension.
        image: (H, W, 3) uint8 RGB.
        masks: number -> (H, W) bool with at least one pixel; those that answers use become
            `<name>_<number>.png`.
        answers: what is asked about the picture.
        depth: (H, W) uint16 millimetres.
        intrinsics: (fx, fy, cx, cy) pixels.

    Raises:
        OSError: a file could not be written.
    """
    extra: dict[str, Any] = {}
    _write(folder / f"{name}.jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if depth is not None:
        extra["depth"] = f"{name}_depth.png"
        _write(folder / extra["depth"], depth)
    if intrinsics is not None:
        extra["intrinsics"] = list(intrinsics)
    for number in sorted({target for answer in answers for target in answer.targets}):
        _write(folder / f"{name}_{number}.png", masks[number].astype(np.uint8) * 255)
    return [
        {
            "image": f"{name}.jpg",
            "instruction": answer.instruction,
            "masks": [f"{name}_{target}.png" for target in answer.targets],
            "boxes": [box_around(masks[target]) for target in answer.targets],
            **({} if answer.tag is None else {"tag": answer.tag}),
            **extra,
        }
        for answer in answers
    ]


def write_index(folder: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write `index.jsonl`, by rename; call it last, so that a folder with an index is complete."""
    lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    partial = (folder / INDEX).with_suffix(".partial")
    partial.write_text(lines, encoding="utf-8")
    os.replace(partial, folder / INDEX)


def box_around(mask: Mask) -> list[int]:
    """Return the half-open box [x_min, y_min, x_max, y_max] of a mask that has at least one pixel."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def _write(file: Path, picture: npt.NDArray[Any], options: Sequence[int] = ()) -> None:
    if not cv2.imwrite(str(file), picture, list(options)):
        raise OSError(f"could not write {file}")
