from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_layout import CHAIR, CUP, CUP_BOX
from instancevg_layout import CUP_AND_DOG, NOTHING, SPLITS, entries, entry, write_instancevg

from ivm_ros.datasets.instancevg import SETS
from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.registry import open_dataset
from ivm_ros.datasets.samples import Sample

pytest.importorskip("pycocotools", reason="needs the extra datasets")
GENERALIZED = "instancevg-grefcoco"
GROUPED = "instancevg-rrefcoco"


def read(root: Path, name: str, **options: Any) -> list[Sample]:
    return list(open_dataset(name, SPLITS.get(name, "val"), root, **options))


@pytest.mark.parametrize("name", SETS)
def test_every_file_is_read(tmp_path: Path, name: str) -> None:
    write_instancevg(tmp_path, name)
    samples = read(tmp_path, name)
    cup, other, dog, chair = samples
    assert [s.instruction for s in samples] == ["the red cup", "left cup", "the dog", "a chair"]
    assert cup.boxes[0] == (4, 5, 12, 15) and cup.masks[0].sum() == 80 and other.boxes == cup.boxes
    assert chair.boxes == ((1, 5, 4, 15),) and chair.masks[0].sum() == 30
    assert other.ids == {"image": 7, "entry": 0, "expression": 1}
    generalized = name != "instancevg-mixed"
    assert (len(cup.boxes), len(dog.boxes)) == ((2, 0) if generalized else (1, 1))
    assert dog.tag == ("no target" if generalized else None)
    assert len(open_dataset(name, "train", tmp_path)) == 2


def test_groups_are_ranges_of_entries_and_count_expressions(tmp_path: Path) -> None:
    write_instancevg(tmp_path, GROUPED)
    groups = [sample.group for sample in read(tmp_path, GROUPED)]
    assert groups == [("val_rrefcoco 0", 3)] * 3 + [("val_rrefcoco 2", 1)]
    (first, _) = open_dataset(GROUPED, "train", tmp_path)
    assert first.group is None


def test_alternatives_of_an_entry_are_all_read(tmp_path: Path) -> None:
    (first,), (second,), third = entries(GROUPED)
    write_instancevg(tmp_path, GROUPED, [[first, second], [second], third])
    samples = read(tmp_path, GROUPED)
    assert [s.instruction for s in samples] == ["the red cup", "left cup", "the dog", "the dog", "a chair"]
    assert samples[2].ids["entry"] == 0 and samples[0].group == ("val_rrefcoco 0", 4)


@pytest.mark.parametrize("other", ["grefs/instance.json", "mixed-seg/instances_nogoogle_withid.json"])
def test_the_other_published_file_names_are_known(tmp_path: Path, other: str) -> None:
    name = GENERALIZED if other.startswith("grefs") else "instancevg-mixed"
    write_instancevg(tmp_path, name).rename(tmp_path / "annotations" / other)
    assert len(read(tmp_path, name)) == 4


@pytest.mark.parametrize(
    ("name", "first", "place", "field", "words"),
    [
        (GENERALIZED, {"annotations": [*CUP_AND_DOG, *NOTHING]}, "val[0]", "annotations", "among others"),
        (
            GENERALIZED,
            {"annotations": [{"bbox": CUP_BOX, "segmentation": None}]},
            "val[0].annotations[0]",
            "segmentation",
            "got null",
        ),
        (
            GENERALIZED,
            {"annotations": [{"bbox": None, "segmentation": CUP}]},
            "val[0].annotations[0]",
            "bbox",
            "four finite numbers",
        ),
        (GENERALIZED, {"annotations": ["cup"]}, "val[0].annotations[0]", "(record)", "by name"),
        (GENERALIZED, {"expressions": {"raw": []}}, "val[0]", "expressions", 'under "raw"'),
        (GENERALIZED, {"expressions": {"raw": ["the cup", ""]}}, "val[0]", "expressions[1]", "in words"),
        (GENERALIZED, {"expressions": None}, "val[0]", "expressions", 'under "raw", got None'),
        (GENERALIZED, {"image_id": "7"}, "val[0]", "image_id", "whole number"),
        (GENERALIZED, {"image_id": 9}, "val[0]", "image_id", "COCO_train2014_000000000009.jpg"),
        (GENERALIZED, {"width": 50}, "val[0]", "image_id", "annotated size 50x30"),
        ("instancevg-mixed", {"expressions": []}, "val_refcoco_unc[0]", "expressions", "list of texts"),
        ("instancevg-mixed", {"mask": None}, "val_refcoco_unc[0]", "mask", "got null"),
        ("instancevg-mixed", {"mask": {**CHAIR, "size": [9, 9]}}, "val_refcoco_unc[0]", "mask", "got [9, 9]"),
        ("instancevg-mixed", {"bbox": [50, 1, 3, 3]}, "val_refcoco_unc[0]", "bbox", "inside the image"),
        ("instancevg-refzom", {"file_name": 7}, "val[0]", "file_name", "expected text"),
    ],
)
def test_bad_data_is_refused_by_name_or_skipped(
    tmp_path: Path, name: str, first: dict[str, Any], place: str, field: str, words: str
) -> None:
    found = entries(name)
    found[0].update(first)
    file = write_instancevg(tmp_path, name, found)
    with pytest.raises(RecordError) as caught:
        read(tmp_path, name)
    assert str(caught.value).startswith(f'{file}: {place}: field "{field}": ') and words in str(caught.value)
    assert {s.instruction for s in read(tmp_path, name, skip_bad=True)} >= {"the dog", "a chair"}


@pytest.mark.parametrize("bad", [[], ["text"], "text", [entry(7)]])
def test_an_entry_that_is_none_does_not_vanish(tmp_path: Path, bad: Any) -> None:
    write_instancevg(tmp_path, GROUPED, [bad, *entries(GROUPED)[1:]])
    dataset = open_dataset(GROUPED, "val_rrefcoco", tmp_path, skip_bad=True)
    assert len(list(dataset)) == 2 and len(dataset.skipped) == 1 and len(dataset) == 3


@pytest.mark.parametrize(
    "ranges",
    [
        [[0, 2]],
        [[0, 4]],
        [[0, 2], [1, 3]],
        [[1, 3]],
        [[0, 0], [0, 3]],
        [[0, 3.0]],
        "text",
        None,
    ],
)
def test_ranges_must_cover_the_split(tmp_path: Path, ranges: Any) -> None:
    write_instancevg(tmp_path, GROUPED)
    file = tmp_path / "annotations" / SETS[GROUPED].groups
    file.write_text(json.dumps({"val_rrefcoco": ranges} if ranges is not None else {}))
    with pytest.raises(ValueError, match=r"instance_index\.json: .*expected"):
        read(tmp_path, GROUPED)


@pytest.mark.parametrize(
    ("content", "words"), [("[]", "splits by name"), ('{"val": 3}', "a list for val"), ("x", "JSON")]
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str, words: str) -> None:
    write_instancevg(tmp_path, GENERALIZED).write_text(content)
    with pytest.raises(ValueError, match=rf"instances\.json: expected {words}"):
        read(tmp_path, GENERALIZED)


def test_a_missing_file_or_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"grefs/instances\.json or grefs/instance\.json"):
        read(tmp_path, GENERALIZED)
    write_instancevg(tmp_path, GENERALIZED)
    with pytest.raises(ValueError, match="a split of val, train; got 'testC'"):
        open_dataset(GENERALIZED, "testC", tmp_path)
