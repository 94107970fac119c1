"""Instructions to token ids, by the sentencepiece file of BEiT-3; spec section 3.

Ids are those of XLM-RoBERTa: four special ones first, then sentencepiece's own, one higher.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import sentencepiece
import torch
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError, check_file_size
from ivm_ros.grounding import InvalidInstructionError
from ivm_ros.models.instancevg.config import InstanceVgConfig

BEGIN, PAD, END, UNKNOWN = 0, 1, 2, 3
_SHIFT = 1  # between sentencepiece's ids and ours
_DELETED = re.compile(r"[.,'!?\"()*#:;]")
_TO_SPACE = str.maketrans("-/", "  ")
_SPECIAL = re.compile(r"(\s*<mask>|<s>|</s>|<pad>|<unk>)")


def clean(text: str) -> str:
    """Return a text in lower case, without punctuation; white space stays."""
    return _DELETED.sub("", text.lower()).translate(_TO_SPACE)


def plain(instruction: str) -> str:
    """Return an instruction as it is.

    The published tokenizer reads "<mask>" and its like in a text as control words, and so does `Tokenizer`;
    what a user says must not reach them.

    Raises:
        InvalidInstructionError: it has a control word in it once `clean` is done with it.
    """
    words = [word.strip() for word in _SPECIAL.findall(clean(instruction))]
    if words:
        raise InvalidInstructionError(
            f"expected an instruction without the control words {words}, got {instruction!r}"
        )
    return instruction


class Tokenizer:
    """Instructions to ids.

    Args:
        path: the sentencepiece file, `beit3.spm`.
        config: its table of words has a row for every id, and it says how long texts may be.

    Raises:
        CheckpointError: the file is missing, no sentencepiece model, or has more pieces than the model knows.
    """

    def __init__(self, path: Path, config: InstanceVgConfig) -> None:
        if not path.is_file():
            raise CheckpointError(f"expected a sentencepiece file, but there is none at {path}")
        check_file_size(path, 2**26)  # the published one has 1.4 MB
        self.path = path
        try:
            self._pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except RuntimeError as error:
            raise CheckpointError(f"cannot read {path}: it is no sentencepiece file ({error})") from error
        mask = self._pieces.get_piece_size() + _SHIFT
        if mask >= config.backbone.vocabulary:
            raise CheckpointError(
                f"expected at most {config.backbone.vocabulary} token ids, as the model has, got {mask + 1} "
                f"of {path}"
            )
        self._special = {"<s>": BEGIN, "<pad>": PAD, "</s>": END, "<unk>": UNKNOWN, "<mask>": mask}
        self._limit = config.max_tokens

    def all_ids(self, text: str) -> list[int]:
        """Return the ids of a whole text, without begin and end."""
        ids: list[int] = []
        for part in _SPECIAL.split(clean(text)):
            if part.strip() in self._special:
                ids.append(self._special[part.strip()])
            elif part:
                ids.extend(_ours(piece) for piece in self._pieces.encode(part))
        return ids

    def ids(self, instruction: str) -> list[int]:
        """Return the ids of an instruction between begin and end; warns where it is longer and cut.

        Raises:
            InvalidInstructionError: nothing is left of it without punctuation.
        """
        ids = self.all_ids(instruction)
        if not ids:
            raise InvalidInstructionError(f"expected an instruction in words, got {instruction!r}")
        room = self._limit - 2
        if len(ids) > room:
            warnings.warn(
                f"expected at most {room} pieces of words, got {len(ids)}: "
                f"the end of {instruction!r} is not read",
                stacklevel=2,
            )
        return [BEGIN, *ids[:room], END]


def batch(texts: Sequence[Sequence[int]], length: int | None = None) -> tuple[Tensor, Tensor | None]:
    """Return (N, L) int64 ids, and (N, L) bool true where they are padding, or None where none is.

    Args:
        texts: ids of each text.
        length: to pad to; that of the longest if None.
    """
    length = length or max(len(text) for text in texts)
    ids = torch.tensor([[*text, *[PAD] * (length - len(text))] for text in texts])
    ends = torch.tensor([len(text) for text in texts])
    padding = torch.arange(length) >= ends[:, None]
    return ids, padding if padding.any() else None


def _ours(piece: int) -> int:
    return piece + _SHIFT if piece else UNKNOWN
