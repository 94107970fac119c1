"""The suite `ivm` on a tiny network: the plain way, each habit that it can leave, and what is refused."""

from __future__ import annotations

import sys
from dataclasses import fields

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="pip install 'ivm-ros[transformers]'")

from ivm_ros.bench import ivm, ivm_subject, plain_ivm
from ivm_ros.bench.ivm_subject import choose_subject
from ivm_ros.bench.plain_ivm import Habits, PlainIvm
from ivm_ros.bench.random_ivm import INSTRUCTIONS, scaled_down
from ivm_ros.bench.suite import DisagreementError, Options
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.grounder import IvmGrounder

HABITS = [habit.name for habit in fields(Habits)]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Let the small size be tiny, and torch take one thread: two wait for each other on a busy machine."""
    monkeypatch.setattr(ivm_subject, "scaled_down", IvmConfig.small)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def subject():
    return choose_subject(Options(device="cpu"))


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize("left", [[], *([name] for name in HABITS), HABITS], ids=str)
def test_the_plain_way_agrees_with_ours_whatever_it_leaves(subject, image, left):
    plain = PlainIvm(subject.model, subject.tokenizer, subject.state, Habits(**dict.fromkeys(left, False)))
    ours = IvmGrounder(subject.model, subject.tokenizer)
    features = ours.encode(image)
    for instruction in INSTRUCTIONS[:2]:
        expected = ours.ground(features, instruction).heatmap
        assert expected.std() > 0.1
        np.testing.assert_allclose(plain(image, instruction), expected, atol=1e-4)


def test_the_plain_way_has_the_habits(subject, image, monkeypatch):
    """Each is seen where it happens, so that a row that leaves it compares two different things."""
    seen = []
    linear = plain_ivm.F.linear
    monkeypatch.setattr(
        plain_ivm.F, "linear", lambda x, w, *rest: seen.append(w.shape) or linear(x, w, *rest)
    )
    plain = PlainIvm(subject.model, subject.tokenizer, subject.state)
    asked = []
    plain._llava.register_forward_pre_hook(lambda _, args, kwargs: asked.append(kwargs), with_kwargs=True)
    plain(image, INSTRUCTIONS[0])
    text = subject.model.config.llava.text_config
    assert (text.vocab_size, text.hidden_size) in seen
    assert (subject.model.config.lora.rank, text.hidden_size) in seen
    assert asked[0]["output_hidden_states"] and asked[0]["use_cache"]
    assert type(plain._sam.layers[0].attn).__name__ == "SamVisionAttention"
    assert plain._llava.language_model.config._attn_implementation == "eager"
    # and the network that it shares tensors with is as it was
    assert subject.model.prompt_encoder.model.language_model.config._attn_implementation == "sdpa"
    shared = {tensor.data_ptr() for tensor in subject.model.parameters()}
    assert {tensor.data_ptr() for tensor in plain._sam.parameters()} <= shared


def test_the_suite_compares_what_it_says(monkeypatch):
    comparisons = list(ivm.suite(Options(device="cpu")))
    alternatives = {each.json_key: each for comparison in comparisons for each in comparison.alternatives}
    assert {
        "first_instruction", "second_instruction", "four_instructions", "sdpa", "no_language_head",
        "no_stored_states", "last_layer_for_one_position", "merged_adapters", "condition_reuse", "bfloat16",
    } <= alternatives.keys()  # fmt: skip
    assert alternatives["second_instruction"].against == "first instruction"
    assert 0 < alternatives["bfloat16"].numbers["difference"] < 0.5
    assert alternatives["bfloat16"].numbers["mask_iou"] > 0.8
    assert all(each.run() is not None for each in alternatives.values())


def test_a_brief_suite_is_its_first_table():
    (comparison,) = ivm.suite(Options(device="cpu", brief=True))
    assert [each.json_key for each in comparison.alternatives] == [
        "plain",
        "first_instruction",
        "second_instruction",
    ]
    assert comparison.alternatives[1].numbers["difference"] < 1e-3


def test_ways_that_disagree_are_not_timed(monkeypatch):
    def unlike(self, features, texts):
        return [heat + np.float32(2e-3) for heat in look(self, features, texts)]

    look = IvmGrounder.look
    monkeypatch.setattr(IvmGrounder, "look", unlike)
    with pytest.raises(DisagreementError, match=r"expected IVM's probabilities.* at most 0.001"):
        next(ivm.suite(Options(device="cpu")))


def test_a_checkpoint_is_measured_without_adapters_and_without_bitsandbytes(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    from ivm_ros.models.ivm.small import write_small

    write_small(tmp_path, texts=INSTRUCTIONS)
    comparisons = list(ivm.suite(Options(device="cpu", checkpoint=tmp_path)))
    names = {each.name for comparison in comparisons for each in comparison.alternatives}
    assert {"sdpa", "bfloat16"} <= names and not {"merged adapters", "8bit", "4bit"} & names
    assert "8bit and 4bit left out: expected bitsandbytes" in comparisons[-1].title


def test_what_cannot_fit_is_refused(monkeypatch):
    monkeypatch.setattr(ivm_subject.os, "sysconf", lambda name: 1)
    with pytest.raises(ValueError, match="GB of memory on cpu"):
        choose_subject(Options(device="cpu"))


def test_the_scaled_down_sizes_keep_the_published_proportions():
    small, published = scaled_down(), IvmConfig()
    assert small.image_token_count == published.image_token_count

    def work(config):
        """Multiplications of the image encoder's and of the language model's linear layers."""
        vision, text = config.vision, config.llava.text_config
        patches = (vision.image_size // vision.patch_size) ** 2
        sam = 12 * vision.hidden_size**2 * vision.num_hidden_layers * patches
        layer = 4 * text.hidden_size**2 + 3 * text.hidden_size * text.intermediate_size
        return sam, layer * text.num_hidden_layers * (config.image_token_count + 25)

    shares = [sam / (sam + language) for sam, language in (work(small), work(published))]
    assert shares[0] == pytest.approx(shares[1], abs=0.1)
    assert sum(work(published)) / sum(work(small)) == pytest.approx(450, rel=0.2)
    assert small.vision.hidden_size // small.vision.num_attention_heads == 80
