"""The pictures that a policy gets, against the published formulas' golden numbers and on tiny arrays."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

from ivm_ros.grounding import Grounding, Target
from ivm_ros.rendering import MODES, RenderSettings, composite, fill_color, render

GOLDEN = Path(__file__).parent / "golden" / "ivm"
MANIFEST = json.loads((GOLDEN / "manifest.json").read_text())["files"]


def golden(name: str):
    entry = MANIFEST[f"{name}.safetensors"]
    return load_file(GOLDEN / f"{name}.safetensors"), entry["config"], entry["atol"]


def heatmap_of(logits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The reference's stub model: resize the logits, then the sigmoid."""
    resized = cv2.resize(logits, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return (1.0 / (1.0 + np.exp(-resized))).astype(np.float32)


def hexadecimal(color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def assert_rounded(ours: np.ndarray, reference: np.ndarray, atol: float) -> None:
    """Ours is uint8 rounded to nearest, the reference is float."""
    assert ours.dtype == np.uint8
    assert ours.shape == reference.shape
    assert np.abs(ours.astype(np.float64) - reference).max() <= 0.5 + atol


@pytest.mark.parametrize("case", MANIFEST["postprocess_current.safetensors"]["config"]["cases"])
def test_current_generation_matches_golden(case):
    tensors, config, atol = golden("postprocess_current")
    options = config["cases"][case]
    for index, name in enumerate(options["images"].split(",")):
        image = tensors[f"in.{name}"]
        image = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
        settings = RenderSettings(
            threshold=options["threshold"],
            crop=options.get("do_crop", False),
            fill=hexadecimal(options.get("overlay_color", (255, 255, 255))),
        )
        ours = composite(image, heatmap_of(tensors["in.logits"][index, 0], image.shape), settings)
        assert_rounded(ours, tensors[f"out.{case}.image{index}"], atol)


@pytest.mark.parametrize("case", MANIFEST["postprocess_legacy.safetensors"]["config"]["cases"])
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
def test_legacy_generation_matches_golden(case, mode, crop, output):
    tensors, config, atol = golden("postprocess_legacy")
    options = {**config["defaults"], **config["cases"][case]}
    settings = RenderSettings(
        mode=mode,
        crop=crop,
        blur_kernel=options["blur_kernel_size"],
        range_threshold=options["range_threshold"],
        box_threshold=options["boxes_threshold"],
        dilate_rate=options["dilate_kernel_rate"],
        min_reserved=options["min_reserved_ratio"],
        fill=hexadecimal(options["fill_color"]),
    )
    for index in range(len(tensors["in.logits"])):
        image = tensors[f"in.image{index}"]
        ours = composite(image, heatmap_of(tensors["in.logits"][index, 0], image.shape), settings)
        assert_rounded(ours, tensors[f"out.{case}.{output}.{index}"], atol)


@pytest.mark.parametrize("case", MANIFEST["postprocess_seven.safetensors"]["config"]["cases"])
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
def test_first_generation_matches_golden(case, mode, crop, output):
    tensors, config, atol = golden("postprocess_seven")
    options = {**config["defaults"], **config["cases"][case]}
    settings = RenderSettings(
        mode=mode,
        crop=crop,
        threshold=options["threshold"],
        blur_kernel=options["blur_kernel_size"],
        dilate_kernel=options["dilate_kernel_size"],
        fill=hexadecimal(options["fill_color"]),
    )
    image = tensors["in.image"]
    ours = composite(image, heatmap_of(tensors["in.logits"][0, 0], image.shape), settings)
    assert_rounded(ours, tensors[f"out.{case}.{output}"], atol)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def found():
    mask = np.zeros((40, 60), bool)
    mask[10:20, 30:45] = True
    return Grounding("the cup", mask.astype(np.float32) * 0.9, (Target.from_mask(mask, 0.9),), 0.95)


@pytest.fixture
def nothing():
    return Grounding("the cup", np.full((40, 60), 0.2, np.float32), (), 0.1)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_keeps_the_middle_of_the_target(mode, image, found):
    settings = RenderSettings(mode=mode, dilate_kernel=3, min_reserved=0.0)
    picture = render(image, found, settings)
    assert picture.dtype == np.uint8
    assert picture.shape == (40, 60, 4 if mode.endswith("alpha") else 3)
    difference = np.abs(picture[14:16, 36:39, :3].astype(int) - image[14:16, 36:39])
    assert difference.max() <= 1
    if mode.endswith("alpha"):
        assert picture[15, 37, 3] >= 254
        assert picture[39, 0, 3] == 0
    else:
        assert np.abs(picture[39, :20].astype(int) - image[39, :20]).max() > 5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rule", ["pass_through", "hold", "blank"])
def test_not_found_rules(mode, rule, image, nothing):
    picture = render(image, nothing, RenderSettings(mode=mode, not_found=rule))
    same = np.array_equal(picture[..., :3], image)
    if mode.endswith("alpha"):
        assert same
        assert (picture[..., 3] == (0 if rule == "blank" else 255)).all()
    else:
        assert same == (rule != "blank")


def test_warm_spots_that_are_no_targets_are_not_shown(image, found):
    heatmap = found.heatmap.copy()
    heatmap[35:38, 2:5] = 0.9
    spotted = Grounding(found.instruction, heatmap, found.targets, found.existence)
    settings = RenderSettings()
    assert np.array_equal(render(image, spotted, settings), render(image, found, settings))


def test_the_image_that_comes_in_is_never_written_to(image, found, nothing):
    before = image.copy()
    for grounding in (found, nothing):
        for mode in MODES:
            picture = render(image, grounding, RenderSettings(mode=mode))
            picture[:] = 0
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ("fill", "color"),
    [("white", (255, 255, 255)), ("black", (0, 0, 0)), ("#0a14ff", (10, 20, 255)), ("mean", (7, 8, 9))],
)
def test_fill_colors(fill, color):
    image = np.zeros((2, 2, 3), np.uint8)
    image[:] = (7, 8, 9)
    assert fill_color(image, fill) == color


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mode", "sparkle"),
        ("fill", "transparent"),
        ("fill", "#12345"),
        ("threshold", 1.5),
        ("threshold", float("nan")),
        ("not_found", "explode"),
        ("blur_kernel", 4),
        ("dilate_kernel", 0),
    ],
)
def test_settings_out_of_range_are_refused_by_name(setting, value):
    with pytest.raises(ValueError, match=f"expected.*{setting.split('_')[0]}"):
        RenderSettings(**{setting: value})


def test_sizes_must_agree(image, found):
    with pytest.raises(ValueError, match="expected a grounding"):
        render(image[:-1], found, RenderSettings())
