"""InstanceVG as a `Grounder`: all instructions on a picture in one pass; boxes, masks and points agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.grounding import Grounder, Grounding, Image, check_image, check_instruction
from ivm_ros.models.instancevg.beit3 import ImageTokens
from ivm_ros.models.instancevg.engines import open_network
from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.network import Network
from ivm_ros.models.instancevg.preprocess import pixels, squash
from ivm_ros.models.instancevg.reading import Answer, Rules
from ivm_ros.models.instancevg.targets import agreeing_target
from ivm_ros.models.instancevg.text import Tokenizer, batch, plain

TARGETS = ("auto", "all", "best")
REPAIRED = Rules(calibrated_existence=True, smooth_masks=True, clear_no_target=True)
"""How a robot reads answers; what it needs beside, size of the picture and pairs, a grounder always has."""


@dataclass(frozen=True, eq=False)
class InstanceVgFeatures:
    """An encoded picture.

    Attributes:
        image: what the encoder knows of it before it knows the words.
        size: (width, height) of the picture in pixels.
    """

    image: ImageTokens
    size: tuple[int, int]


class InstanceVgGrounder(Grounder):
    """Ground instructions with InstanceVG.

    Its encoder lets words and picture attend to each other from the first layer on. So little can be done
    before the words are known, and `encode` does just that: the picture squashed and normalised, its patches
    embedded and placed, and their queries, keys and values of the first layer. That is under 3 % of the
    base encoder's work; a second instruction costs nearly as much as the first. Several at once,
    `ground_many`, are one batch.

    Models with one query were trained on expressions that always have exactly one target: their existence
    says nothing, and `targets` "auto" then is "best".

    Args:
        model: the network; in eval mode, on its device.
        tokenizer: of its words.
        rules: how answers are read; `rescale` and `keep_pairs` are always on.
        targets: "all" queries whose score is above the rules' threshold; "best", always the one of highest
            score, with the merged mask; or "auto", by the model's number of queries.
    """

    name = "instancevg"

    def __init__(
        self, model: Network, tokenizer: Tokenizer, rules: Rules = REPAIRED, targets: str = "auto"
    ) -> None:
        if targets not in TARGETS:
            raise ValueError(f"expected targets of {', '.join(TARGETS)}; got {targets!r}")
        self.model = model
        self.tokenizer = tokenizer
        self.single = targets == "best" or (targets == "auto" and model.config.head.queries == 1)
        # the best one is an answer whatever its score, so its mask is never cleared
        cleared = rules.clear_no_target and not self.single
        self.rules = replace(rules, rescale=True, keep_pairs=True, clear_no_target=cleared)
        self._device = model.device

    @torch.inference_mode()
    def encode(self, image: Image) -> InstanceVgFeatures:
        """Encode an (H, W, 3) uint8 RGB image of any size; it is squashed to the network's square."""
        height, width = check_image(image).shape[:2]
        ready = pixels(squash(image, self.model.config.image_size))
        return InstanceVgFeatures(self.model.encode_image(ready[None].to(self._device)), (width, height))

    def ground(self, features: InstanceVgFeatures, instruction: str) -> Grounding:
        """Return where `instruction` points to."""
        return self.ground_many(features, [instruction])[0]

    def ground_many(self, features: InstanceVgFeatures, instructions: Sequence[str]) -> list[Grounding]:
        """Ground several instructions in one pass."""
        texts = [plain(check_instruction(instruction)) for instruction in instructions]
        if not texts:
            return []
        found = self.look(features, texts)
        return [self._grounding(text, found, index, features.size) for index, text in enumerate(texts)]

    @torch.inference_mode()
    def look(self, features: InstanceVgFeatures, texts: Sequence[str]) -> Predictions:
        """Return what the network says to each text; `Answer` reads it by any rules."""
        ids, padding = batch([self.tokenizer.ids(text) for text in texts])
        if padding is not None:
            padding = padding.to(self._device)
        return self.model.read(features.image, ids.to(self._device), padding)

    def close(self) -> None:
        """Give back the network's memory."""
        del self.model
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _grounding(self, text: str, found: Predictions, index: int, size: tuple[int, int]) -> Grounding:
        answer = Answer(found, index, self.model.config.image_size, size, self.rules)
        reading = answer.read()
        chosen = reading.kept[:1] if self.single else reading.above
        queries = reading.masks[chosen]
        if self.rules.clear_no_target and not reading.found:
            heat = np.zeros(reading.mask.shape, dtype=np.float32)
        else:
            heat = answer.heatmap(queries)
        own = [reading.mask] if self.single else answer.instance_masks(queries)
        targets = tuple(
            agreeing_target(
                reading.boxes[box],
                answer.points[query],
                [mask, reading.mask],
                float(reading.scores[box]),
                text,
            )
            for box, query, mask in zip(chosen, queries, own, strict=False)
        )
        return Grounding(text, heat, targets, reading.existence)


def load(
    checkpoint: Path | None,
    device: torch.device,
    *,
    precision: str = "auto",
    targets: str = "auto",
    score_threshold: str = "auto",
    mask_threshold: float = 0.5,
    merged: str = "merge",
    score_weighted: bool = True,
    nms: float = 1.0,
    calibrated_existence: bool = True,
    smooth_masks: bool = True,
    clear_no_target: bool = True,
    engine: str = "torch",
    provider: str = "auto",
) -> InstanceVgGrounder:
    """Load InstanceVG for the registry.

    Args:
        checkpoint: a released `.pth` with `beit3.spm` beside it, a folder with the two, or one that
            `ivm-ros convert` made of them; for the engine onnx one that `ivm-ros export` made.
        device: where it runs.
        precision: of the encoder: auto, float32 or bfloat16.
        targets: as in `InstanceVgGrounder`.
        score_threshold: as in `Rules`; "auto" is what the checkpoint's configuration says, 0.7 for released
            files. The following are as in `Rules`, too.
        mask_threshold: as above.
        merged: as above.
        score_weighted: as above.
        nms: as above; 1 keeps all.
        calibrated_existence: as above; the published rules have this and what follows off.
        smooth_masks: as above.
        clear_no_target: as above.
        engine: torch, compiled or onnx.
        provider: of the engine onnx: auto, cpu, cuda or tensorrt.

    Raises:
        CheckpointError: the checkpoint is missing or unusable.
        ValueError: an option has no such value.
        ImportError: a library of the engine is missing.
    """
    rules = Rules(
        score_threshold=_threshold(score_threshold),
        mask_threshold=mask_threshold,
        merged=merged,
        score_weighted=score_weighted,
        nms=nms,
        calibrated_existence=calibrated_existence,
        smooth_masks=smooth_masks,
        clear_no_target=clear_no_target,
    )
    if checkpoint is None:
        raise CheckpointError(
            "expected a checkpoint: InstanceVG-grefcoco.pth or another of its authors' files with beit3.spm "
            "beside it, or a folder that `ivm-ros convert` made of them; "
            "docs/instancevg.md says where to get them"
        )
    model, tokenizer = open_network(checkpoint, device, precision, engine, provider)
    if score_threshold == "auto":
        rules = replace(rules, score_threshold=model.config.score_threshold)
    return InstanceVgGrounder(model, tokenizer, rules, targets)


def _threshold(text: str) -> float:
    """Return the number in a text; that of the published rules for "auto"."""
    try:
        return Rules().score_threshold if text == "auto" else float(text)
    except ValueError:
        raise ValueError(f"expected a score_threshold of auto or a number, got {text!r}") from None
