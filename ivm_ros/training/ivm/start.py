"""The networks that training starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.discriminator import LmmDiscriminator
from ivm_ros.models.ivm.folder import read_parts
from ivm_ros.models.ivm.keys import LANGUAGE
from ivm_ros.models.ivm.model import Ivm, TwoLinear
from ivm_ros.models.ivm.precision import Precision
from ivm_ros.models.ivm.prompt import PromptTokenizer
from ivm_ros.models.ivm.weights import build
from ivm_ros.models.layers.condition_mask_decoder import ConditionMaskDecoder
from ivm_ros.training.ivm.adapters import GENERATOR, AdaptedDiscriminator, adapt_generator, adapter_weights

TRAINABLE = ("adapters", "all")
"""What may be trained: adapters, projection and decoder, as published; or everything, in small models."""


@dataclass(frozen=True, eq=False)
class Start:
    """What training starts from.

    Attributes:
        ivm: the network, at rest.
        tokenizer: of its prompts.
        tokenizer_file: where it comes from.
        adapters: canonical name -> weight of adapters that were trained before; empty where none were.
    """

    ivm: Ivm
    tokenizer: PromptTokenizer
    tokenizer_file: Path
    adapters: dict[str, Tensor]


def read_start(folder: Path, precision: Precision, device: torch.device) -> Start:
    """Read a folder of released files, in which what IVM trained may be missing and then starts by chance.

    Args:
        folder: SAM's and LLaVA's files, perhaps with IVM's; or a folder that `convert` made.
        precision: of the parts that rest.
        device: where the network goes.

    Raises:
        CheckpointError: a file is missing, unreadable, or does not fit.
    """
    config, state, path = read_parts(folder, untrained=True)
    tokenizer = PromptTokenizer(path, config)
    adapters = {name: state.pop(name) for name in list(state) if ".lora_" in name}
    ivm = build(config, {**_fresh(config), **state}, precision, device, folder)
    return Start(ivm, tokenizer, path, adapters)


def prepare_generator(start: Start, trainable: str) -> Ivm:
    """Say what of the network is trained, and return it.

    Raises:
        ValueError: `trainable` is not of `TRAINABLE`.
        CheckpointError: the adapters to go on from do not fit.
    """
    ivm = start.ivm
    if _wants_all(trainable):
        if start.adapters:
            raise CheckpointError("expected a model without adapters to train all of; convert it first")
        return ivm.requires_grad_(True)
    adapt_generator(ivm)
    own = adapter_weights(ivm.prompt_encoder.model, GENERATOR)
    for key, weight in own.items() if start.adapters else ():
        name = LANGUAGE + key.replace(f".{GENERATOR}.", ".")
        weight.data.copy_(start.adapters[name])
    return ivm


def prepare_discriminator(start: Start, trainable: str) -> LmmDiscriminator:
    """Return a discriminator: adapters in the network's LLaVA, or with a copy of it, all of which is trained.

    Raises:
        ValueError: `trainable` is not of `TRAINABLE`.
    """
    encoder, config = start.ivm.prompt_encoder, start.ivm.config
    device = encoder.text_proj.fc1.weight.device
    hidden = max(1, config.projection_dim // 2)  # 1024 in the published one
    if not _wants_all(trainable):
        return AdaptedDiscriminator(encoder.model, config, hidden).to(device)
    discriminator = LmmDiscriminator(config, hidden).to(device)
    discriminator.model.load_state_dict(encoder.model.state_dict())
    return discriminator


def _wants_all(trainable: str) -> bool:
    if trainable not in TRAINABLE:
        raise ValueError(f"expected to train one of {', '.join(TRAINABLE)}, got {trainable!r}")
    return trainable == "all"


def _fresh(config: IvmConfig) -> dict[str, Tensor]:
    """Return what IVM trains besides adapters, by chance, under canonical names."""
    width, decoder = config.llava.text_config.hidden_size, config.decoder
    parts: dict[str, nn.Module] = {
        "prompt_encoder.text_proj": TwoLinear(width, config.projection_dim, config.vision.output_channels),
        "mask_decoder": ConditionMaskDecoder(
            channels=config.vision.output_channels,
            depth=decoder.depth,
            heads=decoder.heads,
            mlp_dim=decoder.mlp_dim,
            mask_token_count=decoder.mask_tokens,
            downsample_rate=decoder.downsample_rate,
        ),
    }
    return {
        f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()
    }
