"""A scaled-down InstanceVG with random weights, as a folder: to train, to measure, to test without 1 GB."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

import sentencepiece
import torch
from torch import nn

from ivm_ros.models.instancevg.blocks import sine_positions
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import write_folder
from ivm_ros.models.instancevg.model import InstanceVg

_TEXTS = ("pick up the red cup left of the plate", "put the lemon into the blue bowl", "hand me the mug")
_EMBEDDED = 0.5  # deviation of words and positions
_OWN_IDS = 2  # that ours are more than sentencepiece's: padding and mask


def small_words(vocabulary: int, texts: Iterable[str] = _TEXTS) -> bytes:
    """Return a sentencepiece file whose ids fit a vocabulary.

    Args:
        vocabulary: rows of the model's table of words; more letters than that in the texts do not fit.
        texts: instructions that its pieces come from.
    """
    file = io.BytesIO()
    letters = "abcdefghijklmnopqrstuvwxyz"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*(text.lower() for text in texts), " ".join(letters)]),
        model_writer=file,
        vocab_size=vocabulary - _OWN_IDS,
        model_type="bpe",  # whole words even of few texts
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    return file.getvalue()


@torch.no_grad()
def widen(model: InstanceVg) -> None:
    """Give the encoder weights to learn from chance with, by torch's random state.

    The usual deviation of 0.02 suits 768 channels. With 128, words and patches then hardly act on each other
    for the first thousand steps. Here a layer's output is about as large as its input, whatever its width,
    and patches know where they are by DETR's sine positions.
    """
    backbone, grid = model.backbone, model.config.grid
    for module in backbone.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)
    nn.init.trunc_normal_(backbone.text_embed.weight, std=_EMBEDDED)
    tables = backbone.encoder.embed_positions
    nn.init.trunc_normal_(tables["B"].weight, std=_EMBEDDED)  # type: ignore[arg-type]
    places = sine_positions(grid, grid, model.config.backbone.width)
    tables["A"].weight[-grid * grid :] = _EMBEDDED * 2**0.5 * places.flatten(1).T  # type: ignore[operator]


def write_small(
    folder: Path,
    config: InstanceVgConfig | None = None,
    texts: Iterable[str] = _TEXTS,
    seed: int = 0,
    wide: bool = False,
) -> InstanceVgConfig:
    """Write a folder that `load("instancevg", checkpoint=folder)` reads; return its configuration.

    Args:
        folder: made if there is none.
        config: `InstanceVgConfig.small()` if None.
        texts: instructions that the tokenizer's pieces come from.
        seed: of the weights.
        wide: start the encoder as `widen` does.
    """
    config = config or InstanceVgConfig.small()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = InstanceVg(config)
        if wide:
            widen(model)
    with tempfile.TemporaryDirectory() as parts:
        words = Path(parts) / "words.spm"
        words.write_bytes(small_words(config.backbone.vocabulary, texts))
        write_folder(folder, config, model.state_dict(), words)
    return config
