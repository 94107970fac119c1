"""Instructions to token ids, in the prompts that IVM was trained with; spec section 4."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError, check_file_size
from ivm_ros.grounding import InvalidInstructionError, check_instruction
from ivm_ros.models.ivm.config import IvmConfig

IMAGE = "<image>"
_START, _END = f"USER: {IMAGE}\n{{}} \n", " ASSISTANT:"
TEMPLATES = {
    "policy": _START + _END,
    "discriminator": _START + " Can you follow instruction above based on the given image? \n" + _END,
    "complex_policy": _START
    + " Please localize the target in the image based on given instrution. \n"
    + _END,
}
"""Prompt by purpose: masks, the discriminator, the generator beside it. Misspelt as in the training."""

_ROLES = re.compile(r"\b(?:USER|ASSISTANT)\s*:")
"""What in a prompt says who speaks: ordinary tokens, so that nothing but the text shows them."""


class Prompt(NamedTuple):
    """A prompt's token ids, split behind the picture.

    Attributes:
        before: up to the picture, which follows; the same for every instruction.
        after: from the picture on.
    """

    before: list[int]
    after: list[int]


class PromptTokenizer:
    """LLaVA's tokenizer with IVM's prompts.

    Args:
        path: of a `tokenizer.json`.
        config: says which ids picture, padding and condition have.

    Raises:
        CheckpointError: the file is unusable, or its prompts do not end as the model was trained.
    """

    def __init__(self, path: Path, config: IvmConfig) -> None:
        if path.is_file():
            check_file_size(path, 2**26)  # LLaVA's has 3.6 MB
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise CheckpointError(
                f"expected LLaVA's tokenizer.json at {path}, cannot read one: {error}"
            ) from error
        self._config = config
        self._image, self._padding = config.llava.image_token_id, config.llava.text_config.pad_token_id
        special = self._tokenizer.get_added_tokens_decoder()
        self._special = {token: added.content for token, added in special.items() if added.special}
        got = self._special.get(self._image)
        if got != IMAGE:
            raise CheckpointError(f"expected token {self._image} of {path} to be {IMAGE!r}, got {got!r}")
        for template in TEMPLATES:
            tail = self.split("pick up the red cup", template).after[-2:]
            if tail[0] != config.condition_token:
                raise CheckpointError(
                    f"expected prompts to end with token {config.condition_token} and a colon, but {path} "
                    f"ends them with {tail}: it is not the tokenizer that the model was trained with"
                )

    def split(self, instruction: str, template: str = "policy") -> Prompt:
        """Return the prompt of an instruction.

        Raises:
            InvalidInstructionError: the instruction is empty, too long, or has a word in it by which
                prompts are structured: one of the tokenizer's control words, or "USER:".
        """
        said = check_instruction(instruction)
        text = TEMPLATES[template].format(said)
        ids = self._tokenizer.encode(text).ids
        place = ids.index(self._image)
        prompt = Prompt(ids[:place], ids[place + 1 :])
        words = [self._special[token] for token in prompt.after if token in self._special]
        words += _ROLES.findall(said)
        if words:
            raise InvalidInstructionError(
                f"expected an instruction without the control words {words}, got {instruction!r}"
            )
        return prompt

    def ids(self, instruction: str, template: str = "policy") -> list[int]:
        """Return all ids of a prompt, one per position: the picture takes as many as CLIP has patches."""
        prompt = self.split(instruction, template)
        return [*prompt.before, *[self._image] * self._config.image_token_count, *prompt.after]

    def batch(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return (N, L) int64 ids and attention mask of prompts, padded on the left."""
        longest = max(len(prompt) for prompt in prompts)
        ids = [[self._padding] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        return torch.tensor(ids), torch.tensor(mask)
