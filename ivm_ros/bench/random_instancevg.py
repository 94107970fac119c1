"""An InstanceVG with random weights whose every part counts, to measure without a checkpoint."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import write_folder
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.small import small_words

INSTRUCTIONS = (
    "pick up the red cup left of the plate",
    "the two lemons in the blue bowl",
    "hand me the mug",
    "push the small brown box away from the edge of the table",
)

_WIDE_RANGE = ("embed", "cls_token")
"""Parts of the names of tensors that are looked up rather than multiplied with."""


def scaled_down() -> InstanceVgConfig:
    """Return the published base design at about 1/35 of the work.

    Kept: the picture's 400 patches, at most 50 words, ten queries, how the work is shared between encoder and
    pyramid. Not kept: attention has a larger share of the encoder's work.
    """
    small = InstanceVgConfig.small(image_size=320, width=256, layers=3, queries=10, vocabulary=512)
    return replace(
        small,
        max_tokens=50,
        backbone=replace(small.backbone, ffn=1024, heads=4),
        head=replace(small.head, width=48, reader_heads=8, reader_ffn=96, decoder_heads=8, decoder_ffn=192),
    )


def random_state(config: InstanceVgConfig, seed: int = 0) -> dict[str, Tensor]:
    """Return float32 tensors under our names; the same every time.

    Layers keep the size of what goes through them, and attention is sharp, so that every layer and every word
    counts.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor: Tensor, scale: float) -> Tensor:
        return torch.randn(tensor.shape, generator=generator) * scale

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        start = InstanceVg(config).state_dict()
    state = {}
    for name, tensor in start.items():
        if not tensor.is_floating_point() or name.endswith("running_var"):
            state[name] = tensor
        elif any(part in name for part in _WIDE_RANGE) and "embedding" not in name and tensor.ndim > 1:
            state[name] = normal(tensor, 0.3)
        elif tensor.ndim == 1:  # of norms and biases; offsets start where they look from
            state[name] = tensor + normal(tensor, 0.02)
        else:
            sharper = 1.5 if "q_proj" in name or "k_proj" in name else 1.0
            state[name] = normal(tensor, sharper / math.sqrt(tensor[0].numel()))
    return state


def write_random(folder: Path, config: InstanceVgConfig) -> None:
    """Write a folder of random weights, whose words are those of `INSTRUCTIONS`."""
    with tempfile.TemporaryDirectory() as parts:
        words = Path(parts) / "words.spm"
        words.write_bytes(small_words(config.backbone.vocabulary, INSTRUCTIONS))
        write_folder(folder, config, random_state(config), words)
