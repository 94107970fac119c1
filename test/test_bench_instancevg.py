"""The suite `instancevg` on a tiny network: the plain way, its habits, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

pytest.importorskip("sentencepiece", reason="pip install 'ivm-ros[instancevg]'")
pytest.importorskip("onnxscript", reason="pip install 'ivm-ros[onnx]'")

from ivm_ros.bench import instancevg, plain_instancevg
from ivm_ros.bench.plain_instancevg import Habits, PlainInstanceVg
from ivm_ros.bench.random_instancevg import INSTRUCTIONS, random_state, scaled_down, write_random
from ivm_ros.bench.suite import DisagreementError, Options
from ivm_ros.clip import load_clip
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import read_checkpoint
from ivm_ros.models.instancevg.grounder import InstanceVgGrounder
from ivm_ros.models.instancevg.pixel_decoder import upsample
from ivm_ros.models.instancevg.reading import Rules

HABITS = [habit.name for habit in fields(Habits)]


def tiny():
    config = InstanceVgConfig.small(layers=1, queries=3, vocabulary=256)
    return replace(config, max_tokens=30)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instancevg")
    write_random(folder, tiny())
    return read_checkpoint(folder, torch.float32, torch.device("cpu"))


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize("left", [[], *([name] for name in HABITS), HABITS], ids=str)
def test_the_plain_way_agrees_with_ours_whatever_it_leaves(parts, image, left):
    plain = PlainInstanceVg(*parts, Rules(rescale=True), Habits(**dict.fromkeys(left, False)))
    ours = InstanceVgGrounder(*parts)
    for instruction in INSTRUCTIONS[:2]:
        expected = ours.look(ours.encode(image), [instruction])
        got = plain.look(image, instruction)
        assert expected.instance_masks.std() > 0.1 and expected.boxes.std() > 0.01
        for name in ("existence", "points", "attention"):
            torch.testing.assert_close(getattr(got, name), getattr(expected, name), rtol=0, atol=1e-4)
        for name in ("classes", "boxes"):
            torch.testing.assert_close(getattr(got, name)[-1], getattr(expected, name)[-1], rtol=0, atol=1e-4)
        for name in ("instance_masks", "global_mask"):
            mine, theirs = getattr(got, name), getattr(expected, name)
            torch.testing.assert_close(mine, upsample(theirs, mine.shape[2:]), rtol=1e-4, atol=1e-3)


def test_the_plain_way_has_the_habits(parts, image, monkeypatch):
    """Each is seen where it happens, so that a row that leaves it compares two different things."""
    model, tokenizer = parts
    lengths, fused, sampled = [], [], []
    batch = plain_instancevg.batch
    monkeypatch.setattr(
        plain_instancevg, "batch", lambda texts, length: lengths.append(length) or batch(texts, length)
    )
    attend, sample = torch.nn.functional.scaled_dot_product_attention, torch.nn.functional.grid_sample
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *args, **rest: fused.append(args[0].shape) or attend(*args, **rest),
    )
    monkeypatch.setattr(
        torch.nn.functional,
        "grid_sample",
        lambda *args, **rest: sampled.append(args[0].shape[1]) or sample(*args, **rest),
    )
    config = model.config
    found = PlainInstanceVg(model, tokenizer, Rules()).look(image, INSTRUCTIONS[0])
    assert lengths == [config.max_tokens]
    whole = config.grid**2 + 1 + config.max_tokens
    assert not any(shape[-2] == whole for shape in fused)
    assert set(sampled) == {config.head.width // config.head.decoder_heads}  # values of one head
    assert len(found.boxes) == config.head.decoder_layers
    assert found.instance_masks.shape[-1] == config.image_size
    sampled.clear()
    bare = PlainInstanceVg(model, tokenizer, Rules(), Habits(**dict.fromkeys(HABITS, False)))
    found = bare.look(image, INSTRUCTIONS[0])
    assert lengths[-1] is None and len(found.boxes) == 1
    assert set(sampled) == {config.head.width + 1}  # features, and where they are
    assert found.instance_masks.shape[-1] == 4 * config.grid


def test_the_plain_way_takes_the_tensors_and_leaves_the_network(parts):
    model, tokenizer = parts
    before = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    plain = PlainInstanceVg(model, tokenizer, Rules())
    own = {tensor.data_ptr() for tensor in plain._model.state_dict().values()}
    assert {tensor.data_ptr() for tensor in model.state_dict().values()} == own
    assert {name: tensor.data_ptr() for name, tensor in model.state_dict().items()} == before


def test_the_suite_compares_what_agrees_and_refuses_what_does_not(monkeypatch):
    monkeypatch.setattr(
        instancevg,
        "scaled_down",
        lambda: replace(tiny(), head=replace(tiny().head, decoder_layers=1)),
    )
    subject = instancevg.choose_subject(Options(device="cpu"), next(load_clip().frames()))
    monkeypatch.setattr(instancevg, "choose_subject", lambda *_: subject)
    comparisons = list(instancevg.suite(Options(device="cpu")))
    assert len(comparisons) == 4
    rows = {each.json_key: each for comparison in comparisons for each in comparison.alternatives}
    assert {"", "onnx", "second_instruction", "four_instructions", "onnx_four_instructions"} <= set(rows)
    assert all(rows[key].numbers["difference"] < 1e-3 for key in ("", "onnx", "sample_first"))
    for each in rows.values():
        assert each.run() is not None
    monkeypatch.setattr(instancevg, "_TOLERANCE", -1.0)
    with pytest.raises(DisagreementError, match="plain and ours"):
        next(instancevg.suite(Options(device="cpu")))


def test_a_brief_suite_exports_nothing(monkeypatch):
    monkeypatch.setattr(instancevg, "scaled_down", tiny)
    monkeypatch.setattr(instancevg, "export", lambda *_: pytest.fail("nothing is to be exported"))
    (comparison,) = instancevg.suite(Options(device="cpu", brief=True))
    assert [each.json_key for each in comparison.alternatives] == ["plain", "", "second_instruction"]
    assert comparison.alternatives[1].numbers["difference"] < 1e-3


def test_random_weights_are_the_same_every_time():
    first, second = (random_state(tiny()) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_small_size_has_the_proportions_of_the_published_one():
    small, published = scaled_down(), InstanceVgConfig.base()
    for name in ("image_size", "grid", "max_tokens"):
        assert getattr(small, name) == getattr(published, name)
    assert small.head.queries == published.head.queries
    assert small.backbone.ffn == 4 * small.backbone.width
    assert small.backbone.width // small.backbone.heads == 64
