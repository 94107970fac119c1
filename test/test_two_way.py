"""The two-way transformer and the condition mask decoder against numbers of the reference implementation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ivm_ros.models.layers.condition_mask_decoder import ConditionMaskDecoder
from ivm_ros.models.layers.two_way import TwoWayTransformer

GOLDEN = Path(__file__).parent / "golden" / "ivm"
CASE = json.loads((GOLDEN / "manifest.json").read_text())["files"]["mask_decoder.safetensors"]


@pytest.fixture(scope="module")
def tensors():
    return load_file(GOLDEN / "mask_decoder.safetensors")


@pytest.fixture(scope="module")
def decoder(tensors):
    config = CASE["config"]
    decoder = ConditionMaskDecoder(
        channels=config["transformer_dim"],
        depth=config["depth"],
        heads=config["num_heads"],
        mlp_dim=config["mlp_dim"],
        mask_token_count=config["learnable_token_num"],
        downsample_rate=config["attention_downsample_rate"],
    )
    prefix = "sd.mask_decoder."
    state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    assert len(state) == CASE["n_state_dict_tensors"]
    decoder.load_state_dict(state, strict=True)
    return decoder.eval()


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=CASE["rtol"], atol=CASE["atol"])


@torch.inference_mode()
def test_positions_match_the_reference(decoder, tensors):
    expected = tensors["mid.image_pe"]
    assert_close(decoder.pe_layer(*expected.shape[1:]), expected)


@torch.inference_mode()
def test_transformer_matches_the_reference(decoder, tensors):
    image = tensors["in.image_embeddings"]
    tokens = torch.cat(
        [decoder.mask_tokens.weight.expand(len(image), -1, -1), tensors["in.condition"]], dim=1
    )
    pe = decoder.pe_layer(*image.shape[-2:])
    flat = image.flatten(2).transpose(1, 2), tokens, pe.expand_as(image).flatten(2).transpose(1, 2)
    first, _ = decoder.transformer.layers[0](flat[1], flat[0], tokens, flat[2])
    assert_close(first, tensors["mid.layer0_tokens"])
    tokens_out, image_out = decoder.transformer(image, pe, tokens)
    assert_close(tokens_out, tensors["mid.tokens_out"])
    assert_close(image_out, tensors["mid.image_out_nchw"])
    assert_close(decoder.output_upscaling(image_out), tensors["mid.upscaled"])


@torch.inference_mode()
@pytest.mark.parametrize("suffix", ["", "_multi"], ids=["one condition", "four conditions"])
def test_decoder_matches_the_reference(decoder, tensors, suffix):
    logits = decoder(tensors["in.image_embeddings" + suffix], tensors["in.condition" + suffix])
    assert_close(logits, tensors["out.mask_logits" + suffix])


@torch.inference_mode()
def test_masked_tokens_change_nothing():
    torch.manual_seed(0)
    transformer = TwoWayTransformer(depth=2, channels=16, heads=2, mlp_dim=32).eval()
    image, pe, tokens = torch.randn(1, 16, 3, 4), torch.randn(16, 3, 4), torch.randn(1, 3, 16)
    padded = torch.cat([tokens, torch.randn(1, 2, 16)], dim=1)
    mask = torch.tensor([[True, True, True, False, False]])
    expected_tokens, expected_image = transformer(image, pe, tokens)
    actual_tokens, actual_image = transformer(image, pe, padded, mask)
    torch.testing.assert_close(actual_tokens[:, :3], expected_tokens)
    torch.testing.assert_close(actual_image, expected_image)
