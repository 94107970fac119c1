"""The pictures that a policy gets, on tiny arrays; `parity/` holds them against the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from ivm_ros.grounding import Grounding, Target
from ivm_ros.rendering import MODES, RenderSettings, fill_color, render


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
