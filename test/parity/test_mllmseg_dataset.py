"""What MLLMSeg makes of a small `refer_seg` tree: expressions, masks, boxes, pictures (sections 3 and 12)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from ivm_ros.datasets.registry import open_dataset

pytest.importorskip("pycocotools", reason="needs the extra datasets")

SPLIT = "val"  # of every reference in the tree


@pytest.fixture(scope="module")
def folder(golden_root):
    folder = golden_root / "mllmseg"
    if not (folder / "dataset.json").is_file():
        pytest.skip(f"no golden numbers of mllmseg's data in {golden_root}")
    return folder


@pytest.fixture(scope="module")
def tensors(folder):
    return load_file(folder / "dataset.safetensors")


def pytest_generate_tests(metafunc):
    index = metafunc.config.getoption("golden_root") / "mllmseg" / "dataset.json"
    images = json.loads(index.read_text())["samples"] if index.is_file() else []
    given = {"expected": images, "boxed": [image for image in images if image["bboxes_xywh"] is not None]}
    for argument in given.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(argument, given[argument], ids=lambda i: f"{i['dataset']}-{i['index']}")


def samples_of(folder, expected):
    """Return the samples of one image, in the reader's order."""
    dataset = open_dataset(f"{expected['dataset']}-{expected['splitBy']}", SPLIT, folder / "refer_seg_mini")
    questions = [dataset.question(index) for index in range(len(dataset))]
    chosen = [i for i, question in enumerate(questions) if question.picture.name == expected["image"]]
    assert chosen
    return [dataset.read(index) for index in chosen]


def test_expressions(folder, expected):
    samples = samples_of(folder, expected)
    phrases = [sample.instruction.lower().strip().strip(".") for sample in samples]
    answers = [f"{p}:[{'SEG' if s.present else 'REJ'}]" for p, s in zip(phrases, samples, strict=True)]
    listed = ", ".join(phrases)
    assert (
        f"<image>\n What are {listed}in this image? Please output segmentation masks." == expected["question"]
    )
    assert f"Sure,{', '.join(answers)}." == expected["answer"]


def test_masks(folder, expected, tensors):
    samples = samples_of(folder, expected)
    empty = np.zeros(samples[0].image.shape[:2], bool)
    masks = np.stack([np.logical_or.reduce([empty, *sample.masks]) for sample in samples])
    np.testing.assert_array_equal(masks, tensors[f"{expected['dataset']}.{expected['index']}.masks"])
    assert masks.sum(axis=(1, 2)).tolist() == expected["mask_area"]


def test_boxes(folder, boxed):
    boxes = [sample.boxes for sample in samples_of(folder, boxed)]
    assert [[x, y, right - x, bottom - y] for ((x, y, right, bottom),) in boxes] == boxed["bboxes_xywh"]


def test_pictures(folder, expected, tensors):
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra transformers")
    stride = tensors[f"{expected['dataset']}.{expected['index']}.pixel_stride16"][0]
    image = samples_of(folder, expected)[0].image
    resized = np.asarray(pillow.fromarray(image).resize((448, 448), pillow.Resampling.BICUBIC), np.float64)
    pixels = (resized / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(pixels[::16, ::16].transpose(2, 0, 1), stride, atol=1e-5)
    assert pixels.mean() == pytest.approx(expected["pixel_mean"], abs=1e-5)
    assert pixels.std(ddof=1) == pytest.approx(expected["pixel_std"], abs=1e-5)
