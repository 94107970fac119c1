"""How IVM-Mix-1M's masks and boxes are read (spec section 8.1)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from golden import GoldenCase, case

from ivm_ros.datasets.ivm_mix import box_mask, decode_mask


@pytest.fixture(scope="module")
def golden(golden_root) -> GoldenCase:
    return case(golden_root, "ivm", "dataset_helpers")


def test_mask(golden):
    bgr = np.ascontiguousarray(golden.numpy("in.mask_png_rgb")[..., ::-1])
    heatmap = decode_mask(bgr)
    assert heatmap.dtype == golden.config["heatmap_dtype"]
    golden.assert_close(heatmap, "out.mask_heatmap")


def test_mask_file(golden):
    mask = cv2.imread(str(golden.path.parent / "mask_example.png"))
    assert mask is not None, f"{golden.path.parent}: expected the file mask_example.png"
    golden.assert_close(mask[..., ::-1].copy(), "in.mask_png_rgb")
    golden.assert_close(decode_mask(mask), "out.mask_heatmap")


def test_boxes(golden):
    sizes = [tuple(size) for size in golden["in.boxes_wh"].tolist()]
    for i, (box, size) in enumerate(zip(golden["in.boxes"].tolist(), sizes, strict=True)):
        golden.assert_close(box_mask(box, size), f"out.box_mask{i}")
