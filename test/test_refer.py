from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_layout import CHAIR, CUP, SIZE, instances, write_picture
from refer_layout import references, write_instances, write_refer, write_references

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.refer import SETS
from ivm_ros.datasets.registry import open_dataset
from ivm_ros.datasets.samples import Sample

pytest.importorskip("pycocotools", reason="needs the extra datasets")


def read(root: Path, name: str, split: str = "val") -> list[Sample]:
    return list(open_dataset(name, split, root))


@pytest.mark.parametrize("name", SETS)
def test_every_dataset_of_the_layout_is_read(tmp_path: Path, name: str) -> None:
    write_refer(tmp_path, name)
    dataset = open_dataset(name, "val", tmp_path)
    cup, left, dog, chair = dataset
    assert [s.instruction for s in dataset] == ["the red cup", "Cup on the left.", "the dog", "a chair"]
    assert [s.ids for s in (cup, left)] == [{"image": 7, "ref": 0, "sentence": i} for i in (0, 1)]
    assert cup.image.shape == (*SIZE, 3) and np.abs(cup.image.astype(int) - (200, 30, 20)).max() <= 3
    assert cup.boxes[0] == (4, 5, 12, 15) and cup.masks[0].sum() == 80 and cup.masks[0][5:15, 4:12].all()
    assert chair.boxes == ((1, 5, 4, 15),) and chair.masks[0].sum() == 30 and chair.masks[0][5:15, 1:4].all()
    layout = SETS[name]
    assert len(cup.boxes) == len(cup.masks) == (2 if layout.several else 1)
    assert dog.present is not layout.several
    assert left.present is (layout.absent is None)
    assert cup.group == ((f"{layout.folder} 0", 2) if layout.grouped else None)
    assert len(open_dataset(name, "train", tmp_path)) == 1


def test_generalized_samples_say_how_many_targets_they_have(tmp_path: Path) -> None:
    write_refer(tmp_path, "grefcoco-unc", as_json=True)
    tags = [sample.tag for sample in read(tmp_path, "grefcoco-unc")]
    assert tags == ["several targets", "several targets", "no target", "one target"]


def test_samples_can_be_read_in_any_order_and_looked_at_undecoded(tmp_path: Path) -> None:
    write_refer(tmp_path, "refcoco-unc")
    dataset = open_dataset("refcoco-unc", "val", tmp_path)
    assert dataset.read(3).instruction == "a chair" and dataset.read(0).instruction == "the red cup"
    question = dataset.question(2)  # type: ignore[attr-defined]
    assert question.picture.name.endswith("7.jpg") and question.regions[0].box == (1, 10, 34, 26)
    for index in (-1, 4):
        with pytest.raises(IndexError, match="from 0 to 3"):
            dataset.read(index)


@pytest.mark.parametrize("place", ["7.jpg", "00/images/7.jpg"])
def test_referit_names_pictures_and_things_in_its_own_way(tmp_path: Path, place: str) -> None:
    folder = write_refer(tmp_path, "refclef-unc")
    content, changed = instances(), references("refclef-unc")
    content["images"][0]["file_name"] = "7.jpg"
    content["annotations"][0].update(id="7_1", segmentation=[CHAIR])
    changed[0]["ann_id"] = "7_1"
    write_instances(folder, content)
    write_references(folder, "refs(unc)", changed)
    write_picture(tmp_path / "refer_seg/images/saiapr_tc-12" / place)
    assert read(tmp_path, "refclef-unc")[0].masks[0].sum() == 30


def test_grefcoco_drops_polygons_that_are_none(tmp_path: Path) -> None:
    folder = write_refer(tmp_path, "grefcoco-unc")
    content = instances()
    content["annotations"][0]["segmentation"] = [*CUP, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]]
    write_instances(folder, content)
    assert read(tmp_path, "grefcoco-unc")[0].masks[0].sum() == 80


Content = dict[str, Any]


def in_reference(**fields: Any) -> Callable[[list[Content], Content], None]:
    return lambda references, _: references[0].update(fields)


def in_sentence(**fields: Any) -> Callable[[list[Content], Content], None]:
    return lambda references, _: references[0]["sentences"][0].update(fields)


def in_table(table: str, **fields: Any) -> Callable[[list[Content], Content], None]:
    return lambda _, instances: instances[table][0].update(fields)


def twice(table: str) -> Callable[[list[Content], Content], None]:
    return lambda _, instances: instances[table].append(copy.deepcopy(instances[table][0]))


@pytest.mark.parametrize(
    ("change", "place", "field", "words"),
    [
        (in_sentence(sent=" "), "refs(unc).p: ref_id 0, sentence 0", "sent", "in words"),
        (in_sentence(sent=5), "refs(unc).p: ref_id 0, sentence 0", "sent", "as text"),
        (in_sentence(sent_id=1), "refs(unc).p: ref_id 0, sentence 0", "sent_id", "occurs once"),
        (in_reference(ref_id=1), "refs(unc).p: ref_id 1", "ref_id", "occurs once"),
        (in_reference(ref_id=None), "refs(unc).p: reference 0", "ref_id", "expected an id"),
        (in_reference(split=None), "refs(unc).p: ref_id 0", "split", "expected text"),
        (in_reference(sentences=[]), "refs(unc).p: ref_id 0", "sentences", "at least one"),
        (in_reference(sentences=["the cup"]), "refs(unc).p: ref_id 0, sentence 0", "(record)", "by name"),
        (in_reference(image_id=99), "refs(unc).p: ref_id 0", "image_id", "got 99"),
        (in_reference(ann_id=99), "refs(unc).p: ref_id 0", "ann_id", "got 99"),
        (in_reference(ann_id=-1), "refs(unc).p: ref_id 0", "ann_id", "got -1"),
        (in_reference(ann_id=3), "instances.json: annotation 3", "image_id", "image 7, got 8"),
        (twice("images"), "refs(unc).p: ref_id 0", "image_id", "has twice"),
        (twice("annotations"), "refs(unc).p: ref_id 0", "ann_id", "has twice"),
        (in_table("annotations", category_id=99), "instances.json: annotation 1", "category_id", "got 99"),
        (in_table("annotations", bbox=[1, 2, 3]), "instances.json: annotation 1", "bbox", "four finite"),
        (in_table("annotations", bbox=[1, 2, 0, 3]), "instances.json: annotation 1", "bbox", "an area"),
        (
            in_table("annotations", bbox=[30, 2, 12, 3]),
            "instances.json: annotation 1",
            "bbox",
            "inside the image",
        ),
        (in_table("annotations", segmentation=None), "instances.json: annotation 1", "segmentation", "RLE"),
        (
            in_table("annotations", segmentation=[]),
            "instances.json: annotation 1",
            "segmentation",
            "polygons",
        ),
        (
            in_table("annotations", segmentation=[[1, 1, 60, 1, 60, 20]]),
            "instances.json: annotation 1",
            "segmentation",
            "x inside the image, 0 to 40, got 1 to 60",
        ),
        (
            in_table("annotations", segmentation={**CHAIR, "size": [40, 30]}),
            "instances.json: annotation 1",
            "segmentation",
            "the image's size [30, 40], got [40, 30]",
        ),
        (in_table("images", file_name="gone.jpg"), "instances.json: image 7", "file_name", "there is none"),
        (
            in_table("images", file_name="../x.jpg"),
            "instances.json: image 7",
            "file_name",
            "inside the folder",
        ),
        (in_table("images", width=41), "instances.json: image 7", "file_name", "size 41x30, got 40x30"),
        (in_table("images", height=None), "instances.json: image 7", "height", "whole number"),
    ],
)
def test_bad_data_is_refused_by_name_or_skipped(
    tmp_path: Path,
    change: Callable[[list[Content], Content], None],
    place: str,
    field: str,
    words: str,
) -> None:
    folder = write_refer(tmp_path, "refcoco-unc")
    changed, objects = references("refcoco-unc"), instances()
    change(changed, objects)
    write_references(folder, "refs(unc)", changed)
    write_instances(folder, objects)
    with pytest.raises(RecordError) as caught:
        read(tmp_path, "refcoco-unc")
    assert str(caught.value).startswith(f'{folder}/{place}: field "{field}": ') and words in str(caught.value)
    skipping = open_dataset("refcoco-unc", "val", tmp_path, skip_bad=True)
    usable = [sample.instruction for sample in skipping]
    assert "a chair" in usable
    assert len(usable) + len(skipping.skipped) == len(skipping)
    assert field in {error.field for error in skipping.skipped}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"ann_id": []}, "ann_id", "[-1] where nothing matches"),
        ({"ann_id": 1}, "ann_id", "a list of annotations"),
        ({"ann_id": [1, 1]}, "ann_id", "each annotation once"),
        ({"ann_id": [1, -1]}, "ann_id", "got -1"),
        ({"no_target": True}, "no_target", "expected what ann_id says"),
    ],
)
def test_a_contradictory_list_of_targets_is_refused(
    tmp_path: Path, change: Content, field: str, words: str
) -> None:
    folder = write_refer(tmp_path, "grefcoco-unc")
    changed = references("grefcoco-unc")
    changed[0].update(change)
    write_references(folder, "grefs(unc)", changed)
    with pytest.raises(RecordError) as caught:
        read(tmp_path, "grefcoco-unc")
    assert caught.value.field == field and words in str(caught.value)


def test_a_sentence_must_say_whether_it_is_true(tmp_path: Path) -> None:
    folder = write_refer(tmp_path, "r-refcoco")
    changed = references("r-refcoco")
    del changed[0]["sentences"][1]["exist"]
    write_references(folder, SETS["r-refcoco"].references, changed)
    with pytest.raises(RecordError, match=r'sentence 1: field "exist": .*missing'):
        read(tmp_path, "r-refcoco")


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    write_refer(tmp_path, "refcoco-unc")
    write_picture(next(tmp_path.rglob("*7.jpg")), (30, 41))
    with pytest.raises(RecordError, match="annotated size 40x30, got 41x30"):
        read(tmp_path, "refcoco-unc")


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda f: (f / "refs(unc).p").unlink(), FileNotFoundError, r"refs\(unc\).p or refs\(unc\).json"),
        (lambda f: (f / "instances.json").unlink(), FileNotFoundError, "instances.json"),
        (lambda f: (f / "instances.json").write_text("{"), ValueError, "instances.json: expected JSON"),
        (lambda f: (f / "instances.json").write_text("[]"), ValueError, 'a list "images"'),
        (lambda f: (f / "refs(unc).p").write_bytes(pickle.dumps({})), ValueError, "a list of references"),
        (lambda f: (f / "refs(unc).p").write_bytes(b"x"), ValueError, "a pickle of builtin types"),
    ],
)
def test_a_missing_or_damaged_file_is_named(
    tmp_path: Path, damage: Callable[[Path], Any], error: type[Exception], words: str
) -> None:
    damage(write_refer(tmp_path, "refcoco-unc"))
    with pytest.raises(error, match=words):
        open_dataset("refcoco-unc", "val", tmp_path)


def test_an_unknown_split_or_dataset_is_named(tmp_path: Path) -> None:
    write_refer(tmp_path, "refcoco-unc")
    with pytest.raises(ValueError, match="a split of train, val; got 'testA'"):
        open_dataset("refcoco-unc", "testA", tmp_path)
    with pytest.raises(ValueError, match=r"a dataset of refcoco-unc, .*; got 'refcoco'"):
        open_dataset("refcoco", "val", tmp_path)
