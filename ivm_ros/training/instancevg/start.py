"""The networks that InstanceVG's training starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import CONFIG, WORDS, read_checkpoint
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.released import read_beit3
from ivm_ros.models.instancevg.small import write_small
from ivm_ros.models.instancevg.text import Tokenizer

SIZES: dict[str, Callable[[], InstanceVgConfig]] = {
    "small": lambda: InstanceVgConfig.small(
        image_size=144,
        width=128,
        layers=4,
        queries=5,
        vocabulary=512,
        patch=12,
        head_width=32,
        dropout=0.0,
    ),
    "base": InstanceVgConfig.base,
    "large": InstanceVgConfig.large,
}
"""Models that training starts anew; the published ones from BEiT-3's encoder, the small one from chance."""


@dataclass(frozen=True, eq=False)
class Start:
    """What training starts from.

    Attributes:
        model: float32, on the CPU, all of it trained.
        tokenizer: of its words.
        words: the tokenizer's file.
        pretrained: the encoder knows something already.
    """

    model: InstanceVg
    tokenizer: Tokenizer
    words: Path
    pretrained: bool


def go_on_from(checkpoint: Path, pretrained: bool = True) -> Start:
    """Start from an InstanceVG: a released file, or a folder as `load` reads it.

    Raises:
        CheckpointError: a file is missing, unreadable, or does not fit.
    """
    model, tokenizer = read_checkpoint(checkpoint, torch.float32, torch.device("cpu"))
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    return Start(model.requires_grad_(True), tokenizer, folder / WORDS, pretrained)


def from_encoder(encoder: Path, config: InstanceVgConfig, seed: int) -> Start:
    """Start from a pretrained BEiT-3 with `beit3.spm` beside it, and a head by chance.

    Raises:
        CheckpointError: a file is missing, unreadable, or does not fit.
    """
    words = encoder.parent / WORDS
    tokenizer = Tokenizer(words, config)
    state = read_beit3(encoder, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = InstanceVg(config)
    model.backbone.load_state_dict(state)
    return Start(model, tokenizer, words, True)


def from_chance(
    folder: Path, config: InstanceVgConfig, texts: Iterable[str], seed: int, again: bool
) -> Start:
    """Start a small model from chance; its words are made of texts of the data.

    Args:
        folder: written, and read from where it is there already and wanted again.
        config: its sizes.
        texts: instructions.
        seed: of its weights.
        again: a run goes on that has the folder already; nothing is made anew.
    """
    if not again:
        write_small(folder, config, texts, seed, wide=True)
    elif not (folder / CONFIG).is_file():
        raise CheckpointError(f"expected what the run started from in {folder}, got nothing")
    return go_on_from(folder, pretrained=False)
