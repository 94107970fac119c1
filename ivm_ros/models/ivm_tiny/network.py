"""What runs ivm-tiny: a half for the picture, a half for the words, and what is remembered of the words."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ivm_ros.grounding import Image
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import fold_batch_norms, normalise
from ivm_ros.models.ivm_tiny.model import Asked, IvmTiny, Seen

Logits = npt.NDArray[np.float32]
Picture = Callable[[Image], Seen]
"""Half that sees an (height, width, 3) uint8 RGB picture of the network's own size."""
Words = Callable[[Seen, Asked], tuple[Logits, Logits]]
"""Half that answers N instructions: (N, height / 2, width / 2) mask logits and (N,) existence logits."""

_REMEMBERED = 16  # sets of instructions; the words change rarely, the picture always


class TinyNetwork:
    """ivm-tiny ready to run, whatever runs it.

    Instructions are read once and remembered: reading costs as much as a tenth of a frame.

    Args:
        model: reads the words, by PyTorch in any case; its batch norms are folded.
        picture: half of the network that sees.
        words: half that answers.
        engine: name of what runs the halves.

    Attributes:
        config: sizes.
        engine: as above.
    """

    def __init__(self, model: IvmTiny, picture: Picture, words: Words, engine: str = "torch") -> None:
        self.config: TinyConfig = model.config
        self.engine = engine
        self.see = picture
        self._words = words
        self._read = lru_cache(maxsize=_REMEMBERED)(model.read)

    @torch.inference_mode()
    def answer(self, seen: Seen, texts: tuple[str, ...]) -> tuple[Logits, Logits]:
        """Return (N, height / 2, width / 2) mask logits and (N,) existence logits of N texts on a picture."""
        return self._words(seen, self._read(texts))

    def forget(self) -> None:
        """Forget all instructions: the next of them are read anew."""
        self._read.cache_clear()


def torch_halves(
    model: IvmTiny, device: torch.device, precision: torch.dtype = torch.float32
) -> tuple[Picture, Words]:
    """Return both halves as PyTorch runs them.

    Args:
        model: in eval mode; is folded, moved and, if it must be, rounded in place.
        device: where it runs.
        precision: of the picture's half; the words', far smaller and decisive, stays in float32.
    """
    fold_batch_norms(model)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for part in picture_parts(model):
        part.to(precision)

    @torch.inference_mode()
    def see(picture: Image) -> Seen:
        pixels = normalise(torch.from_numpy(picture)[None].to(device)).to(precision)
        seen = model.encode(pixels.contiguous(memory_format=torch.channels_last)).seen
        return Seen(
            seen.concepts, seen.shared4.float(), seen.shared8.float(), seen.shared16.float(), seen.blend
        )

    @torch.inference_mode()
    def answer(seen: Seen, asked: Asked) -> tuple[Logits, Logits]:
        answers = model.answer(seen, asked)
        return answers.mask.float().cpu().numpy(), answers.existence.cpu().numpy()

    return see, answer


def picture_parts(model: IvmTiny) -> tuple[nn.Module, ...]:
    """Return the modules of the picture's half."""
    return model.image, model.share4, model.share8, model.share16, model.blend
