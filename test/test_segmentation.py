from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ivm_ros.datasets.segmentation import decode_segmentation

coco = pytest.importorskip("pycocotools.mask", reason="needs the extra datasets")

SIZE = (6, 9)
SQUARE = [1.0, 1.0, 4.0, 1.0, 4.0, 5.0, 1.0, 5.0]


def compressed(mask: np.ndarray) -> dict[str, Any]:
    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode()}


@pytest.mark.parametrize("seed", range(5))
def test_compressed_rle_is_read_as_pycocotools_reads_it(seed: int) -> None:
    mask = np.random.default_rng(seed).random((70, 90)) < (0.5 if seed else 0.001)
    mask[3, 4] = True
    rle = compressed(mask)
    np.testing.assert_array_equal(decode_segmentation(rle, (70, 90)), mask)
    np.testing.assert_array_equal(
        decode_segmentation({**rle, "counts": rle["counts"].encode()}, (70, 90)), mask
    )


def test_polygons_and_lists_of_rle_are_united() -> None:
    both = decode_segmentation([SQUARE, [3.0, 2.0, 8.0, 2.0, 8.0, 4.0, 3.0, 4.0]], SIZE)
    expected = np.zeros(SIZE, bool)
    expected[1:5, 1:4] = expected[2:4, 3:8] = True
    np.testing.assert_array_equal(both, expected)
    halves = np.zeros((2, *SIZE), bool)
    halves[0, :2], halves[1, 4:] = True, True
    np.testing.assert_array_equal(
        decode_segmentation(list(map(compressed, halves)), SIZE), halves.any(axis=0)
    )


def test_a_polygon_may_leave_the_image_by_rounding() -> None:
    assert decode_segmentation([[-0.5, 0.0, 9.4, 0.0, 9.4, 6.2, -0.5, 6.2]], SIZE).all()


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        ([], "without polygons"),
        (None, "three or more points"),
        ("text", "three or more points"),
        ([[1, 1, 4, 4]], "three or more points"),  # pycocotools would take it for a box
        ([[1, 1, 4, 1, 4, 5, 1]], "three or more points"),
        ([SQUARE, {"size": [6, 9], "counts": [54]}], "three or more points"),
        ([[1, 1, 4, 1, float("nan"), 5]], "finite numbers"),
        ([[1, 1, 4, 1, "4", 5]], "finite numbers"),
        ([[1, 1, 4, 1, 4, 8]], "y inside the image, 0 to 6, got 1 to 8"),
        ([[-2, 1, 4, 1, 4, 5]], "x inside the image"),
        ([[1, 1, 1, 1, 1, 1]], "without a pixel"),
        ({"size": [6, 9]}, '"size" and "counts"'),
        ({"size": [9, 6], "counts": [54]}, r"size \[6, 9\], got \[9, 6\]"),
        ({"size": [6, 9], "counts": [54]}, "without a pixel"),
        ({"size": [6, 9], "counts": [5, 5]}, "54 pixels together, got 10"),
        ({"size": [6, 9], "counts": [-5, 59]}, "run lengths"),
        ({"size": [6, 9], "counts": [1.5, 52.5]}, "run lengths"),
        ({"size": [6, 9], "counts": ""}, "54 pixels together, got 0"),
        ({"size": [6, 9], "counts": "5"}, "54 pixels together, got 5"),
        ({"size": [6, 9], "counts": "\x7f"}, "the character"),
        ({"size": [6, 9], "counts": b"\xff"}, "the character"),
        ([{"size": [6, 9], "counts": [0, 54]}, SQUARE], '"size" and "counts"'),
    ],
)
def test_what_is_no_segmentation_is_refused(segmentation: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode_segmentation(segmentation, SIZE)


def test_without_pycocotools_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pycocotools", None)
    with pytest.raises(ImportError, match=r"pip install 'ivm-ros\[datasets\]'"):
        decode_segmentation([SQUARE], SIZE)
