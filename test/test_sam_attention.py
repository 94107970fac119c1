"""SAM's global attention in blocks is SAM's global attention."""

from __future__ import annotations

import copy

import pytest
import torch

pytest.importorskip("transformers", reason="needs the extra transformers")

from transformers import SamVisionConfig
from transformers.models.sam.modeling_sam import SamVisionEncoder

from ivm_ros.models.layers.allocations import Allocations
from ivm_ros.models.layers.sam_attention import BlockwiseAttention, attend_in_blocks


@torch.inference_mode()
@pytest.mark.parametrize("side", [16, 64, 176, 192], ids=lambda side: f"{side // 16} rows")
@pytest.mark.parametrize("relative", [True, False], ids=["relative positions", "none"])
def test_blocks_change_no_number_and_take_less(side, relative):
    torch.manual_seed(0)
    config = SamVisionConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=side,
        mlp_dim=32,
        output_channels=8,
        window_size=3,
        global_attn_indexes=[1],
        use_rel_pos=relative,
    )
    plain = SamVisionEncoder(config).eval()
    for name, weight in plain.named_parameters():
        if "rel_pos" in name:
            torch.nn.init.normal_(weight)
    blocks = copy.deepcopy(plain)
    attend_in_blocks(blocks)
    assert [isinstance(layer.attn, BlockwiseAttention) for layer in blocks.layers] == [False, True]
    assert list(blocks.state_dict()) == list(plain.state_dict())
    pixels, answers, peaks = torch.randn(2, 3, side, side), [], []
    for encoder in (plain, blocks):
        with Allocations() as allocations:
            answers.append(encoder(pixels).last_hidden_state)
        peaks.append(allocations.peak)
    torch.testing.assert_close(*answers, rtol=1e-5, atol=1e-5)
    if side > 64 and relative:
        assert peaks[1] < 0.6 * peaks[0]
