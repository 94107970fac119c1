"""IVM as a `Grounder`: once per picture what no instruction changes, then little per instruction."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.grounding import Grounder, Grounding, Heatmap, Image, check_image, check_instruction
from ivm_ros.models.instances import targets_from_heatmap
from ivm_ros.models.ivm.folder import read_folder
from ivm_ros.models.ivm.language import Prefix, read_instructions, read_prefix
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.postprocess import heatmap
from ivm_ros.models.ivm.precision import pick_precision
from ivm_ros.models.ivm.preprocess import clip_pixels, sam_pixels, squash
from ivm_ros.models.ivm.prompt import PromptTokenizer

_REMEMBERED = 64


@dataclass(frozen=True, eq=False)
class IvmFeatures:
    """An encoded picture.

    Attributes:
        image: (1, C, g, g) of SAM.
        size: (width, height) of the picture in pixels.
        number: of the picture, counted from 0.
        squashed: (S, S, 3) uint8, what both branches see.
        model: the network, for the prefix.
        before: token ids in front of the picture.
    """

    image: Tensor
    size: tuple[int, int]
    number: int
    squashed: Image
    model: Ivm
    before: list[int]

    @cached_property
    def prefix(self) -> Prefix:
        """What the language model remembers of the picture; read when it is first asked for."""
        encoder = self.model.prompt_encoder
        pixels = clip_pixels(self.squashed, self.model.config.llava.vision_config.image_size)
        return read_prefix(encoder, pixels[None].to(self.image.device), self.before)


class IvmGrounder(Grounder):
    """Ground instructions with IVM.

    Args:
        model: in eval mode, on its device.
        tokenizer: of its prompts.
        threshold: heat above which a pixel belongs to a target; also how hot the hottest pixel must be for
            anything to be found.
        condition_reuse: for how many further pictures an instruction's condition may be used again. Zero is
            exact. Above it the language model is not asked for each picture: an approximation, for words
            whose meaning does not hang on what moved between.
    """

    name = "ivm"

    def __init__(
        self, model: Ivm, tokenizer: PromptTokenizer, threshold: float = 0.5, condition_reuse: int = 0
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"expected a threshold between 0 and 1, got {threshold}")
        if condition_reuse < 0:
            raise ValueError(
                f"expected condition_reuse as a number of pictures from 0, got {condition_reuse}"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.threshold = threshold
        self.condition_reuse = condition_reuse
        self._before = tokenizer.split("the red cup").before
        self._device = next(model.parameters()).device
        self._pictures = 0
        self._conditions: OrderedDict[str, tuple[int, Tensor]] = OrderedDict()  # with the picture's number

    @torch.inference_mode()
    def encode(self, image: Image) -> IvmFeatures:
        """Encode an (H, W, 3) uint8 RGB image of any size; it is squashed to the network's square."""
        height, width = check_image(image).shape[:2]
        squashed = squash(image, self.model.config.vision.image_size)
        features = IvmFeatures(
            image=self.model.encode_image(sam_pixels(squashed)[None].to(self._device)),
            size=(width, height),
            number=self._pictures,
            squashed=squashed,
            model=self.model,
            before=self._before,
        )
        self._pictures += 1
        if not self.condition_reuse:
            _ = features.prefix
        return features

    def ground(self, features: IvmFeatures, instruction: str) -> Grounding:
        """Return where `instruction` points to."""
        return self.ground_many(features, [instruction])[0]

    def ground_many(self, features: IvmFeatures, instructions: Sequence[str]) -> list[Grounding]:
        """Ground several instructions in one pass."""
        texts = [check_instruction(instruction) for instruction in instructions]
        return [self._grounding(*each) for each in zip(texts, self.look(features, texts), strict=True)]

    @torch.inference_mode()
    def look(self, features: IvmFeatures, texts: Sequence[str]) -> list[Heatmap]:
        """Return the (H, W) float32 heatmap of each text, before any threshold."""
        if not texts:
            return []
        conditions = self._read(features, texts)
        logits = self.model.decode(features.image.expand(len(texts), -1, -1, -1), conditions)
        side = self.model.config.vision.image_size
        return [heatmap(each[None], side, features.size) for each in logits]

    def close(self) -> None:
        """Give back the network's memory."""
        self._conditions.clear()
        del self.model
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _read(self, features: IvmFeatures, texts: Sequence[str]) -> Tensor:
        """Return the (N, 1, C) conditions of texts, remembered ones where that is allowed."""
        known = {text: self._conditions[text] for text in texts if text in self._conditions}
        usable = {
            text: condition
            for text, (number, condition) in known.items()
            if 0 <= features.number - number <= self.condition_reuse
        }
        new = [text for text in dict.fromkeys(texts) if text not in usable]
        if new:
            afters = [self.tokenizer.split(text).after for text in new]
            read = read_instructions(self.model.prompt_encoder, features.prefix, afters)
            usable.update(zip(new, read, strict=True))
            if self.condition_reuse:
                self._remember(features.number, new, read)
        return torch.stack([usable[text] for text in texts])

    def _remember(self, number: int, texts: Sequence[str], conditions: Tensor) -> None:
        for text, condition in zip(texts, conditions, strict=True):
            self._conditions[text] = (number, condition)
            self._conditions.move_to_end(text)
        while len(self._conditions) > _REMEMBERED:
            self._conditions.popitem(last=False)

    def _grounding(self, text: str, heat: Heatmap) -> Grounding:
        """Nothing found is the published rule: no pixel is hotter than the threshold."""
        targets = targets_from_heatmap(heat, self.threshold, label=text)
        return Grounding(text, heat, targets, existence=float(heat.max()))


def load(
    checkpoint: Path | None,
    device: torch.device,
    *,
    precision: str = "auto",
    threshold: float = 0.5,
    condition_reuse: int = 0,
) -> IvmGrounder:
    """Load IVM for the registry.

    Args:
        checkpoint: folder of the released files (docs/ivm.md), or one that `ivm-ros convert` made of them.
        device: where it runs.
        precision: auto, float32, bfloat16, float16, 8bit or 4bit.
        threshold: as in `IvmGrounder`.
        condition_reuse: as in `IvmGrounder`.

    Raises:
        CheckpointError: the folder is missing or unusable.
    """
    if checkpoint is None:
        raise CheckpointError(
            "expected a checkpoint: a folder with IVM-V1.0.bin, sam_vit_h_4b8939.pth and llava-1.5-7b-hf/, "
            "or one that `ivm-ros convert` made of them; docs/ivm.md says where to get them"
        )
    model, tokenizer = read_folder(checkpoint, pick_precision(precision, device), device)
    return IvmGrounder(model, tokenizer, threshold, condition_reuse)
