"""The network of golden files, built from what their manifest says."""

from __future__ import annotations

import dataclasses

import golden
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, SamVisionConfig

from ivm_ros.models.ivm.config import DecoderConfig, IvmConfig, LoraConfig
from ivm_ros.models.ivm.keys import canonical_state
from ivm_ros.models.layers.lora import merge_lora

CPU = torch.device("cpu")


def vision_config(config: dict) -> SamVisionConfig:
    return SamVisionConfig(
        hidden_size=config["embed_dim"],
        output_channels=config["out_chans"],
        num_hidden_layers=config["depth"],
        num_attention_heads=config["num_heads"],
        image_size=config["img_size"],
        patch_size=config["patch_size"],
        layer_norm_eps=config["ln_eps"],
        use_rel_pos=config["rel_pos"],
        window_size=config["window_size"],
        global_attn_indexes=config["global_attn_indexes"],
        mlp_dim=int(config["embed_dim"] * config["mlp_ratio"]),
    )


def llava_config(config: dict) -> LlavaConfig:
    return LlavaConfig(
        vision_config=CLIPVisionConfig(**config["clip"]),
        text_config=LlamaConfig(**config["llm"], pad_token_id=config["pad_token_id"]),
        image_token_id=config["image_token_id"],
        vision_feature_layer=config["vision_feature_layer"],
        vision_feature_select_strategy="default",
        image_seq_length=config["image_tokens_per_image"],
    )


def decoder_config(config: dict) -> DecoderConfig:
    return DecoderConfig(
        depth=config["depth"],
        heads=config["num_heads"],
        mlp_dim=config["mlp_dim"],
        mask_tokens=config["learnable_token_num"],
        downsample_rate=config["attention_downsample_rate"],
    )


def config(root, language: str = "llava_condition") -> IvmConfig:
    """Return the configuration of the network that the files of a root describe together."""
    text = golden.case(root, "ivm", language).config
    return IvmConfig(
        vision=vision_config(golden.case(root, "ivm", "sam_encoder").config),
        llava=llava_config(text),
        projection_dim=text["text_proj"][1],
        decoder=decoder_config(golden.case(root, "ivm", "mask_decoder").config),
        lora=LoraConfig(text["lora_r"], text["lora_alpha"]),
    )


def state(root) -> dict[str, torch.Tensor]:
    """Return the state dict of the whole network, adapters unmerged, under the released names."""
    merged: dict[str, torch.Tensor] = {}
    for file in ("sam_encoder", "llava_condition", "mask_decoder"):
        merged.update(golden.case(root, "ivm", file).state())
    return merged


def merged_state(root) -> dict[str, torch.Tensor]:
    """Return the state dict of the whole network, adapters merged, under canonical names."""
    return merge_lora(canonical_state(state(root)), config(root).lora.scale)


def replace(config: IvmConfig, **values) -> IvmConfig:
    return dataclasses.replace(config, **values)
