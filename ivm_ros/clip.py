"""The recorded clip that ships with the package: frames, camera, instructions and their true masks.

It needs numpy and OpenCV alone, so the demo runs without a simulator, a camera or a network. The folder has
`clip.mp4`; `truth.npz` with `instances`, (frames, H, W) uint8, 0 for the background; and `clip.json` with
frames per second, intrinsics, the names of the instances, and instructions with the instances they are about.
`ivm_ros.datasets.tabletop.record_clip` makes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Image, Mask

CLIP_FOLDER = Path(__file__).parent / "assets" / "clip"
VIDEO, TRUTH, DESCRIPTION = "clip.mp4", "truth.npz", "clip.json"


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera without distortion, in pixels."""

    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True, eq=False)
class Clip:
    """A recorded clip.

    Attributes:
        video: the file.
        fps: frames per second.
        intrinsics: of the camera.
        objects: instance -> what it is, such as "red cup".
        instructions: text -> instances that it is about; empty where nothing matches.
        instances: (frames, H, W) uint8, 0 for the background.
    """

    video: Path
    fps: float
    intrinsics: Intrinsics
    objects: Mapping[int, str]
    instructions: Mapping[str, tuple[int, ...]]
    instances: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.instances)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames in pixels."""
        return (self.instances.shape[1], self.instances.shape[2])

    @property
    def default_instruction(self) -> str:
        """The first instruction, whose target is well visible in every frame."""
        return next(iter(self.instructions))

    def frames(self) -> Iterator[Image]:
        """Yield every frame as (H, W, 3) uint8 RGB.

        Raises:
            OSError: OpenCV cannot read the video, or reads another number of frames than there are truths.
        """
        capture = cv2.VideoCapture(str(self.video))
        count = 0
        try:
            while True:
                more, frame = capture.read()
                if not more:
                    break
                count += 1
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        finally:
            capture.release()
        if count != len(self):
            raise OSError(f"expected {len(self)} frames in {self.video}, OpenCV reads {count}")

    def truth(self, frame: int, instruction: str) -> Mask:
        """Return the (H, W) bool mask of what an instruction is about; all False where nothing matches.

        Raises:
            KeyError: the clip has no truth for this instruction.
            IndexError: no such frame.
        """
        if instruction not in self.instructions:
            known = ", ".join(repr(text) for text in self.instructions)
            raise KeyError(f"expected one of the clip's instructions ({known}), got {instruction!r}")
        if not 0 <= frame < len(self):
            raise IndexError(f"expected a frame from 0 to {len(self) - 1}, got {frame}")
        return np.isin(self.instances[frame], self.instructions[instruction])


def load_clip(folder: Path = CLIP_FOLDER) -> Clip:
    """Load the clip that ships with the package, or another of the same format.

    Raises:
        OSError: a file is missing.
    """
    description = json.loads((folder / DESCRIPTION).read_text())
    with np.load(folder / TRUTH, allow_pickle=False) as truth:
        instances = truth["instances"]
    return Clip(
        video=folder / VIDEO,
        fps=float(description["fps"]),
        intrinsics=Intrinsics(**description["intrinsics"]),
        objects={int(number): name for number, name in description["objects"].items()},
        instructions={text: tuple(found) for text, found in description["instructions"].items()},
        instances=instances,
    )
