"""How UGround draws ReasonSeg's polygons (section 15 F)."""

from __future__ import annotations

import shutil

import cv2
import pytest
from golden import GoldenCase, case

from ivm_ros.datasets.registry import open_dataset

SAMPLE = "reasonseg_sample.json"
AGREEMENT = 0.995  # of a mask's pixels: the index states it in words, for binary masks


@pytest.fixture(scope="module")
def golden(golden_root) -> GoldenCase:
    return case(golden_root, "uground", "prep")


def test_reasonseg_mask(golden, tmp_path):
    folder = tmp_path / "reason_seg/ReasonSeg/val"
    folder.mkdir(parents=True)
    shutil.copy(golden.path.parent / SAMPLE, folder / "1.json")
    # A PNG under the name of a JPEG: the pixels must stay what they are.
    image = golden.numpy("image_rgb")
    (folder / "1.jpg").write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    (sample,) = open_dataset("reasonseg", "val", tmp_path)
    assert (sample.image == image).all()
    drawn = golden.numpy("reasonseg_mask")
    assert sample.ignored is not None
    assert (sample.ignored == (drawn == 255)).mean() >= AGREEMENT
    assert (sample.masks[0] == (drawn == 1)).mean() >= AGREEMENT
    outside = (drawn == 0) & cv2.erode((drawn == 0).astype("uint8"), None).astype(bool)
    assert not sample.masks[0][outside].any() and not sample.ignored[outside].any()
