"""The pictures of IVM's three generations of post-processing (spec sections 2.1 to 2.3).

The reference's model was a stub when these numbers were made: it resized the logits once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import GoldenCase, case, parametrize

from ivm_ros.models.ivm.postprocess import bounding_box, one_step_heatmap
from ivm_ros.rendering import MODES, RenderSettings, composite

FRACTION_ATOL = 1e-5  # of values in [0, 1], by a note in the manifest; its own tolerance is for grey levels


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for argument, file in (
        ("current", "postprocess_current"),
        ("legacy", "postprocess_legacy"),
        ("first", "postprocess_seven"),
    ):
        parametrize(metafunc, argument, "ivm", file, lambda entry: list(entry["config"]["cases"]))


class Cases:
    """A golden file whose manifest has cases: options that override the defaults of all."""

    def __init__(self, golden: GoldenCase) -> None:
        self.golden = golden

    def options(self, name: str) -> dict[str, Any]:
        return {**self.golden.config.get("defaults", {}), **self.golden.config["cases"][name]}

    def count(self) -> int:
        return len(self.golden["in.logits"])

    def image(self, name: str) -> np.ndarray:
        image = self.golden.numpy(name)
        return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image

    def probability(self, index: int, image: np.ndarray) -> np.ndarray:
        return one_step_heatmap(self.golden["in.logits"][[index]], (image.shape[1], image.shape[0]))

    def assert_rounded(self, picture: np.ndarray, name: str) -> None:
        """Ours is rounded to the nearest grey level, the reference is not."""
        assert picture.dtype == np.uint8
        self.golden.assert_close(picture, name, extra=0.5)


def read(golden_root: Path, file: str) -> Cases:
    return Cases(case(golden_root, "ivm", file))


def hexadecimal(color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def weights(probability: np.ndarray, settings: RenderSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return how much of each pixel is kept, and which pixels a crop is cut around, both (H, W)."""
    part = MODES[settings.mode].weights(probability, settings)
    values = np.full(probability.shape, part.outside, np.float32)
    kept = np.full(probability.shape, part.outside > 0)
    values[part.region], kept[part.region] = part.values, part.kept
    return values, kept


def current_settings(options: dict[str, Any]) -> RenderSettings:
    return RenderSettings(
        threshold=options["threshold"],
        crop=options.get("do_crop", False),
        fill=hexadecimal(options.get("overlay_color", (255, 255, 255))),
    )


def test_current_pictures(golden_root, current):
    cases = read(golden_root, "postprocess_current")
    options = cases.options(current)
    for index, name in enumerate(options["images"].split(",")):
        image = cases.image(f"in.{name}")
        picture = composite(image, cases.probability(index, image), current_settings(options))
        cases.assert_rounded(picture, f"out.{current}.image{index}")


def test_current_probabilities_and_weights(golden_root):
    cases = read(golden_root, "postprocess_current")
    names = [name for name in cases.golden.tensors if name.startswith("mid.")]
    assert names
    for name in names:
        # mid.prob<image> and mid.soft_alpha_thr<threshold>_<image>
        index = int(name.rsplit("_", 1)[1] if "_" in name else name.removeprefix("mid.prob"))
        probability = cases.probability(index, cases.image(f"in.image{index}"))
        if name.startswith("mid.soft_alpha_thr"):
            threshold = float(name.removeprefix("mid.soft_alpha_thr").rsplit("_", 1)[0])
            # Taken before the not-found rule, which the hard modes are without.
            mode = "highlight" if probability.max() >= threshold else "hard_highlight"
            probability, _ = weights(probability, RenderSettings(mode=mode, threshold=threshold))
        cases.golden.assert_close(probability, name, atol=FRACTION_ATOL)


def legacy_settings(options: dict[str, Any], mode: str, crop: bool = False) -> RenderSettings:
    return RenderSettings(
        mode=mode,
        crop=crop,
        blur_kernel=options["blur_kernel_size"],
        range_threshold=options["range_threshold"],
        box_threshold=options["boxes_threshold"],
        dilate_rate=options["dilate_kernel_rate"],
        min_reserved=options["min_reserved_ratio"],
        fill=hexadecimal(options["fill_color"]),
    )


@pytest.mark.parametrize(
    ("mode", "crop", "output"),
    [
        ("soft_blur", False, "blur_image"),
        ("soft_highlight", False, "highlight_image"),
        ("soft_blur", True, "cropped_blur_img"),
        ("soft_highlight", True, "cropped_highlight_img"),
        ("soft_alpha", False, "rgba_image"),
    ],
)
def test_legacy_pictures(golden_root, legacy, mode, crop, output):
    cases = read(golden_root, "postprocess_legacy")
    settings = legacy_settings(cases.options(legacy), mode, crop)
    for index in range(cases.count()):
        image = cases.image(f"in.image{index}")
        picture = composite(image, cases.probability(index, image), settings)
        cases.assert_rounded(picture, f"out.{legacy}.{output}.{index}")


def test_legacy_weights_and_boxes(golden_root, legacy):
    cases = read(golden_root, "postprocess_legacy")
    settings = legacy_settings(cases.options(legacy), "soft_blur")
    boxes = []
    for index in range(cases.count()):
        soft, kept = weights(cases.probability(index, cases.image(f"in.image{index}")), settings)
        cases.golden.assert_close(soft[..., None], f"out.{legacy}.soft.{index}", atol=FRACTION_ATOL)
        assert np.array_equal(kept, soft > settings.box_threshold)
        boxes.append(bounding_box(soft, settings.box_threshold) or (-1, -1, -1, -1))
    cases.golden.assert_close(np.array(boxes), f"out.{legacy}.bbox_each")
    if boxes[-1][0] >= 0:  # else it is a box that the reference had left over from another image
        cases.golden.assert_close(np.array(boxes[-1]), f"out.{legacy}.bbox_last")


def first_settings(options: dict[str, Any], mode: str, crop: bool = False) -> RenderSettings:
    return RenderSettings(
        mode=mode,
        crop=crop,
        threshold=options["threshold"],
        blur_kernel=options["blur_kernel_size"],
        dilate_kernel=options["dilate_kernel_size"],
        fill=hexadecimal(options["fill_color"]),
    )


@pytest.mark.parametrize(
    ("mode", "crop", "output"),
    [
        ("hard_blur", False, "blur_image"),
        ("hard_highlight", False, "highlight_image"),
        ("hard_blur", True, "cropped_blur_img"),
        ("hard_highlight", True, "cropped_highlight_img"),
        ("hard_alpha", False, "alpha_image"),
    ],
)
def test_first_pictures(golden_root, first, mode, crop, output):
    cases = read(golden_root, "postprocess_seven")
    image = cases.image("in.image")
    settings = first_settings(cases.options(first), mode, crop)
    picture = composite(image, cases.probability(0, image), settings)
    cases.assert_rounded(picture, f"out.{first}.{output}")


def test_first_probabilities_and_weights(golden_root, first):
    cases = read(golden_root, "postprocess_seven")
    probability = cases.probability(0, cases.image("in.image"))
    hard, _ = weights(probability, first_settings(cases.options(first), "hard_blur"))
    cases.golden.assert_close(hard[..., None], f"out.{first}.hard", atol=FRACTION_ATOL)
    if f"out.{first}.soft" in cases.golden.tensors:  # the same for every case: kept once
        cases.golden.assert_close(probability[..., None], f"out.{first}.soft", atol=FRACTION_ATOL)
