"""The two-way transformer and the condition mask decoder of IVM (spec section 5.3)."""

from __future__ import annotations

import pytest
import torch
from golden import GoldenCase, case

from ivm_ros.models.layers.condition_mask_decoder import ConditionMaskDecoder


@pytest.fixture(scope="module")
def golden(golden_root) -> GoldenCase:
    return case(golden_root, "ivm", "mask_decoder")


@pytest.fixture(scope="module")
def decoder(golden) -> ConditionMaskDecoder:
    config = golden.config
    decoder = ConditionMaskDecoder(
        channels=config["transformer_dim"],
        depth=config["depth"],
        heads=config["num_heads"],
        mlp_dim=config["mlp_dim"],
        mask_token_count=config["learnable_token_num"],
        downsample_rate=config["attention_downsample_rate"],
    )
    state = golden.state("mask_decoder.")
    assert len(state) == golden.entry["n_state_dict_tensors"]
    decoder.load_state_dict(state, strict=True)
    return decoder.eval()


@torch.inference_mode()
def test_positions(decoder, golden):
    golden.assert_close(decoder.pe_layer(*golden.config["image_embedding_size"]), "mid.image_pe")


@torch.inference_mode()
def test_transformer_and_upscaling(decoder, golden):
    image = golden["in.image_embeddings"]
    learned = decoder.mask_tokens.weight.expand(len(image), -1, -1)
    tokens = torch.cat([learned, golden["in.condition"]], dim=1)
    pe = decoder.pe_layer(*image.shape[-2:])
    first, _ = decoder.transformer.layers[0](
        tokens, image.flatten(2).transpose(1, 2), tokens, pe.expand_as(image).flatten(2).transpose(1, 2)
    )
    golden.assert_close(first, "mid.layer0_tokens")
    tokens_out, image_out = decoder.transformer(image, pe, tokens)
    golden.assert_close(tokens_out, "mid.tokens_out")
    golden.assert_close(image_out, "mid.image_out_nchw")
    golden.assert_close(decoder.output_upscaling(image_out), "mid.upscaled")


@torch.inference_mode()
def test_hyper_network(decoder, golden):
    image, seen = golden["in.image_embeddings"], []
    hook = decoder.output_hypernetworks_mlps.register_forward_hook(
        lambda module, inputs, output: seen.append((inputs[0], output))
    )
    decoder(image, golden["in.condition"])
    hook.remove()
    ((mean, hyper),) = seen
    golden.assert_close(mean, "mid.mask_token_mean")
    golden.assert_close(hyper, "mid.hyper_out")


@torch.inference_mode()
@pytest.mark.parametrize("suffix", ["", "_multi"], ids=["one condition", "several conditions"])
def test_logits(decoder, golden, suffix):
    logits = decoder(golden["in.image_embeddings" + suffix], golden["in.condition" + suffix])
    golden.assert_close(logits, "out.mask_logits" + suffix)
