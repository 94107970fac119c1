"""What PLVL makes of the polygons in its annotation files (section 13)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from golden import GoldenCase, case

from ivm_ros.datasets.registry import open_dataset

pytest.importorskip("pycocotools", reason="needs the extra datasets")


@pytest.fixture(scope="module")
def golden(golden_root) -> GoldenCase:
    return case(golden_root, "plvl", "preprocess")


def write_split(root, golden, groups):
    """Write the groups' inputs as one split; flickr's items have nothing but what the golden file has."""
    items = []
    for group in groups:
        polygons = sorted(name for name in golden.tensors if name.startswith(f"{group}/in/polygon_"))
        box = [int(number) for number in golden[f"{group}/in/box_xyxy"].tolist()]
        items.append((f"{group}.png", [*box, *(golden[name].tolist() for name in polygons)], "the cup"))
        image = golden.numpy(f"{group}/in/image_hwc")[..., ::-1]
        file = root / f"Flickr30k/flickr30k_images/{group}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(file), image)
    (root / "mask_data/flickr").mkdir(parents=True)
    torch.save(items, root / "mask_data/flickr/flickr_val.pth")


def test_polygons(golden, tmp_path):
    groups = sorted({name.split("/")[0] for name in golden.tensors if "/in/polygon_" in name})
    assert groups
    write_split(tmp_path, golden, groups)
    samples = list(open_dataset("plvl-flickr", "val", tmp_path))
    for group, sample in zip(groups, samples, strict=True):
        np.testing.assert_array_equal(sample.image, golden.numpy(f"{group}/in/image_hwc"))
        np.testing.assert_array_equal(sample.masks[0], golden.numpy(f"{group}/in/mask"))
