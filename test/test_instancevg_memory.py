"""What InstanceVG needs in memory is known without taking it, and is what it takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ivm_ros.models import registry
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import read_checkpoint
from ivm_ros.models.instancevg.grounder import InstanceVgGrounder
from ivm_ros.models.instancevg.memory import empty_instancevg, memory_needs, weights_by_part, working_memory
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.reading import Rules
from ivm_ros.models.instancevg.small import write_small
from ivm_ros.models.layers.allocations import Allocations

pytest.importorskip("sentencepiece", reason="needs the extra: pip install 'ivm-ros[instancevg]'")

CPU = torch.device("cpu")
WIDE = InstanceVgConfig.small(image_size=320, width=128, layers=3, queries=4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_network_without_memory_needs_what_one_in_memory_takes(dtype):
    in_memory, empty = InstanceVg(WIDE).eval().requires_grad_(False), empty_instancevg(WIDE)
    for model in (in_memory, empty):
        model.backbone.to(dtype)
    kept, working = working_memory(empty)
    assert (kept, working) == working_memory(in_memory)
    assert 0 < kept < working


def test_it_is_what_the_grounder_takes(tmp_path):
    write_small(tmp_path, WIDE)
    model, tokenizer = read_checkpoint(tmp_path, torch.float32, CPU)
    grounder = InstanceVgGrounder(model, tokenizer, Rules(score_threshold=0.001), targets="all")
    with torch.inference_mode(), Allocations() as allocations:
        features = grounder.encode(np.zeros((480, 640, 3), np.uint8))
        kept = allocations.live
        answer = grounder.ground(features, "pick up the red cup left of the plate in the blue bowl")
    assert len(answer.targets) == WIDE.head.queries
    assert (kept, allocations.peak) == pytest.approx(working_memory(empty_instancevg(WIDE)), rel=0.15)


def test_weights_are_counted_by_part():
    model = empty_instancevg(WIDE)
    parts = weights_by_part(model)
    assert list(parts) == ["encoder", "head"]
    assert sum(parts.values()) == sum(tensor.nbytes for tensor in InstanceVg(WIDE).state_dict().values())
    model.backbone.to(torch.bfloat16)
    halved = weights_by_part(model)
    assert (halved["encoder"], halved["head"]) == (parts["encoder"] / 2, parts["head"])


def test_the_published_size_in_both_precisions():
    full, half = registry.memory_needs("instancevg")
    assert (full.precision, half.precision) == ("float32", "bfloat16")
    assert sum(full.weights.values()) == pytest.approx(0.936e9, rel=0.01)  # of 234 M parameters
    assert full.total > half.total > 0.5 * full.total
    assert full.checked and half.checked
    assert not any(need.checked for need in memory_needs(WIDE))  # other sizes were not measured
