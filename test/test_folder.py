from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ivm_ros.datasets.folder import INDEX, Folder
from ivm_ros.datasets.folder_writer import Answer, box_around, write_index, write_picture
from ivm_ros.datasets.records import RecordError

SIZE = (12, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one picture, two masks and three entries: one target, two targets, none."""
    image = np.full((*SIZE, 3), (200, 30, 20), np.uint8)
    masks = {1: np.zeros(SIZE, bool), 2: np.zeros(SIZE, bool)}
    masks[1][2:5, 3:9] = True
    masks[2][6:12, 10:16] = True
    answers = [Answer("the red cup", (1,), "attribute"), Answer("both cups", (1, 2)), Answer("the duck", ())]
    depth = np.full(SIZE, 731, np.uint16)
    write_index(
        tmp_path, write_picture(tmp_path, "000001", image, masks, answers, depth, (20.0, 20.0, 8.0, 6.0))
    )
    return tmp_path


def change(folder: Path, line: int, **changes: Any) -> None:
    """Overwrite fields of one line of the index; None removes the field."""
    lines = (folder / INDEX).read_text().splitlines()
    record = {**json.loads(lines[line - 1]), **changes}
    lines[line - 1] = json.dumps({key: value for key, value in record.items() if value is not None})
    (folder / INDEX).write_text("\n".join(lines) + "\n")


def test_what_is_written_is_read(folder: Path) -> None:
    one, two, none = Folder(folder)
    assert (one.instruction, one.tag) == ("the red cup", "attribute")
    assert one.boxes == ((3, 2, 9, 5),)
    assert one.masks[0].sum() == 18 and one.masks[0][2:5, 3:9].all()
    assert np.abs(one.image.astype(int) - (200, 30, 20)).max() <= 3  # RGB, but for JPEG
    assert one.intrinsics == (20, 20, 8, 6)
    assert one.depth is not None and one.depth.dtype == np.uint16 and (one.depth == 731).all()
    assert two.boxes == ((3, 2, 9, 5), (10, 6, 16, 12)) and len(two.masks) == 2 and two.tag is None
    assert none.masks == () and none.boxes == ()


def test_optional_fields_may_be_absent(folder: Path) -> None:
    change(folder, 1, tag=None, depth=None, intrinsics=None)
    sample = next(iter(Folder(folder)))
    assert (sample.tag, sample.depth, sample.intrinsics) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"image": None}, "image", "missing"),
        ({"image": "nowhere.jpg"}, "image", "there is none"),
        ({"image": INDEX}, "image", "cannot be decoded"),
        ({"image": "half.jpg"}, "image", "cut off"),
        ({"image": "no.jpg"}, "image", "cannot be decoded"),
        ({"image": "x" * 300}, "image", "there is none"),
        ({"image": "a\0b"}, "image", "there is none"),
        ({"image": "../000001.jpg"}, "image", "inside the folder"),
        ({"image": "/etc/hostname"}, "image", "inside the folder"),
        ({"image": 3}, "image", "expected text"),
        ({"instruction": None}, "instruction", "missing"),
        ({"instruction": "  "}, "instruction", "in words"),
        ({"instruction": ["red"]}, "instruction", "expected text"),
        ({"masks": None}, "masks", "missing"),
        ({"masks": "000001_1.png"}, "masks", "expected a list"),
        ({"masks": []}, "boxes", "1 boxes and 0 masks"),
        ({"masks": ["nowhere.png"]}, "masks[0]", "there is none"),
        ({"masks": ["000001.jpg"]}, "masks[0]", "one 8-bit channel"),
        ({"masks": ["small.png"]}, "masks[0]", "size 16x12, got 4x3"),
        ({"masks": ["gray.png"]}, "masks[0]", "values 0 and 255"),
        ({"masks": ["empty.png"]}, "masks[0]", "without a pixel"),
        ({"masks": [7]}, "masks[0]", "name of a file"),
        ({"boxes": []}, "boxes", "0 boxes and 1 masks"),
        ({"boxes": [[3, 2, 17, 5]]}, "boxes[0]", "<= 16"),
        ({"boxes": [[3, -1, 9, 5]]}, "boxes[0]", "0 <= y_min"),
        ({"boxes": [[9, 2, 3, 5]]}, "boxes[0]", "x_min < x_max"),
        ({"boxes": [[3, 2, 9]]}, "boxes[0]", "four finite numbers"),
        ({"boxes": [[3, 2, 9, float("nan")]]}, "boxes[0]", "four finite numbers"),
        ({"boxes": [[3, 2, 9, True]]}, "boxes[0]", "four finite numbers"),
        ({"boxes": [{"x_min": 3}]}, "boxes[0]", "four finite numbers"),
        ({"tag": 5}, "tag", "expected text"),
        ({"intrinsics": [1, 2]}, "intrinsics", "four finite numbers"),
        ({"depth": "000001_1.png"}, "depth", "one 16-bit channel"),
    ],
)
def test_a_bad_entry_is_refused_by_name(
    folder: Path, changes: dict[str, Any], field: str, words: str
) -> None:
    cv2.imwrite(str(folder / "small.png"), np.full((3, 4), 255, np.uint8))
    cv2.imwrite(str(folder / "gray.png"), np.full(SIZE, 128, np.uint8))
    cv2.imwrite(str(folder / "empty.png"), np.zeros(SIZE, np.uint8))
    (folder / "no.jpg").touch()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
    (folder / "half.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    change(folder, 1, **changes)
    with pytest.raises(RecordError) as caught:
        list(Folder(folder))
    assert (caught.value.record, caught.value.field) == (1, field)
    assert str(caught.value).startswith(f'{folder / INDEX}:1: field "{field}": ')
    assert words in str(caught.value)


@pytest.mark.parametrize("line", [b"not json", b"[1, 2]", b'"text"', b'{"image": "\xff"', b"[" * 100_000])
def test_a_line_that_is_no_object_is_refused(folder: Path, line: bytes) -> None:
    with (folder / INDEX).open("ab") as index:
        index.write(line + b"\n")
    with pytest.raises(RecordError, match=rf"{INDEX}:4: .*expected a JSON object"):
        list(Folder(folder))


def test_bad_entries_can_be_skipped_and_are_counted(folder: Path) -> None:
    change(folder, 2, instruction="")
    dataset = Folder(folder, skip_bad=True)
    for _ in range(2):  # the count is that of the latest pass, not of all
        assert [sample.instruction for sample in dataset] == ["the red cup", "the duck"]
        assert [(error.record, error.field) for error in dataset.skipped] == [(2, "instruction")]
    assert len(dataset) == 3


def test_blank_lines_do_not_shift_line_numbers(folder: Path) -> None:
    text = (folder / INDEX).read_text()
    (folder / INDEX).write_text("\n" + text + "\n{}\n")
    with pytest.raises(RecordError) as caught:
        list(Folder(folder))
    assert caught.value.record == 6


def test_a_folder_without_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=INDEX):
        Folder(tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    with pytest.raises(OSError, match="could not write"):
        write_picture(tmp_path / "nowhere", "000001", image, {}, [Answer("a cup", ())])


def test_box_is_half_open() -> None:
    mask = np.zeros(SIZE, bool)
    mask[11, 15] = mask[4, 2] = True
    assert box_around(mask) == [2, 4, 16, 12]
