"""Small copies of PLVL's `mask_data`, made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from coco_layout import write_picture

from ivm_ros.datasets.plvl import SETS, SOURCES


def write_plvl(root: Path, name: str, items: Any, split: str = "val", legacy: bool = False) -> Path:
    """Write one split's file as training code saves it, and its pictures 7.jpg wherever they may lie."""
    dataset = name.removeprefix("plvl-")
    file = root / "mask_data" / dataset / f"{dataset}_{split}.pth"
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(items, file, _use_new_zipfile_serialization=not legacy)
    for folder in (SETS[name].images, *SOURCES.values()):
        write_picture(root / folder / "7.jpg")
    return file


def item(name: str, box: list[Any], phrase: Any = "the red cup", source: str = "coco") -> tuple[Any, ...]:
    if len(SETS[name].fields) == 3:
        return ("7.jpg", box, phrase)
    return ("7.jpg", source, box, phrase, [("r1", ["none"])])
