"""A scaled-down IVM with random weights, as a folder: to train, to measure, and to test without 17 GB."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers

from ivm_ros.checkpoints import write_state_dict
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.prompt import IMAGE, TEMPLATES
from ivm_ros.models.ivm.weights import canonical_shapes

_TEXTS = ("pick up the red cup left of the plate", "put the lemon into the blue bowl", "hand me the mug")


def small_tokenizer(config: IvmConfig, texts: Iterable[str] = _TEXTS) -> Tokenizer:
    """Return a tokenizer of LLaVA's kind whose ids fit a configuration: BPE, `<s>` first, picture, padding.

    Args:
        config: its vocabulary's last two ids are picture and padding.
        texts: instructions that its words come from; other words are spelt.
    """
    last = config.llava.image_token_id
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    letters = [chr(code) for code in range(32, 127)]
    trainer = trainers.BpeTrainer(
        vocab_size=last,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=letters,
        show_progress=False,
    )
    prompts = [template.format(text) for template in TEMPLATES.values() for text in texts]
    tokenizer.train_from_iterator([prompt.replace(IMAGE, "") for prompt in prompts], trainer)
    unused = last - tokenizer.get_vocab_size()
    tokenizer.add_tokens([f"<unused{index}>" for index in range(unused)])
    tokenizer.add_special_tokens([AddedToken(IMAGE, special=True), AddedToken("<pad>", special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return tokenizer


def write_small(
    folder: Path, config: IvmConfig | None = None, texts: Iterable[str] = _TEXTS, seed: int = 0
) -> IvmConfig:
    """Write a folder that `load("ivm", checkpoint=folder)` reads; return its configuration.

    Args:
        folder: made if there is none.
        config: `IvmConfig.small()` if None; its `condition_token` becomes the tokenizer's.
        texts: instructions that the tokenizer's words come from.
        seed: of the weights.
    """
    config = config or IvmConfig.small()
    tokenizer = small_tokenizer(config, texts)
    tail = tokenizer.encode(TEMPLATES["policy"].format("x")).ids[-2]
    config = dataclasses.replace(config, condition_token=tail)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Ivm(config)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_state_dict(canonical_shapes(model), folder / "model.safetensors", {})
    (folder / "config.json").write_text(config.to_json(), encoding="utf-8")
    return config
