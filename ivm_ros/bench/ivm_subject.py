"""What the suite `ivm` measures: a checkpoint, or random weights of either size."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ivm_ros.bench.random_ivm import random_state, scaled_down, word_tokenizer
from ivm_ros.bench.suite import Options
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.folder import read_folder
from ivm_ros.models.ivm.memory import weights_by_part
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.precision import PRECISIONS
from ivm_ros.models.ivm.prompt import PromptTokenizer
from ivm_ros.models.ivm.weights import build, empty_ivm
from ivm_ros.models.layers.lora import merge_lora
from ivm_ros.models.registry import pick_device

LOWER_PRECISIONS = {
    "bfloat16": "everything but the mask decoder",
    "8bit": "language layers; SAM in bfloat16",
    "4bit": "language layers; SAM in bfloat16",
}
"""What is compared with float32, and what of the network it is about."""

_LOGIT_RANGE = 3.0  # standard deviation that random weights are scaled to


@dataclass(frozen=True, eq=False)
class Subject:
    """What is measured: a network, on its device.

    Attributes:
        about: it, in a few words.
        model: in float32, adapters merged.
        tokenizer: of its prompts.
        state: random tensors before adapters were merged; None for a checkpoint's.
        checkpoint: folder that the weights are from, if they are.
        device: where it runs.
    """

    about: str
    model: Ivm
    tokenizer: PromptTokenizer
    state: dict[str, Tensor] | None
    checkpoint: Path | None
    device: torch.device

    def in_precision(self, name: str) -> Ivm:
        """Return the network in another precision."""
        if self.checkpoint is not None:
            return read_folder(self.checkpoint, PRECISIONS[name], self.device)[0]
        assert self.state is not None
        config = self.model.config
        return build(config, merge_lora(self.state, config.lora.scale), PRECISIONS[name], self.device)


def choose_subject(options: Options) -> Subject:
    """Return the network that the options ask for; random weights are the same every time.

    Raises:
        CheckpointError: the checkpoint is unusable.
        ValueError: the device is not usable here, or has too little memory.
    """
    device = pick_device(options.device)
    if options.checkpoint is not None:
        model, tokenizer = read_folder(options.checkpoint, PRECISIONS["float32"], device)
        return Subject(
            f"IVM of {options.checkpoint.name}", model, tokenizer, None, options.checkpoint, device
        )
    published = options.size == "published"
    config, tokenizer = word_tokenizer(IvmConfig() if published else scaled_down())
    _require_memory(config, device)
    state = random_state(config, device)
    model = build(config, merge_lora(state, config.lora.scale), PRECISIONS["float32"], device)
    _widen(model, state)
    about = "IVM, random weights" if published else "IVM scaled to 1/450 of its work, random weights"
    return Subject(about, model, tokenizer, state, None, device)


@torch.inference_mode()
def _widen(model: Ivm, state: dict[str, Tensor]) -> None:
    """Scale the last layer of random weights so that their logits span what trained ones do."""
    config = model.config
    side = config.vision.image_size // config.vision.patch_size
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, config.vision.output_channels, side, side, generator=generator)
    condition = torch.randn(1, 1, config.vision.output_channels, generator=generator)
    device = next(model.parameters()).device
    logits = model.decode(features.to(device), condition.to(device))
    names = model.mask_decoder.output_hypernetworks_mlps
    for name, tensor in names.layers[-1].named_parameters():
        tensor.mul_(_LOGIT_RANGE / logits.std())
        state[f"mask_decoder.output_hypernetworks_mlps.layers.{len(names.layers) - 1}.{name}"] = tensor


def _require_memory(config: IvmConfig, device: torch.device) -> None:
    """Refuse what cannot fit: the network in all precisions that are compared, side by side.

    Raises:
        ValueError: there is too little free memory.
    """
    model = empty_ivm(config)
    needed = sum(
        sum(weights_by_part(model, PRECISIONS[name]).values()) for name in ("float32", *LOWER_PRECISIONS)
    )
    if device.type == "cuda":
        there = torch.cuda.mem_get_info(device)[0]
    else:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise ValueError(
            f"expected {needed / 1e9:.0f} GB of memory on {device} for this size in all precisions, got "
            f"{there / 1e9:.0f} GB; --size small needs less than 1 GB"
        )
