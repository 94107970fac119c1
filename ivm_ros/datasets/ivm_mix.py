"""IVM-Mix-1M: instructions about pictures, and heatmaps of what they are about; spec section 8.1.

A source is a meta file of JSON lines, folders of images and folders of masks:

    {"uuid": "1a2b", "instruction": ["where is the cup?", "the cup"], "image": "000001.jpg"}

`image` is optional and relative to an image root (default `img_{uuid}.jpg`); the mask is `mask_{uuid}.jpg`
under a mask root. Other fields are ignored. People made the labels of one source, machines those of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.records import JsonLines, Record
from ivm_ros.datasets.samples import Dataset
from ivm_ros.grounding import Heatmap, Image

PARTS = {"HumanLabelData": True, "RobotMachineData": False, "VQAMachineData": False}
"""The published parts, each a zip of this name; whether people made the labels."""

IMAGE_FOLDERS = (
    "coco/train2017",
    "coco/train2014",
    "gqa/images",
    "textvqa/train_images",
    "vg/VG_100K",
    "vg/VG_100K_2",
    "flickr30k/images",
    "vsr",
    "openimages",
)
"""Where the images of VQAMachineData lie, whose zip has none, in a folder of all of them."""

# As trained: what a camera noted about its orientation is not looked at, for images as for masks.
_COLOR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_MASK_GAIN = 1.5


@dataclass(frozen=True)
class Source:
    """Where one part of the data lies.

    Attributes:
        meta: file of JSON lines.
        images: folders; the first that has a record's image counts.
        masks: folders; the first that has a record's mask counts.
        human: people made the labels, else machines.
    """

    meta: Path
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    human: bool


@dataclass(frozen=True, eq=False)
class MixSample:
    """One instruction about one picture, and what it is about.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        instruction: in words, not empty.
        heatmap: (H, W) float32 in [0, 1], soft; not black everywhere.
        human: a person made the label, else a machine.
        uuid: of the record.
    """

    image: Image
    instruction: str
    heatmap: Heatmap
    human: bool
    uuid: str


class IvmMix(Dataset[MixSample]):
    """Sources in the layout of IVM-Mix-1M.

    Args:
        sources: at least one.
        skip_bad: see `Dataset`.

    Raises:
        ValueError: no source.
        FileNotFoundError: a meta file does not exist.
    """

    def __init__(self, sources: Sequence[Source], skip_bad: bool = False) -> None:
        if not sources:
            raise ValueError("expected at least one source of IVM-Mix-1M, got none")
        super().__init__(skip_bad)
        self.sources = tuple(sources)
        self.annotations = tuple(source.meta for source in self.sources)
        self._lines = [JsonLines(source.meta) for source in self.sources]
        self._ends = np.cumsum([len(lines) for lines in self._lines])

    def __len__(self) -> int:
        """Return the number of records, good and bad."""
        return int(self._ends[-1])

    def read(self, index: int) -> MixSample:
        """Return record `index`, from 0 on, always with the same one of its instructions."""
        return self.item(index, Random(index))

    def item(self, index: int, random: Random) -> MixSample:
        """Read record `index`.

        Args:
            index: from 0 to `len`.
            random: picks one of the record's instructions.

        Raises:
            RecordError: the record is unusable; says why.
            IndexError: there is no such record.
        """
        self.check_index(index)
        which = int(np.searchsorted(self._ends, index, side="right"))
        lines = self._lines[which]
        record = _MixRecord(lines, index - int(self._ends[which]) + len(lines))
        return record.sample(self.sources[which], random)


class _MixRecord(Record):
    """One line of a meta file."""

    def sample(self, source: Source, random: Random) -> MixSample:
        uuid = self.text("uuid")
        instruction = random.choice(self._instructions())
        named = self.fields.get("image") is not None
        name = self.text("image") if named else f"img_{uuid}.jpg"
        image = self.picture("image", name, source.images, _COLOR)
        mask = self.picture("mask", f"mask_{uuid}.jpg", source.masks, _COLOR)
        self.check_size("mask", mask, image.shape)
        try:
            heatmap = decode_mask(mask).astype(np.float32)
        except ValueError as error:
            raise self.error("mask", str(error)) from error
        return MixSample(np.ascontiguousarray(image[..., ::-1]), instruction, heatmap, source.human, uuid)

    def _instructions(self) -> list[str]:
        given = self.sequence("instruction")
        if not given:
            raise self.error("instruction", "expected at least one instruction, got an empty list")
        return [self.instruction(f"instruction[{position}]", text) for position, text in enumerate(given)]


def decode_mask(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the heatmap that a mask file stands for, as IVM was trained on it.

    Gray, by the weights of RGB although the channels are BGR, times 1.5, saturated, is stretched to [0, 1].

    Args:
        mask: (H, W, 3) uint8 BGR, as OpenCV reads it.

    Returns:
        (H, W) float64 in [0, 1]; 1 everywhere for a mask of one value.

    Raises:
        ValueError: the gray value is 0 everywhere, which cannot be stretched.
    """
    gray = cv2.convertScaleAbs(cv2.cvtColor(mask, cv2.COLOR_RGB2GRAY), alpha=_MASK_GAIN)
    low, high = int(gray.min()), int(gray.max())
    if high == 0:
        raise ValueError("expected a mask that is not black everywhere, got a black one")
    if low == high:
        low = 0
    return np.asarray((gray.astype(np.float64) - low) / (high - low))


def box_mask(box: Sequence[float], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return the mask of a box that was given on the image padded to a square, equally on both sides.

    Args:
        box: (x_min, y_min, x_max, y_max) as shares of the square's side.
        size: (width, height) of the image.

    Returns:
        (height, width) float32: 1 in the box, cut to whole pixels, else 0.
    """
    width, height = size
    side = max(size)
    pad_x, pad_y = (side - width) // 2, (side - height) // 2
    x_min, x_max = (int(max(x * side - pad_x, 0)) for x in (box[0], box[2]))
    y_min, y_max = (int(max(y * side - pad_y, 0)) for y in (box[1], box[3]))
    mask = np.zeros((height, width), np.float32)
    mask[y_min:y_max, x_min:x_max] = 1.0
    return mask


def find_sources(root: Path, images: Path | None = None) -> list[Source]:
    """Find the unzipped parts of IVM-Mix-1M.

    A part's meta file, its masks and its images may lie in its folder or in folders directly in that.

    Args:
        root: has a folder for at least one of `PARTS`.
        images: has the folders of `IMAGE_FOLDERS`; default: `root`/images.

    Raises:
        FileNotFoundError: no part, or one without a meta file.
        ValueError: a part with several files that could be its meta file.
    """
    found = [(root / name, human) for name, human in PARTS.items() if (root / name).is_dir()]
    if not found:
        raise FileNotFoundError(f"expected a folder {' or '.join(PARTS)} in {root}; unzip the parts there")
    shared = root / "images" if images is None else images
    common = [folder for folder in (*(shared / name for name in IMAGE_FOLDERS), shared) if folder.is_dir()]
    sources = []
    for folder, human in found:
        own = (folder, *sorted(path for path in folder.iterdir() if path.is_dir()))
        sources.append(Source(_meta_file(own), (*own, *common), own, human))
    return sources


def _meta_file(folders: Sequence[Path]) -> Path:
    files = sorted(
        file for folder in folders for ending in ("json", "jsonl") for file in folder.glob(f"*.{ending}")
    )
    if not files:
        raise FileNotFoundError(f"expected the meta file, *.json or *.jsonl, in {folders[0]}; there is none")
    if len(files) > 1:
        raise ValueError(f"expected one meta file in {folders[0]}, got {', '.join(map(str, files))}")
    return files[0]
