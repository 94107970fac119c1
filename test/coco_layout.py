"""Small copies of datasets on COCO's pictures: two pictures, three annotated things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 40, 30
SIZE = (HEIGHT, WIDTH)
CUP = [[4.0, 5.0, 12.0, 5.0, 12.0, 15.0, 4.0, 15.0]]
DOG = [[20.0, 10.0, 34.0, 10.0, 34.0, 24.0, 20.0, 24.0], [1.0, 20.0, 5.0, 20.0, 5.0, 26.0]]
CHAIR = {"size": [HEIGHT, WIDTH], "counts": [35, 10, 20, 10, 20, 10, HEIGHT * WIDTH - 105]}
CUP_BOX, DOG_BOX, CHAIR_BOX = [4.0, 5.0, 8.0, 10.0], [1.0, 10.0, 33.0, 16.0], [1.0, 5.0, 3.0, 10.0]


def file_name(image: int, part: str = "train2014") -> str:
    return f"COCO_{part}_{image:012d}.jpg"


def write_picture(file: Path, size: tuple[int, int] = SIZE) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), np.full((*size, 3), (20, 30, 200), np.uint8))  # red, in BGR


def instances(names: tuple[str, str] = (file_name(7), file_name(8))) -> dict[str, Any]:
    """Return the content of instances.json: a cup (1) and a dog (2) on picture 7, a chair (3) on 8."""
    images = [
        {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
        for number, name in zip((7, 8), names, strict=True)
    ]
    things = [(1, 7, CUP_BOX, CUP), (2, 7, DOG_BOX, DOG), (3, 8, CHAIR_BOX, CHAIR)]
    annotations = [
        {"id": number, "image_id": image, "category_id": number, "bbox": box, "segmentation": segmentation}
        for number, image, box, segmentation in things
    ]
    categories = [{"id": number, "name": name} for number, name in ((1, "cup"), (2, "dog"), (3, "chair"))]
    return {"images": images, "annotations": annotations, "categories": categories}
