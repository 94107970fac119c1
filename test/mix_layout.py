"""A small copy of IVM-Mix-1M's layout, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ivm_ros.datasets.ivm_mix import PARTS

SIZE = (24, 32)
RED = (200, 30, 20)
WORDS = ["the red cup", "pick up the cup", "where do I drink from?"]
META = "HumanLabelData/meta.jsonl"


def write_picture(file: Path, color: tuple[int, int, int], size: tuple[int, int] = SIZE) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), np.full((*size, 3), color[::-1], np.uint8))


def write_mask(file: Path, gray: int = 255) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(SIZE, np.uint8)
    mask[8:16, 8:24] = gray
    assert cv2.imwrite(str(file), mask)


def write_meta(file: Path, records: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def write_mix(root: Path) -> None:
    """Write the parts as if unzipped into `root`: people's labels of two images, machines' of two and one."""
    human, robot, vqa = (root / name for name in PARTS)
    write_picture(human / "images/img_h0.jpg", RED)
    write_picture(human / "images/kitchen/1.jpg", (20, 30, 200))
    for uuid in ("h0", "h1"):
        write_mask(human / f"masks/mask_{uuid}.jpg")
    records = [{"uuid": "h0", "instruction": WORDS}]
    records.append({"uuid": "h1", "instruction": ["the blue bowl"], "image": "kitchen/1.jpg", "extra": 3})
    write_meta(root / META, records)
    for uuid in ("r0", "r1"):
        write_picture(robot / f"img_{uuid}.jpg", (90, 90, 90))
        write_mask(robot / f"mask_{uuid}.jpg", 100)
    write_meta(robot / "robot.json", [{"uuid": uuid, "instruction": ["grasp it"]} for uuid in ("r0", "r1")])
    write_picture(root / "images/vg/VG_100K_2/7.jpg", (1, 2, 3))
    write_mask(vqa / "labels/mask_v0.jpg")
    write_meta(vqa / "labels/vqa.jsonl", [{"uuid": "v0", "instruction": ["is it a cat?"], "image": "7.jpg"}])
