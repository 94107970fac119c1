"""What a model needs in memory is known without taking it, and is what it takes."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import ivm_ros
from ivm_ros.models import registry
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.memory import memory_needs, weights_by_part, working_memory
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.precision import PRECISIONS, quantised_linear
from ivm_ros.models.ivm.small import write_small
from ivm_ros.models.ivm.weights import empty_ivm
from ivm_ros.models.layers.allocations import Allocations
from ivm_ros.models.layers.sam_attention import attend_in_blocks
from ivm_ros.models.memory import MemoryNeed, first_fitting

QUANTISED = "prompt_encoder.model.language_model.layers.0.mlp.up_proj.weight"
DEVICES = ["cpu", "meta"]
KB = 1000


@pytest.mark.parametrize("device", DEVICES)
def test_live_and_most_bytes(device):
    outside = torch.zeros(10, device=device)
    with torch.inference_mode(), Allocations() as allocations:
        first = torch.zeros(KB, device=device)
        assert allocations.live == 4 * KB
        second = first.to(torch.float64)
        assert allocations.live == 12 * KB
        first = first.view(10, 100).T  # takes nothing
        outside += 1  # was there before
        outside.view(2, 5)
        assert (allocations.live, allocations.peak) == (12 * KB, 12 * KB)
        del second
        gc.collect()
        third = first * 2
        assert (allocations.live, allocations.peak) == (8 * KB, 12 * KB)
    del first, third
    gc.collect()
    assert allocations.live == 0


@pytest.mark.parametrize("device", DEVICES)
def test_parts_of_an_operator_are_seen(device):
    x, y = torch.zeros(2, 3, 8, 8, device=device), torch.zeros(3, 8, 8, device=device)
    with torch.inference_mode(), Allocations() as allocations:
        result = torch.matmul(x, y)  # copies y twice on its way
    assert (allocations.live, allocations.peak) == (result.nbytes, result.nbytes + 2 * y.nbytes)


@pytest.mark.parametrize("device", DEVICES)
def test_attention_keeps_no_scores(device):
    x = torch.zeros(1, 2, 512, 8, device=device)
    with torch.inference_mode(), Allocations() as allocations:
        F.scaled_dot_product_attention(x, x, x)
    assert allocations.peak == x.nbytes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_network_without_memory_needs_what_one_in_memory_takes(dtype):
    config = IvmConfig.small()
    in_memory = Ivm(config).eval().requires_grad_(False)
    empty = empty_ivm(config)
    for model in (in_memory, empty):
        model.image_encoder.to(dtype)
        model.prompt_encoder.model.to(dtype)
    kept, working = working_memory(empty)
    assert (kept, working) == working_memory(in_memory)
    assert 0 < kept < working


def test_it_is_what_the_grounder_takes(tmp_path):
    config = IvmConfig.small(image_size=512)  # large enough that pictures on their way are a small part
    write_small(tmp_path, config)
    grounder = ivm_ros.load("ivm", checkpoint=tmp_path, device="cpu")
    with torch.inference_mode(), Allocations() as allocations:
        features = grounder.encode(np.zeros((512, 512, 3), np.uint8))
        kept = allocations.live
        grounder.ground(features, "the red cup")
    empty = empty_ivm(config)
    attend_in_blocks(empty.image_encoder)
    expected = working_memory(empty)
    assert (kept, allocations.peak) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_weights_are_counted_by_part(name):
    model, precision = empty_ivm(IvmConfig.small()), PRECISIONS[name]
    parts = weights_by_part(model, precision)
    assert list(parts) == ["SAM", "CLIP", "language", "decoder"]
    expected = {
        "SAM": (model.image_encoder, precision.vision),
        "language": (model.prompt_encoder.model.language_model, precision.language),
    }
    for part, (module, dtype) in expected.items():
        assert parts[part] == sum(tensor.numel() for tensor in module.parameters()) * dtype.itemsize
    floats = sum(tensor.numel() for tensor in model.parameters())
    assert name != "float32" or sum(parts.values()) == pytest.approx(4 * floats, rel=1e-3)  # buffers


@pytest.mark.parametrize("name", ["8bit", "4bit"])
def test_quantised_weights_are_as_large_as_computed(name):
    pytest.importorskip("bitsandbytes", reason="needs the extra: pip install 'ivm-ros[quantised]'")
    precision, weight = PRECISIONS[name], torch.randn(384, 256)
    layer = quantised_linear(weight, precision.bits, precision.language, torch.device("cpu"))
    tensors = [layer.weight.data]
    if name == "8bit":
        tensors += [layer.weight.SCB]
    else:
        state = layer.weight.quant_state
        tensors += [state.absmax, state.code, state.offset, state.state2.absmax, state.state2.code]
    assert precision.size(QUANTISED, weight.shape) == sum(tensor.nbytes for tensor in tensors)


def test_fewer_bits_need_less():
    needs = memory_needs(IvmConfig.small())
    assert [need.precision for need in needs] == ["float32", "bfloat16", "8bit", "4bit"]
    totals = [need.total for need in needs]
    assert totals == sorted(totals, reverse=True)
    assert not any(need.checked for need in needs)  # other sizes than the published ones were not


def test_the_best_precision_that_fits_is_picked():
    needs = [MemoryNeed("fine", {"all": 90}, 1, 10), MemoryNeed("coarse", {"all": 40}, 1, 10)]
    picked = [first_fitting(needs, memory, reserve=5) for memory in (105, 104, 55, 54)]
    assert picked == [needs[0], needs[1], needs[1], None]


def test_a_model_that_nothing_is_known_of_needs_nothing_known():
    assert registry.memory_needs("ivm-tiny") == ()
