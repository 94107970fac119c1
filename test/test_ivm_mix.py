"""The reader of IVM-Mix-1M, on a small copy of its layout."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
from mix_layout import META, RED, SIZE, WORDS, write_mask, write_meta, write_mix, write_picture

from ivm_ros.datasets.ivm_mix import IvmMix, Source, box_mask, decode_mask, find_sources
from ivm_ros.datasets.records import RecordError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_mix(tmp_path)
    return tmp_path


def change(root: Path, line: int, **changes: Any) -> None:
    """Overwrite fields of one record of the people's labels; None removes the field."""
    lines = (root / META).read_text().split("\n")
    record = {**json.loads(lines[line - 1]), **changes}
    lines[line - 1] = json.dumps({key: value for key, value in record.items() if value is not None})
    (root / META).write_text("\n".join(lines))


def read(root: Path, index: int = 0, seed: int = 0):
    return IvmMix(find_sources(root)).item(index, Random(seed))


def test_all_parts_are_found_and_read(root: Path) -> None:
    samples = list(IvmMix(find_sources(root)))
    assert [sample.uuid for sample in samples] == ["h0", "h1", "r0", "r1", "v0"]
    assert [sample.human for sample in samples] == [True, True, False, False, False]
    assert [sample.instruction for sample in samples[1:]] == [
        "the blue bowl",
        "grasp it",
        "grasp it",
        "is it a cat?",
    ]
    first = samples[0]
    assert (first.image.shape, first.image.dtype) == ((*SIZE, 3), np.uint8)
    assert np.abs(first.image.astype(int) - RED).max() <= 3  # RGB, but for JPEG
    for sample in samples:
        assert (sample.heatmap.shape, sample.heatmap.dtype) == (SIZE, np.float32)
        assert sample.heatmap.min() == 0.0 and sample.heatmap.max() == 1.0
        assert (sample.heatmap[9:15, 9:23] > 0.9).all() and (sample.heatmap[:, :5] < 0.1).all()


def test_the_origin_divides_people_from_machines(root: Path) -> None:
    sources = find_sources(root)
    assert {source.meta.parent.name: source.human for source in sources} == {
        "HumanLabelData": True,
        "RobotMachineData": False,
        "labels": False,
    }
    people = IvmMix([source for source in sources if source.human])
    assert len(people) == 2 and all(sample.human for sample in people)


def test_parts_that_are_missing_are_left_out(root: Path) -> None:
    (root / "VQAMachineData").rename(root / "elsewhere")
    assert len(IvmMix(find_sources(root))) == 4


def test_the_images_may_lie_elsewhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    images = tmp_path_factory.mktemp("disk") / "images"
    (root / "images").rename(images)
    with pytest.raises(RecordError, match=r"field \"image\": expected the file '7\.jpg'"):
        list(IvmMix(find_sources(root)))
    assert len(list(IvmMix(find_sources(root, images)))) == 5


def test_a_visit_picks_an_instruction_by_its_seed(root: Path) -> None:
    assert {read(root, seed=seed).instruction for seed in range(20)} == set(WORDS)
    assert read(root, seed=3).instruction == read(root, seed=3).instruction
    dataset = IvmMix(find_sources(root))
    assert [s.instruction for s in dataset] == [s.instruction for s in dataset]


@pytest.mark.parametrize("index", [-1, 5])
def test_there_are_no_other_records(root: Path, index: int) -> None:
    with pytest.raises(IndexError, match="from 0 to 4"):
        read(root, index)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"uuid": None}, "uuid", "missing"),
        ({"uuid": 7}, "uuid", "expected text"),
        ({"uuid": "nobody"}, "image", "'img_nobody.jpg'"),
        ({"uuid": "x/../../h0"}, "image", "inside the folder"),
        ({"uuid": "x/../../h0", "image": "img_h0.jpg"}, "mask", "inside the folder"),
        ({"uuid": "nobody", "image": "img_h0.jpg"}, "mask", "'mask_nobody.jpg'"),
        ({"image": "../meta.jsonl"}, "image", "inside the folder"),
        ({"image": "/etc/hostname"}, "image", "inside the folder"),
        ({"image": "meta.jsonl"}, "image", "cannot be decoded"),
        ({"image": "nowhere.jpg"}, "image", "there is none"),
        ({"image": ["img_h0.jpg"]}, "image", "expected text"),
        ({"instruction": None}, "instruction", "missing"),
        ({"instruction": "the red cup"}, "instruction", "expected a list"),
        ({"instruction": []}, "instruction", "at least one"),
        ({"instruction": ["the cup", ""]}, "instruction[1]", "in words"),
        ({"instruction": [5]}, "instruction[0]", "as text"),
        ({"uuid": "black", "image": "img_h0.jpg"}, "mask", "not black everywhere"),
        ({"uuid": "faint", "image": "img_h0.jpg"}, "mask", "not black everywhere"),
        ({"uuid": "small", "image": "img_h0.jpg"}, "mask", "size 32x24, got 12x10"),
        ({"uuid": "cut", "image": "img_h0.jpg"}, "mask", "cut off"),
    ],
)
def test_a_bad_record_is_refused_by_name(root: Path, changes: dict[str, Any], field: str, words: str) -> None:
    masks = root / "HumanLabelData/masks"
    write_mask(masks / "mask_black.jpg", 0)
    faint = np.zeros((*SIZE, 3), np.uint8)
    faint[5:9, 5:9, 2] = 3  # too little red to have a gray value
    (masks / "mask_faint.jpg").write_bytes(cv2.imencode(".png", faint)[1].tobytes())
    write_picture(masks / "mask_small.jpg", (9, 9, 9), (10, 12))
    (masks / "mask_cut.jpg").write_bytes((masks / "mask_h0.jpg").read_bytes()[:-2])
    change(root, 1, **changes)
    with pytest.raises(RecordError) as caught:
        read(root)
    assert (caught.value.record, caught.value.field) == (1, field)
    assert str(caught.value).startswith(f'{root / META}:1: field "{field}": ')
    assert words in str(caught.value)


def test_bad_records_are_skipped_and_counted_or_refused(root: Path) -> None:
    with (root / META).open("a") as meta:
        meta.write("not json\n\n")
    change(root, 2, instruction=[])
    dataset = IvmMix(find_sources(root), skip_bad=True)
    assert len(dataset) == 6
    for _ in range(2):  # the count is that of the latest pass, not of all
        assert [sample.uuid for sample in dataset] == ["h0", "r0", "r1", "v0"]
        assert [(error.record, error.field) for error in dataset.skipped] == [
            (2, "instruction"),
            (3, "(line)"),
        ]
    with pytest.raises(RecordError, match=r'meta.jsonl:2: field "instruction"'):
        list(IvmMix(find_sources(root)))


def test_a_whole_file_of_bad_records_yields_nothing(root: Path) -> None:
    write_meta(root / META, [{"uuid": "nobody", "instruction": ["it"]}] * 3000)
    source, *_ = find_sources(root)
    dataset = IvmMix([source], skip_bad=True)
    assert list(dataset) == [] and len(dataset.skipped) == 3000


def test_masks_of_one_gray_and_masks_that_are_bright() -> None:
    assert (decode_mask(np.full((2, 3, 3), 7, np.uint8)) == 1.0).all()
    ramp = np.repeat(np.array([[0, 100, 170, 171, 255]], np.uint8)[..., None], 3, axis=2)
    np.testing.assert_allclose(decode_mask(ramp)[0], [0, 150 / 255, 1, 1, 1])
    channels = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200], [0, 0, 0]]], np.uint8)  # blue, green, red
    np.testing.assert_allclose(decode_mask(channels)[0], [90 / 176, 1, 34 / 176, 0], atol=0.01)


def test_a_box_on_the_padded_square_is_cut_to_the_image() -> None:
    assert box_mask((0.0, 0.0, 1.0, 1.0), (6, 4)).all()
    mask = box_mask((0.5, 0.0, 1.0, 0.5), (6, 4))
    assert mask.shape == (4, 6) and mask.sum() == 6 and mask[:2, 3:].all()


def test_folders_without_a_part_or_a_meta_file_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="HumanLabelData or RobotMachineData or VQAMachineData"):
        find_sources(tmp_path / "nowhere")
    (root / "HumanLabelData/other.json").touch()
    with pytest.raises(ValueError, match=r"one meta file.*meta\.jsonl.*|one meta file.*other\.json"):
        find_sources(root)
    for file in ("meta.jsonl", "other.json"):
        (root / "HumanLabelData" / file).unlink()
    with pytest.raises(FileNotFoundError, match="the meta file"):
        find_sources(root)
    with pytest.raises(ValueError, match="at least one source"):
        IvmMix([])
    with pytest.raises(FileNotFoundError, match=r"gone\.jsonl"):
        IvmMix([Source(root / "gone.jsonl", (root,), (root,), human=True)])
