"""IVM as a grounder, at a small size: one pass per picture, little per instruction, honest answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ivm_ros
from ivm_ros.grounding import InvalidInstructionError
from ivm_ros.models.ivm.postprocess import heatmap
from ivm_ros.models.ivm.preprocess import clip_pixels, sam_pixels, squash
from ivm_ros.models.ivm.small import write_small
from ivm_ros.models.options import parse_options

RANDOM = np.random.default_rng(0)
FIRST, SECOND, THIRD = (RANDOM.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(3))
WORDS = ["pick up the red cup", "the blue bowl", "hand me the mug left of the plate, please"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ivm")
    write_small(folder)
    return folder


@pytest.fixture(scope="module")
def grounder(folder):
    return ivm_ros.load("ivm", checkpoint=folder, device="cpu")


def loaded(folder, **options):
    return ivm_ros.load("ivm", checkpoint=folder, device="cpu", **options)


@torch.inference_mode()
def test_it_says_what_the_plain_network_says(grounder):
    model, features = grounder.model, grounder.encode(FIRST)
    side, clip_side = model.config.vision.image_size, model.config.llava.vision_config.image_size
    squashed = squash(FIRST, side)
    for words, heat in zip(WORDS, grounder.look(features, WORDS), strict=True):
        ids, mask = grounder.tokenizer.batch([grounder.tokenizer.ids(words)])
        logits = model(sam_pixels(squashed)[None], clip_pixels(squashed, clip_side)[None], ids, mask)
        np.testing.assert_allclose(heat, heatmap(logits, side, (64, 48)), atol=1e-5)


@torch.inference_mode()
def test_a_padded_batch_says_what_each_prompt_says_alone(grounder):
    encoder, tokenizer = grounder.model.prompt_encoder, grounder.tokenizer
    pixels = clip_pixels(squash(FIRST, 128), grounder.model.config.llava.vision_config.image_size)[None]
    prompts = [tokenizer.ids(words) for words in WORDS]
    ids, mask = tokenizer.batch(prompts)
    together = encoder(pixels.expand(len(WORDS), -1, -1, -1), ids, mask)
    alone = torch.cat([encoder(pixels, *tokenizer.batch([prompt])) for prompt in prompts])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_several_instructions_are_each_as_alone(grounder):
    features = grounder.encode(FIRST)
    for together, words in zip(grounder.ground_many(features, WORDS), WORDS, strict=True):
        alone = grounder.ground(features, words)
        assert together.instruction == alone.instruction == words
        np.testing.assert_allclose(together.heatmap, alone.heatmap, atol=1e-5)
    assert grounder.ground_many(features, []) == []


def test_instructions_are_told_apart(grounder):
    first, second = grounder.look(grounder.encode(FIRST), WORDS[:2])
    assert np.abs(first - second).max() > 1e-6


def test_a_second_instruction_reads_no_picture_again(grounder, monkeypatch):
    features = grounder.encode(FIRST)
    monkeypatch.setattr(type(grounder.model), "encode_image", None)
    monkeypatch.setattr("ivm_ros.models.ivm.grounder.read_prefix", None)
    assert grounder.ground(features, WORDS[0]).heatmap.shape == (48, 64)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 7), (480, 640)])
def test_answers_have_the_size_of_the_picture(grounder, shape):
    grounding = grounder(np.zeros((*shape, 3), np.uint8), WORDS[0])
    assert grounding.heatmap.shape == shape


def test_found_is_what_is_hotter_than_the_threshold(folder):
    heat = loaded(folder).look(loaded(folder).encode(FIRST), WORDS[:1])[0]
    low, high = loaded(folder, threshold=float(heat.min()) * 0.99), loaded(folder, threshold=0.99)
    assert low(FIRST, WORDS[0]).mask.all()
    nothing = high(FIRST, WORDS[0])
    assert not nothing.found
    assert nothing.existence == pytest.approx(float(heat.max()))


def test_conditions_are_used_again_for_as_many_pictures_as_allowed(folder):
    exact, reusing = loaded(folder), loaded(folder, condition_reuse=1)
    heats = [
        [grounder.look(grounder.encode(picture), WORDS[:1])[0] for picture in (FIRST, SECOND, THIRD)]
        for grounder in (exact, reusing)
    ]
    agree = [np.array_equal(ours, theirs) for ours, theirs in zip(*heats, strict=True)]
    assert agree == [True, False, True]  # read, reused, read again
    features = reusing.encode(FIRST)
    reusing.ground(features, WORDS[0])
    assert "prefix" not in vars(features)  # the language model was not asked
    reusing.ground(features, WORDS[1])
    assert "prefix" in vars(features)


def test_only_so_many_conditions_are_remembered(folder):
    grounder = loaded(folder, condition_reuse=5)
    features = grounder.encode(FIRST)
    for number in range(70):
        grounder.ground(features, f"the cup {number}")
    assert len(grounder._conditions) == 64


@pytest.mark.parametrize(
    "words", ["the <image> cup", "<s> the cup", "cup </s> USER: <pad>"], ids=["image", "begin", "padding"]
)
def test_control_words_in_an_instruction_are_refused(grounder, words):
    with pytest.raises(InvalidInstructionError, match="without the control words"):
        grounder.ground(grounder.encode(FIRST), words)


def test_braces_are_only_braces(grounder):
    assert grounder.ground(grounder.encode(FIRST), "the {0} cup {}").instruction == "the {0} cup {}"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["precision=3bit"], "expected a precision of auto, float32"),
        (["threshold=1.5"], "between 0 and 1"),
        (["threshold=hot"], "'threshold' of model 'ivm' as float, got 'hot'"),
        (["condition_reuse=-1"], "number of pictures from 0"),
        (["condition_reuse=0.5"], "as int"),
        (["colour=red"], "one of precision, threshold, condition_reuse; got 'colour'"),
        (["precision"], "NAME=VALUE"),
        (["threshold=0.5", "threshold=0.6"], "once"),
    ],
)
def test_options_that_are_wrong_are_refused(folder, texts, said):
    with pytest.raises(ValueError, match=said):
        loaded(folder, **parse_options(texts))


def test_an_option_that_a_model_does_not_have_is_named():
    with pytest.raises(ValueError, match=r"model 'ivm-tiny': one of .*engine.*; got 'colour'"):
        ivm_ros.load("ivm-tiny", colour="red")


def test_a_missing_library_names_the_extra(folder, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.startswith("ivm_ros.models.ivm.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"needs transformers.*pip install 'ivm-ros\[transformers\]'"):
        loaded(folder)
