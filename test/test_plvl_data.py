from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from coco_layout import CUP, CUP_BOX, DOG
from plvl_layout import item, write_plvl

from ivm_ros.datasets.plvl import SETS, SOURCES
from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.registry import open_dataset
from ivm_ros.datasets.samples import Dataset, Sample

pytest.importorskip("pycocotools", reason="needs the extra datasets")


def opened(root: Path, name: str, skip_bad: bool = False) -> Dataset[Sample]:
    return open_dataset(name, "val", root, skip_bad)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", SETS)
def test_every_dataset_of_the_layout_is_read(tmp_path: Path, name: str, legacy: bool) -> None:
    box = [4.9, 5.2, 12.7, 15.9] if SETS[name].corners else [4.9, 5.2, 8.7, 10.9]
    write_plvl(tmp_path, name, [item(name, [*box, *CUP]), item(name, box, "left")], legacy=legacy)
    with_mask, alone = opened(tmp_path, name)
    assert with_mask.boxes == alone.boxes == ((4, 5, 12, 15),)  # cut to whole numbers first
    assert with_mask.masks[0].sum() == 80
    assert alone.annotated is None
    assert (alone.instruction, alone.ids) == ("left", {"image": "7.jpg", "item": 1})
    assert with_mask.tag == ("coco" if "mixed" in name else None)


@pytest.mark.parametrize(
    ("source", "folder"), [*SOURCES.items(), ("other", SETS["plvl-mixed_pretrain"].images)]
)
def test_the_source_says_where_the_picture_lies(tmp_path: Path, source: str, folder: str) -> None:
    name = "plvl-mixed_pretrain"
    write_plvl(tmp_path, name, [item(name, CUP_BOX, source=source)])
    for place in {SETS[name].images, *SOURCES.values()} - {folder}:
        (tmp_path / place / "7.jpg").unlink()
    assert next(iter(opened(tmp_path, name))).tag == source


def test_several_polygons_are_one_target(tmp_path: Path) -> None:
    write_plvl(tmp_path, "plvl-unc", [item("plvl-unc", [1, 10, 33, 16, *DOG])])
    (sample,) = opened(tmp_path, "plvl-unc")
    assert len(sample.masks) == 1 and sample.masks[0][12, 30] and sample.masks[0][21, 2]


@pytest.mark.parametrize(
    ("bad", "field", "words"),
    [
        (("7.jpg", "coco", CUP_BOX, "cup"), "(item)", "expected 5 values"),
        ("text", "(item)", "expected 5 values"),
        (("8.jpg", "coco", CUP_BOX, "cup", []), "file", "there is none"),
        (("../7.jpg", "coco", CUP_BOX, "cup", []), "file", "inside the folder"),
        ((7, "coco", CUP_BOX, "cup", []), "file", "expected text"),
        (("7.jpg", "coco", CUP_BOX, "", []), "phrase", "in words"),
        (("7.jpg", "coco", CUP_BOX[:3], "cup", []), "bbox", "four finite numbers"),
        (("7.jpg", "coco", 5, "cup", []), "bbox", "four numbers and polygons"),
        (("7.jpg", "coco", [1, 1, 50, 5], "cup", []), "bbox", "x inside the image"),
        (("7.jpg", "coco", [1, 1, 0.9, 5], "cup", []), "bbox", "an area"),
        (("7.jpg", "coco", [*CUP_BOX, [1, 2, 3, 4]], "cup", []), "bbox[4:]", "three or more points"),
        (("7.jpg", "coco", [*CUP_BOX, [1, 2, 70, 4, 5, 6]], "cup", []), "bbox[4:]", "x inside the image"),
    ],
)
def test_bad_data_is_refused_by_name_or_skipped(tmp_path: Path, bad: Any, field: str, words: str) -> None:
    file = write_plvl(tmp_path, "plvl-unc", [item("plvl-unc", CUP_BOX), bad])
    with pytest.raises(RecordError) as caught:
        list(opened(tmp_path, "plvl-unc"))
    assert str(caught.value).startswith(f'{file}: item 1: field "{field}": ') and words in str(caught.value)
    skipping = opened(tmp_path, "plvl-unc", skip_bad=True)
    assert len(list(skipping)) == 1 and [error.field for error in skipping.skipped] == [field]


class _Call:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_malicious_file_is_refused_and_runs_nothing(tmp_path: Path, legacy: bool) -> None:
    write_plvl(tmp_path, "plvl-unc", [_Call(tmp_path / "it_ran")], legacy=legacy)
    with pytest.raises(ValueError, match=r"unc_val\.pth: expected a torch file .*mkdir") as caught:
        opened(tmp_path, "plvl-unc")
    assert not (tmp_path / "it_ran").exists() and "weights_only" not in str(caught.value)


def test_a_damaged_file_or_unknown_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"unc_val\.pth"):
        opened(tmp_path, "plvl-unc")
    file = write_plvl(tmp_path, "plvl-unc", {"a": 1}, split="val")
    with pytest.raises(ValueError, match=r"unc_val\.pth: expected a list of items"):
        opened(tmp_path, "plvl-unc")
    file.write_bytes(b"no torch file")
    with pytest.raises(ValueError, match=r"unc_val\.pth: expected a torch file"):
        opened(tmp_path, "plvl-unc")
    write_plvl(tmp_path, "plvl-unc", [], split="testA")
    with pytest.raises(ValueError, match="a split of testA, val; got 'test'"):
        open_dataset("plvl-unc", "test", tmp_path)
