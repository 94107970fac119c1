"""ivm-tiny: its text, its files, what it promises as a grounder, and the weights that ship."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny_scenes import SMALL, drawn_scene

import ivm_ros
from ivm_ros.checkpoints import CheckpointError, read_metadata, write_state_dict
from ivm_ros.grounding import InvalidImageError, InvalidInstructionError, Target
from ivm_ros.models.ivm_tiny.encoder import fold_batch_norms, normalise
from ivm_ros.models.ivm_tiny.grounder import (
    WEIGHTS,
    Calibration,
    TinyGrounder,
    load_weights,
    save_weights,
    without_parts,
)
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.text import MAX_WORDS, words


@pytest.fixture
def small():
    torch.manual_seed(0)
    return IvmTiny(SMALL).eval()


@pytest.fixture
def grounder(small):
    return TinyGrounder(small, Calibration(existence=0.0), torch.device("cpu"))


@pytest.fixture(scope="module")
def shipped():
    return ivm_ros.load("ivm-tiny", device="cpu")


# Text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pick up the RED cup!", ["pick", "up", "the", "red", "cup"]),
        ("  déjà,tasse ", ["deja", "tasse"]),
        ("where's_it?", ["where", "s", "it"]),
        ("赤い コップ", ["赤い", "コッフ"]),
        ("...", []),
        ("a " * 100, ["a"] * MAX_WORDS),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@torch.inference_mode()
def test_a_text_means_the_same_in_any_company(small):
    alone, _ = small.text(["the red cup"])
    together, mask = small.text(["the red cup", "pick up the small blue plate left of the bowl"])
    torch.testing.assert_close(together[0, : alone.shape[1]], alone[0])
    assert mask.sum(dim=1).tolist() == [2 + 3, 2 + 10]


# Network


@torch.inference_mode()
def test_folding_batch_norms_changes_nothing(small):
    for module in small.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    image = normalise(torch.from_numpy(drawn_scene(0).image)[None])
    before = small.image(image)
    fold_batch_norms(small)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in small.modules())
    for part, folded in zip(before, small.image(image), strict=True):
        torch.testing.assert_close(folded, part, atol=1e-3, rtol=1e-3)


# As a grounder


@pytest.mark.parametrize("size", [(64, 64), (480, 640), (37, 11), (1, 1), (90, 400), (2160, 3840)])
def test_answers_have_the_images_size(grounder, size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    grounding = grounder(image, "the red cube")
    assert grounding.heatmap.shape == size and grounding.heatmap.dtype == np.float32
    assert 0 <= grounding.heatmap.min() <= grounding.heatmap.max() <= 1 and 0 <= grounding.existence <= 1
    assert grounding.instruction == "the red cube"
    for target in grounding.targets:
        assert target.mask.shape == size


def test_an_empty_scene_is_answered(grounder):
    """However little is seen, there is an object to match words with."""
    features = grounder.encode(np.full((120, 160, 3), 128, np.uint8))
    assert len(features.seen.found.sure) >= 1
    for grounding in grounder.ground_many(features, ["the red cube", "everything"]):
        assert grounding.heatmap.shape == (120, 160) and np.isfinite(grounding.heatmap).all()


def test_many_instructions_are_answered_as_one_by_one(grounder):
    features = grounder.encode(drawn_scene(0).image)
    texts = ["the red cube", "pick up the blue thing", "the giraffe"]
    for one, text in zip(grounder.ground_many(features, texts), texts, strict=True):
        np.testing.assert_allclose(one.heatmap, grounder.ground(features, text).heatmap, atol=1e-4)
    assert grounder.ground_many(features, []) == []


def test_nothing_found_has_no_targets_and_low_existence(small):
    grounder = TinyGrounder(small, Calibration(existence=1.0), torch.device("cpu"))
    grounding = grounder(drawn_scene(0).image, "the red cube")
    assert not grounding.found and grounding.existence <= 0.5


def test_bad_input_is_refused(grounder):
    with pytest.raises(InvalidImageError):
        grounder.encode(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(InvalidInstructionError):
        grounder.ground(grounder.encode(drawn_scene(0).image), "  ")


# Files


def test_weights_round_trip(tmp_path, small):
    path = tmp_path / "tiny.safetensors"
    small.image.merge8.norm.running_var.fill_(1e6)  # beyond float16
    calibration = Calibration(-1.0, 0.5, 0.25, 0.4, shift=-0.5, scale=0.75, target=0.6, mask=0.45)
    save_weights(small, path, {"step": "12"}, calibration)
    loaded, got = load_weights(path)
    assert got == calibration and loaded.config == SMALL
    assert read_metadata(path)["step"] == "12"
    for key, value in loaded.state_dict().items():
        torch.testing.assert_close(value, small.state_dict()[key], atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "expected .* to be of format"),
        ({"format": "ivm-tiny 1"}, "expected .* to be of format"),
        ({"format": "ivm-tiny 4"}, "unusable metadata"),
        ({"format": "ivm-tiny 4", "config": "{", "calibration": "{}"}, "unusable metadata"),
        ({"format": "ivm-tiny 4", "config": '{"wings": 2}', "calibration": "{}"}, "unusable metadata"),
        ({"format": "ivm-tiny 4", "config": SMALL.to_json(), "calibration": "{}"}, "does not fit IvmTiny"),
    ],
)
def test_foreign_files_are_refused(tmp_path, metadata, message):
    path = tmp_path / "x.safetensors"
    write_state_dict({"weight": torch.zeros(1)}, path, metadata)
    with pytest.raises(CheckpointError, match=message):
        ivm_ros.load("ivm-tiny", checkpoint=path, device="cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "ivm-huge"}, "expected a model of .*ivm-tiny.*got 'ivm-huge'"),
        ({"name": "ivm-tiny", "checkpoint": "/nowhere.safetensors"}, "there is none at /nowhere"),
        ({"name": "ivm-tiny", "device": "toaster"}, "expected a device that is usable here"),
    ],
)
def test_load_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        ivm_ros.load(**arguments)


# The weights that ship


def test_shipped_weights_are_small_and_described():
    assert WEIGHTS.stat().st_size <= 12e6
    metadata = read_metadata(WEIGHTS)
    assert 0 < json.loads(metadata["calibration"])["existence"] < 1
    assert (WEIGHTS.parent / "MODEL_CARD.md").is_file()


def test_shipped_weights_tell_colours_apart(shipped):
    image = np.full((480, 640, 3), (150, 140, 130), np.uint8)
    image[:300] = (110, 100, 95)
    image[320:400, 100:180], image[320:400, 400:480] = (200, 20, 25), (25, 40, 200)
    features = shipped.encode(image)
    red, blue = shipped.ground_many(features, ["the red cube", "the blue cube"])
    patches = np.s_[330:390, 110:170], np.s_[330:390, 410:470]
    assert red.heatmap[patches[0]].mean() > red.heatmap[patches[1]].mean() + 0.3
    assert blue.heatmap[patches[1]].mean() > blue.heatmap[patches[0]].mean() + 0.3


def test_answers_repeat_exactly(shipped):
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    first, second = (shipped(image, "grab the red cup") for _ in range(2))
    np.testing.assert_array_equal(first.heatmap, second.heatmap)
    assert first.existence == second.existence


def test_parts_of_a_surer_target_are_no_targets():
    def target(rows, columns, score):
        mask = np.zeros((20, 30), np.bool_)
        mask[rows, columns] = True
        return Target.from_mask(mask, score, "bottle")

    bottle = target(slice(2, 18), slice(4, 10), 0.9)
    neck = target(slice(1, 5), slice(5, 9), 0.6)  # 12 of 16 pixels are the bottle's
    other = target(slice(2, 18), slice(9, 16), 0.5)  # beside it, a little over its edge
    assert without_parts([bottle, neck, other]) == (bottle, other)
    assert without_parts([neck, bottle]) == (neck, bottle)  # the larger one is no part of the smaller
    assert without_parts([]) == ()
