"""The folder format: pictures, instructions and answers that any tool can write and `ivm-ros eval` reads.

`index.jsonl` has one JSON object a line:

    {"image": "000001.jpg", "instruction": "the red cup", "masks": ["000001_1.png"],
     "boxes": [[x_min, y_min, x_max, y_max]]}

Paths are relative to the folder. Masks are single-channel 8-bit pictures of the image's size with values 0
and 255, one for each target; boxes are half-open and in pixels, one for each mask; both lists are empty where
nothing matches. Optional keys: "tag" (text, what kind of question it is), "intrinsics" ([fx, fy, cx, cy],
pixels) and "depth" (a 16-bit PNG of the image's size, millimetres along the optical axis, 0 where unknown).
Others are ignored. `folder_writer` writes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.records import JsonLines, Record
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.grounding import Box, Mask

INDEX = "index.jsonl"


class Folder(Dataset[Sample]):
    """A dataset in the folder format.

    Args:
        path: of the folder.
        skip_bad: see `Dataset`.

    Raises:
        FileNotFoundError: no index in the folder.
    """

    def __init__(self, path: Path, skip_bad: bool = False) -> None:
        super().__init__(skip_bad)
        self.path = Path(path)
        self.index = self.path / INDEX
        if not self.index.is_file():
            raise FileNotFoundError(f"expected the file {INDEX} in {self.path}; the folder format needs one")
        self.annotations = (self.index,)
        self._lines = JsonLines(self.index)

    def __len__(self) -> int:
        """Return the number of entries, good and bad."""
        return len(self._lines)

    def read(self, index: int) -> Sample:
        """Return the sample of entry `index`, from 0 on."""
        self.check_index(index)
        return _Entry(self._lines, index).sample()


class _Entry(Record):
    """One line of the index."""

    def sample(self) -> Sample:
        image = np.ascontiguousarray(self._picture("image", self.text("image"), cv2.IMREAD_COLOR)[..., ::-1])
        instruction = self.instruction("instruction", self.text("instruction"))
        names, corners = self.sequence("masks"), self.sequence("boxes")
        if len(names) != len(corners):
            problem = f"expected one box for each mask, got {len(corners)} boxes and {len(names)} masks"
            raise self.error("boxes", problem)
        size = image.shape[:2]
        return Sample(
            image=image,
            instruction=instruction,
            annotated=tuple(self._mask(i, name, size) for i, name in enumerate(names)),
            boxes=tuple(self._box(i, box, size) for i, box in enumerate(corners)),
            tag=self.text("tag") if "tag" in self.fields else None,
            intrinsics=self._intrinsics(),
            depth=self._depth(size),
        )

    def _picture(self, field: str, name: Any, flags: int) -> npt.NDArray[Any]:
        return self.picture(field, name, [self.file.parent], flags)

    def _mask(self, position: int, name: Any, size: tuple[int, int]) -> Mask:
        field = f"masks[{position}]"
        mask = self._picture(field, name, cv2.IMREAD_UNCHANGED)
        if mask.ndim != 2 or mask.dtype != np.uint8:
            raise self.error(field, f"expected one 8-bit channel, got shape {mask.shape} of {mask.dtype}")
        self.check_size(field, mask, size)
        if not np.isin(mask, (0, 255)).all():
            raise self.error(field, f"expected values 0 and 255 alone, got {np.unique(mask)[:8].tolist()}")
        if not mask.any():
            raise self.error(field, "expected a target, got a mask without a pixel; leave absent targets out")
        return np.asarray(mask > 0)

    def _box(self, position: int, box: Any, size: tuple[int, int]) -> Box:
        field = f"boxes[{position}]"
        x_min, y_min, x_max, y_max = self.numbers(field, box)
        height, width = size
        if not (0 <= x_min < x_max <= width and 0 <= y_min < y_max <= height):
            order = f"0 <= x_min < x_max <= {width} and 0 <= y_min < y_max <= {height}"
            raise self.error(field, f"expected {order}, got {box}")
        return (x_min, y_min, x_max, y_max)

    def _intrinsics(self) -> tuple[float, float, float, float] | None:
        if "intrinsics" not in self.fields:
            return None
        return self.numbers("intrinsics", self.fields["intrinsics"])

    def _depth(self, size: tuple[int, int]) -> npt.NDArray[np.uint16] | None:
        if "depth" not in self.fields:
            return None
        depth = self._picture("depth", self.fields["depth"], cv2.IMREAD_UNCHANGED)
        if depth.ndim != 2 or depth.dtype != np.uint16:
            raise self.error(
                "depth", f"expected one 16-bit channel, got shape {depth.shape} of {depth.dtype}"
            )
        self.check_size("depth", depth, size)
        return depth
