from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_layout import SIZE
from reasonseg_layout import INSIDE, SQUARE, annotation, shape, write_reasonseg

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.registry import open_dataset


def test_target_and_ignored_pixels_are_read(tmp_path: Path) -> None:
    write_reasonseg(tmp_path)
    (sample,) = open_dataset("reasonseg", "val", tmp_path)
    target, ignored = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    target[5:15, 4:14] = True  # with the outline, and 13.7 cut to 13
    ignored[7:10, 6:9] = True
    np.testing.assert_array_equal(sample.masks[0], target & ~ignored)
    assert sample.ignored is not None
    np.testing.assert_array_equal(sample.ignored, ignored)
    assert sample.boxes == ((4, 5, 14, 15),)
    assert (sample.instruction, sample.tag) == ("what holds the drink?", "long query")
    assert sample.ids == {"image": "3", "query": 0}


def test_the_largest_shape_is_drawn_first(tmp_path: Path) -> None:
    shapes = [shape("target", INSIDE), shape("Ignored", SQUARE)]
    write_reasonseg(tmp_path, **{"3": annotation(shapes=shapes)})
    (sample,) = open_dataset("reasonseg", "val", tmp_path)
    assert sample.masks[0].sum() == 9 and sample.masks[0][7:10, 6:9].all()


def test_without_ignored_pixels_there_is_no_mask_of_them(tmp_path: Path) -> None:
    write_reasonseg(tmp_path, **{"3": annotation(shapes=[shape("target", SQUARE)])})
    assert next(iter(open_dataset("reasonseg", "val", tmp_path))).ignored is None


def test_training_reads_every_text_and_lengths_can_be_chosen(tmp_path: Path) -> None:
    short = annotation(is_sentence=False, text=["the cup"])
    for split in ("train", "val"):
        write_reasonseg(tmp_path, split, long=annotation(), short=short)

    def texts(split: str) -> list[str]:
        return [sample.instruction for sample in open_dataset("reasonseg", split, tmp_path)]

    assert texts("train") == ["what holds the drink?", "the cup", "the cup"]
    assert texts("val") == ["what holds the drink?", "the cup"]
    assert texts("val_shortquery") == ["the cup"] and texts("val_longquery") == ["what holds the drink?"]


def test_text_in_the_windows_code_page_is_read(tmp_path: Path) -> None:
    folder = write_reasonseg(tmp_path)
    text = json.dumps(annotation(text=["the café’s cup"]), ensure_ascii=False)
    (folder / "3.json").write_bytes(text.encode("cp1252"))
    assert next(iter(open_dataset("reasonseg", "val", tmp_path))).instruction == "the café’s cup"


@pytest.mark.parametrize(
    ("changes", "place", "field", "words"),
    [
        ({"text": []}, "annotation", "text", "at least one"),
        ({"text": "the cup"}, "annotation", "text", "a list"),
        ({"text": [""]}, "annotation", "text[0]", "in words"),
        ({"is_sentence": "yes"}, "annotation", "is_sentence", "true or false"),
        ({"shapes": None}, "annotation", "shapes", "a list"),
        ({"shapes": []}, "annotation", "shapes", "expected a target"),
        ({"shapes": [shape("ignore", SQUARE)]}, "annotation", "shapes", "expected a target"),
        ({"shapes": [shape("target", SQUARE[:2])]}, "shapes[0]", "points", "three or more"),
        ({"shapes": [shape("target", [1, 2, 3])]}, "shapes[0]", "points", "three or more"),
        ({"shapes": [shape("target", [*SQUARE, [1, "2"]])]}, "shapes[0]", "points", "finite numbers"),
        ({"shapes": [shape("target", [*SQUARE, [4, 40]])]}, "shapes[0]", "points", "y inside the image"),
        ({"shapes": [{"points": SQUARE}]}, "shapes[0]", "label", "missing"),
        ({"shapes": ["target"]}, "shapes[0]", "(record)", "by name"),
    ],
)
def test_bad_data_is_refused_by_name_or_skipped(
    tmp_path: Path, changes: dict[str, Any], place: str, field: str, words: str
) -> None:
    folder = write_reasonseg(tmp_path, **{"1": annotation(**changes), "3": annotation()})
    with pytest.raises(RecordError) as caught:
        list(open_dataset("reasonseg", "val", tmp_path))
    assert str(caught.value).startswith(f'{folder}/1.json: {place}: field "{field}": ')
    assert words in str(caught.value)
    skipping = open_dataset("reasonseg", "val", tmp_path, skip_bad=True)
    assert len(list(skipping)) == 1 and [error.field for error in skipping.skipped] == [field]


@pytest.mark.parametrize("content", [b"{", b"[]", b"\x81"])
def test_a_damaged_file_is_one_bad_record(tmp_path: Path, content: bytes) -> None:
    folder = write_reasonseg(tmp_path, **{"1": annotation(), "3": annotation()})
    (folder / "1.json").write_bytes(content)
    dataset = open_dataset("reasonseg", "val", tmp_path, skip_bad=True)
    assert len(list(dataset)) == 1 and "1.json: annotation: " in str(dataset.skipped[0])


def test_a_missing_picture_split_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="ReasonSeg/val"):
        open_dataset("reasonseg", "val", tmp_path)
    folder = write_reasonseg(tmp_path)
    with pytest.raises(ValueError, match="a split of val; got 'test_shortquery'"):
        open_dataset("reasonseg", "test_shortquery", tmp_path)
    (folder / "3.jpg").unlink()
    with pytest.raises(RecordError, match=r"'3\.jpg'"):
        list(open_dataset("reasonseg", "val", tmp_path))
