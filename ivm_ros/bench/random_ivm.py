"""An IVM with random weights, to measure where no checkpoint is: sizes, tensors, a tokenizer."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlavaConfig, SamVisionConfig

from ivm_ros.models.ivm.config import DecoderConfig, IvmConfig
from ivm_ros.models.ivm.model import CONDITION_POSITION
from ivm_ros.models.ivm.prompt import TEMPLATES, PromptTokenizer
from ivm_ros.models.ivm.small import small_tokenizer
from ivm_ros.models.ivm.weights import canonical_shapes, empty_ivm

INSTRUCTIONS = (
    "pick up the red cup that stands on the left of the white plate and hand it to me",
    "put the yellow lemon that lies next to the green bottle into the blue bowl on the right",
    "push the small brown box that is closest to the robot away from the edge of the table",
    "find the gray spoon that somebody has left behind the orange brick and bring it to the sink",
)
"""As long in tokens of `word_tokenizer` as instructions of half their length are in LLaMA's."""

_WIDE_RANGE = ("embed", "class_embedding", "mask_tokens", "positional_encoding")
"""Parts of the names of tensors that are looked up rather than multiplied with."""

_ADAPTED = ("q_proj.weight", "v_proj.weight")


def scaled_down() -> IvmConfig:
    """Return the published design at about 1/450 of the work, in the published proportions where it can be.

    Kept: 576 positions of the picture, heads of 80 (SAM) and 128 (language), one global layer in eight with
    as large a share of SAM's work, SAM's share of all work (two fifths), the language head's share (a
    fiftieth of the language model's). Not kept: attention has a larger share of the language model's work,
    and the last of six layers is more than the last of 32.
    """
    published = IvmConfig()
    vision, llava = published.vision.to_dict(), published.llava.to_dict()
    vision |= {
        "hidden_size": 240,
        "num_hidden_layers": 8,
        "num_attention_heads": 3,
        "mlp_dim": 960,
        "image_size": 512,
        "window_size": 8,
        "global_attn_indexes": [7],
        "output_channels": 64,
    }
    llava["vision_config"] |= {
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "projection_dim": 96,
    }
    llava["text_config"] |= {
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 6,
        "num_attention_heads": 3,
        "num_key_value_heads": 3,
        "head_dim": 128,
        "vocab_size": 768,
        "pad_token_id": 767,
    }
    llava["image_token_id"] = 766
    return IvmConfig(
        vision=SamVisionConfig(**vision),
        llava=LlavaConfig(**llava),
        projection_dim=192,
        decoder=DecoderConfig(mlp_dim=512),
    )


def random_state(config: IvmConfig, device: torch.device, seed: int = 0) -> dict[str, Tensor]:
    """Return float32 tensors for all of IVM under canonical names, with adapters.

    Linear layers keep the size of what goes through them, and attention is sharp, so that every layer and
    every word counts for the result.
    """
    generator = torch.Generator(device).manual_seed(seed)

    def normal(shape: tuple[int, ...], scale: float) -> Tensor:
        return torch.randn(shape, generator=generator, device=device) * scale

    state = {}
    for name, tensor in canonical_shapes(empty_ivm(config)).items():
        shape = tuple(tensor.shape)
        if len(shape) == 1:
            centre = 1.0 if name.endswith("weight") else 0.0
            state[name] = centre + normal(shape, 0.02)
        elif any(part in name for part in _WIDE_RANGE):
            state[name] = normal(shape, 0.3)
        elif "rel_pos" in name:
            state[name] = normal(shape, 0.1)
        else:
            sharper = 1.5 if name.endswith(("q_proj.weight", "k_proj.weight")) else 1.0
            state[name] = normal(shape, sharper / math.sqrt(tensor.numel() / shape[0]))
        if "language_model" in name and name.endswith(_ADAPTED):
            stem, rank = name.removesuffix(".weight"), config.lora.rank
            state[f"{stem}.lora_A.weight"] = normal((rank, shape[1]), 1.0 / math.sqrt(shape[1]))
            state[f"{stem}.lora_B.weight"] = normal((shape[0], rank), 0.5 / math.sqrt(rank))
    return state


def word_tokenizer(config: IvmConfig) -> tuple[IvmConfig, PromptTokenizer]:
    """Return a tokenizer that knows the words of `INSTRUCTIONS`, and the sizes with its condition's token."""
    tokenizer = small_tokenizer(config, INSTRUCTIONS)
    tail = tokenizer.encode(TEMPLATES["policy"].format(INSTRUCTIONS[0])).ids
    config = replace(config, condition_token=tail[CONDITION_POSITION])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(str(path))
        return config, PromptTokenizer(path, config)
