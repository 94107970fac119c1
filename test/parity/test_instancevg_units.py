"""The small parts of InstanceVG that the reference's numbers hold one by one."""

from __future__ import annotations

import re

import golden
import instancevg_network
import pytest
import torch

from ivm_ros.checkpoints import load_strictly
from ivm_ros.models.instancevg.blocks import sine_positions
from ivm_ros.models.instancevg.decoder import DeformableAttention, with_coverage
from ivm_ros.models.instancevg.queries import pick_cells


def pytest_generate_tests(metafunc):
    def weights(entry):
        names = entry["index"]["tensor_shapes"]["units.safetensors"]
        return sorted(
            {match[1] for name in names if (match := re.match(r"point_selector\.W([\d.]+)\.", name))}
        )

    golden.parametrize(metafunc, "weight", instancevg_network.SYSTEM, "units", weights)


@pytest.fixture(scope="module")
def units(golden_root):
    return instancevg_network.case(golden_root, "units")


def test_points_are_picked(units, weight):
    name = f"point_selector.W{weight}.flat_index"
    cells = pick_cells(units["point_selector.score_map"].sigmoid(), units[name].shape[1], float(weight))
    assert (cells == units[name]).all()


def test_more_points_than_cells_are_refused(units):
    scores = units["point_selector.score_map"]
    with pytest.raises(ValueError, match="expected at most"):
        pick_cells(scores, scores[0].numel() + 1, 0.1)


def test_sine_positions(units):
    (name,) = (name for name in units.tensors if name.startswith("pos2d."))
    channels, height, width = (int(number) for number in re.findall(r"\d+", name)[1:])
    units.assert_close(sine_positions(height, width, channels)[None], name, atol=1e-5, rtol=0.0)


def levels_of(units):
    """Return the maps with their coverage; what is padding has neither."""
    real = 1 - units["msda.key_padding_mask"].float()[..., None]
    levels, start = [], 0
    for height, width in units["msda.spatial_shapes"].tolist():
        part = slice(start, start + height * width)
        kept, values = (
            x[:, part].transpose(1, 2).unflatten(2, (height, width)) for x in (real, units["msda.value"])
        )
        levels.append(with_coverage(values) * kept)
        start += height * width
    return levels


@torch.inference_mode()
def test_deformable_attention(units):
    """The index does not say into how many heads and points its 8 are split: exactly one split is right."""
    query, levels = units["msda.query"], levels_of(units)
    pairs = len(units["msda.w.attention_weights.bias"]) // len(levels)
    fitting = []
    for heads in (
        count for count in range(1, pairs + 1) if pairs % count == 0 and query.shape[2] % count == 0
    ):
        attention = DeformableAttention(query.shape[2], heads, len(levels), pairs // heads)
        load_strictly(attention, units.state(under="msda.w."))
        read = attention(query + units["msda.query_pos"], units["msda.reference_points"], levels)
        error = (read + query - units["msda.out"]).abs().max().item()  # with the residual, as recorded
        fitting.extend([heads] if error <= 1e-5 else [])
    assert len(fitting) == 1
