"""Writes clips in the format of `ivm_ros.clip`: video, truth and description."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.clip import DESCRIPTION, TRUTH, VIDEO
from ivm_ros.grounding import Image

Instances = npt.NDArray[np.uint8]


def write_clip(
    folder: Path,
    views: Iterable[tuple[Image, Instances]],
    size: tuple[int, int],
    fps: float,
    fovy: float,
    objects: Mapping[int, str],
    instructions: Mapping[str, tuple[int, ...]],
) -> None:
    """Write a clip.

    Args:
        folder: made if it is not there.
        views: (H, W, 3) uint8 RGB and (H, W) uint8 instances of every frame, 0 for the background.
        size: (width, height) of the frames.
        fps: frames per second.
        fovy: vertical field of view of the camera at the start, degrees.
        objects: instance -> what it is.
        instructions: text -> instances that it is about.

    Raises:
        OSError: OpenCV cannot write the video.
    """
    folder.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(folder / VIDEO), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    if not video.isOpened():
        raise OSError(f"OpenCV cannot write {folder / VIDEO}")
    truth = []
    for image, instances in views:
        video.write(image[..., ::-1])
        truth.append(instances)
    video.release()
    np.savez_compressed(folder / TRUTH, instances=np.stack(truth))
    focal = size[1] / 2 / math.tan(math.radians(fovy) / 2)
    description = {
        "fps": fps,
        "intrinsics": {"fx": focal, "fy": focal, "cx": size[0] / 2, "cy": size[1] / 2},
        "objects": {str(number): name for number, name in objects.items()},
        "instructions": {text: list(found) for text, found in instructions.items()},
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n")
