"""A small copy of ReasonSeg, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coco_layout import write_picture

SQUARE = [[4, 5], [13.7, 5], [13, 14], [4, 14]]
INSIDE = [[6, 7], [8, 7], [8, 9], [6, 9]]


def shape(label: str, points: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": "polygon"}


def annotation(**changes: Any) -> dict[str, Any]:
    shapes = [shape("ignore this", INSIDE), shape("target", SQUARE), shape("flag", [[0, 0], [3, 0], [3, 3]])]
    return {"shapes": shapes, "text": ["what holds the drink?", "the cup"], "is_sentence": True, **changes}


def write_reasonseg(root: Path, split: str = "val", **annotations: dict[str, Any]) -> Path:
    """Write a split of pictures by name; return its folder."""
    folder = root / "reason_seg/ReasonSeg" / split
    for name, content in (annotations or {"3": annotation()}).items():
        write_picture(folder / f"{name}.jpg")
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder
