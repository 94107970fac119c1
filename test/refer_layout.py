"""Small copies of the datasets that lie in `refer_seg`, made by hand."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from coco_layout import file_name, instances, write_picture

from ivm_ros.datasets.refer import SETS


def sentences(first: int, *texts: str, **fields: Any) -> list[dict[str, Any]]:
    return [
        {"sent_id": first + i, "sent": text, "raw": text, "tokens": text.split(), **fields}
        for i, text in enumerate(texts)
    ]


def references(name: str) -> list[dict[str, Any]]:
    """Return what the expression file of a dataset of `SETS` has: three references of val, one of train."""
    layout = SETS[name]
    rows = [(0, 7, 1, "val"), (1, 7, 2, "val"), (2, 8, 3, "val"), (3, 8, 3, "train")]
    texts = [("the red cup", "Cup on the left."), ("the dog",), ("a chair",), ("the chair",)]
    number, found = 0, []
    for (ref, image, annotation, split), words in zip(rows, texts, strict=True):
        reference: dict[str, Any] = {
            "ref_id": ref,
            "image_id": image,
            "category_id": annotation,
            "split": split,
        }
        reference["ann_id"] = annotation
        reference["sentences"] = sentences(number, *words)
        number += len(words)
        if layout.several:
            reference["ann_id"] = {0: [1, 2], 1: list(layout.no_target)}.get(ref, [annotation])
        if layout.absent is not None:
            field, absent = layout.absent
            for position, sentence in enumerate(reference["sentences"]):
                sentence[field] = absent if position else not absent
        found.append(reference)
    return found


def write_refer(root: Path, name: str, as_json: bool = False) -> Path:
    """Write a dataset of `SETS` under `root`; return its folder."""
    layout = SETS[name]
    folder = root / "refer_seg" / layout.folder
    folder.mkdir(parents=True)
    folders = [name for name in layout.images if "*" not in name]
    names = (file_name(7), file_name(8, "val2014" if len(folders) > 1 else "train2014"))
    for place, picture in zip((folders * 2)[:2], names, strict=True):
        write_picture(root / "refer_seg" / place / picture)
    write_references(folder, layout.references, references(name), as_json)
    write_instances(folder, instances(names))
    return folder


def write_references(folder: Path, stem: str, content: Any, as_json: bool = False) -> None:
    if as_json:
        (folder / f"{stem}.json").write_text(json.dumps(content))
    else:
        (folder / f"{stem}.p").write_bytes(pickle.dumps(content, protocol=2))


def write_instances(folder: Path, content: Any) -> None:
    (folder / "instances.json").write_text(json.dumps(content))
