"""The annotation files of PLVL and EEVG, `mask_data`: boxes, mostly with masks.

    ROOT/mask_data/unc/unc_testA.pth          a list in a torch file; unc is RefCOCO, gref RefCOCOg
    ROOT/mscoco/images/train2014/...          and the other folders of `SOURCES` and `SETS`

An item is (file, data_source, bbox, phrase, attribute), in flickr (file, bbox, phrase). `bbox` is four
numbers, which PLVL cuts to whole ones, and then any number of polygons. Each item is one sample; one
without polygons has a box alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivm_ros.datasets.questions import Picture, Question, Questions, Region, box_from
from ivm_ros.datasets.records import Fields, shown

FOLDER = "mask_data"
SOURCES = {"coco": "mscoco/images/train2014", "flickr": "flickr30k", "vg": "visual-genome"}
"""Where the pictures of a `data_source` lie; those of any other lie in the dataset's own folder."""


@dataclass(frozen=True)
class PlvlSet:
    """How one dataset's items are to be read.

    Attributes:
        images: folder of its pictures.
        fields: of an item, in its order.
        corners: boxes are [x_min, y_min, x_max, y_max], else [x, y, width, height].
    """

    images: str = "mscoco/images/train2014"
    fields: tuple[str, ...] = ("file", "data_source", "bbox", "phrase", "attribute")
    corners: bool = False


SETS = {
    "plvl-unc": PlvlSet(),
    "plvl-unc+": PlvlSet(),
    "plvl-gref": PlvlSet(),
    "plvl-gref_umd": PlvlSet(),
    "plvl-referit": PlvlSet("referit/images", corners=True),
    "plvl-flickr": PlvlSet("Flickr30k/flickr30k_images", ("file", "bbox", "phrase"), corners=True),
    "plvl-mixed_pretrain": PlvlSet(),
    "plvl-mixed_coco": PlvlSet(),
}


class Plvl(Questions):
    """One split of a dataset in `mask_data`.

    Args:
        name: one of `SETS`.
        root: has the folder `mask_data` and those of the pictures.
        split: such as "testA".
        skip_bad: see `Dataset`.

    Raises:
        FileNotFoundError: the dataset is not there.
        ValueError: its file is damaged or has more than builtin types, or there is no such split.
    """

    def __init__(self, name: str, root: Path, split: str, skip_bad: bool = False) -> None:
        super().__init__(skip_bad)
        self.layout = SETS[name]
        self._root = root
        dataset = name.removeprefix("plvl-")
        folder = root / FOLDER / dataset
        self.file = folder / f"{dataset}_{split}.pth"
        if not self.file.is_file():
            splits = sorted(file.stem.removeprefix(f"{dataset}_") for file in folder.glob(f"{dataset}_*.pth"))
            if not splits:
                raise FileNotFoundError(f"expected the file {self.file}; there is none")
            raise ValueError(f"{folder}: expected a split of {', '.join(splits)}; got {split!r}")
        self.annotations = (self.file,)
        self._items = _read_list(self.file)
        self._mixed = dataset.startswith("mixed")

    def __len__(self) -> int:
        """Return the number of items, good and bad."""
        return len(self._items)

    def question(self, index: int) -> Question:
        """Return question `index`, from 0 on, undecoded."""
        self.check_index(index)
        record = self._record(index)
        source = record.fields.get("data_source")
        folder = SOURCES.get(source, self.layout.images) if isinstance(source, str) else self.layout.images
        name = record.text("file")
        return Question(
            record=record,
            picture=Picture(record, "file", name, (self._root / folder,)),
            instruction=("phrase", record.value("phrase")),
            regions=(self._region(record),),
            tag=str(source) if self._mixed else None,
            ids={"image": name, "item": index},
        )

    def _record(self, index: int) -> Fields:
        item, names = self._items[index], self.layout.fields
        if not isinstance(item, (list, tuple)) or len(item) != len(names):
            problem = f"expected {len(names)} values, {', '.join(names)}; got {shown(item)}"
            raise Fields(self.file, f"item {index}", {}).error("(item)", problem)
        return Fields(self.file, f"item {index}", dict(zip(names, item, strict=True)))

    def _region(self, record: Fields) -> Region:
        given = record.value("bbox")
        if not isinstance(given, (list, tuple)):
            raise record.error("bbox", f"expected four numbers and polygons, got {shown(given)}")
        values = [float(int(number)) for number in record.numbers("bbox", given[:4])]
        box = box_from(record, "bbox", values, self.layout.corners)
        polygons = [list(part) if isinstance(part, tuple) else part for part in given[4:]]
        return Region(record, box, polygons or None, ("bbox", "bbox[4:]"))


def _read_list(file: Path) -> list[Any]:
    """Return the list in a torch file, of which nothing but data is accepted."""
    import torch

    try:
        items = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise exceptions of all kinds
        reason = error.__context__ or error  # without torch's advice to trust the file
        raise ValueError(f"{file}: expected a torch file of builtin types, got: {reason}") from error
    if not isinstance(items, list):
        raise ValueError(f"{file}: expected a list of items, got {shown(items)}")
    return items
