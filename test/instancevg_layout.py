"""Small copies of InstanceVG's annotation files, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coco_layout import (
    CHAIR,
    CHAIR_BOX,
    CUP,
    CUP_BOX,
    DOG,
    DOG_BOX,
    HEIGHT,
    SIZE,
    WIDTH,
    file_name,
    write_picture,
)

from ivm_ros.datasets.instancevg import SETS

SPLITS = {"instancevg-mixed": "val_refcoco_unc", "instancevg-rrefcoco": "val_rrefcoco"}
CUP_AND_DOG = [{"bbox": CUP_BOX, "segmentation": CUP}, {"bbox": DOG_BOX, "segmentation": DOG}]
NOTHING = [{"bbox": None, "segmentation": None}]


def compressed_chair() -> dict[str, Any]:
    from pycocotools import mask

    rle = mask.frPyObjects(CHAIR, HEIGHT, WIDTH)
    return {"size": list(SIZE), "counts": rle["counts"].decode()}


def entry(image: int, **fields: Any) -> dict[str, Any]:
    return {"image_id": image, "width": WIDTH, "height": HEIGHT, **fields}


def entries(name: str) -> list[Any]:
    """Return a split with four expressions: cup (and dog), the same in other words, nothing or dog, chair."""
    if name == "instancevg-mixed":
        return [
            entry(7, bbox=CUP_BOX, mask=CUP, expressions=["the red cup", "left cup"]),
            entry(7, bbox=DOG_BOX, mask=DOG, expressions=["the dog"]),
            entry(8, bbox=CHAIR_BOX, mask=compressed_chair(), expressions=["a chair"]),
        ]
    chair = [{"bbox": CHAIR_BOX, "segmentation": [[1, 5, 4, 5, 4, 15, 1, 15]]}]
    found = [
        entry(7, expressions={"raw": ["the red cup", "left cup"]}, annotations=CUP_AND_DOG),
        entry(7, expressions={"raw": "the dog"}, annotations=NOTHING),
        entry(8, expressions={"raw": "a chair"}, annotations=chair),
    ]
    if SETS[name].named:
        for position, one in enumerate(found):
            one["file_name"] = file_name(one["image_id"], "val2014" if position == 2 else "train2014")
    return [[one] for one in found] if SETS[name].alternatives else list(found)


def write_instancevg(root: Path, name: str, found: list[Any] | None = None) -> Path:
    """Write a dataset of `SETS` under `root`; return the annotation file."""
    layout, split = SETS[name], SPLITS.get(name, "val")
    file = root / "annotations" / layout.files[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    found = entries(name) if found is None else found
    file.write_text(json.dumps({split: found, "train": entries(name)[:1]}))
    if layout.groups:
        (root / "annotations" / layout.groups).write_text(json.dumps({split: [[0, 2], [2, len(found)]]}))
    for image in (7, 8):
        for part in ("train2014", "val2014"):
            write_picture(root / layout.images[0] / file_name(image, part))
    return file
