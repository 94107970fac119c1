"""ivm-tiny as a `Grounder`: pictures of any size and any words in, targets at the picture's size out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ivm_ros.checkpoints import (
    CheckpointError,
    check_fits,
    load_strictly,
    read_metadata,
    read_state_dict,
    write_state_dict,
)
from ivm_ros.grounding import Grounder, Grounding, Heatmap, Image, check_image, check_instruction
from ivm_ros.models.instances import targets_from_heatmap
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import fold_batch_norms, normalise
from ivm_ros.models.ivm_tiny.model import Encoded, IvmTiny

WEIGHTS = Path(__file__).parent / "weights" / "ivm_tiny.safetensors"
"""The weights that ship with the package."""

_FORMAT = "ivm-tiny 1"


@dataclass(frozen=True)
class Calibration:
    """How raw answers become decisions; chosen on validation scenes and stored with the weights.

    The probability that anything matches is the logistic function of
    `bias + head * (existence logit) + peak * (highest smoothed mask logit)`.

    Attributes:
        bias: of the logistic regression.
        head: its weight of the existence head.
        peak: its weight of the mask's peak.
        existence: probability under which the answer is "not there".
        mask: heat above which a pixel belongs to a target.
    """

    bias: float = 0.0
    head: float = 1.0
    peak: float = 0.0
    existence: float = 0.5
    mask: float = 0.5

    def probability(self, head: float, peak: float) -> float:
        """Return the probability in [0, 1] that anything matches."""
        score = self.bias + self.head * head + self.peak * peak
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, score))))


def peak_logit(logits: npt.NDArray[np.float32]) -> float:
    """Return the highest mask logit after a 3x3 mean; the second clue of `Calibration`."""
    return float(cv2.blur(logits, (3, 3)).max())


def save_weights(
    model: IvmTiny, path: Path, notes: dict[str, str], calibration: Calibration | None = None
) -> None:
    """Write a model with its sizes and calibration, its weights in float16.

    Args:
        model: the network.
        path: of the safetensors file.
        notes: more text for its metadata, such as the training step.
        calibration: default values if None.
    """
    # biases and norms stay float32: the variance of a batch norm can be beyond float16's 65504
    state = {key: value.half() if value.ndim > 1 else value for key, value in model.state_dict().items()}
    metadata = {
        **notes,
        "format": _FORMAT,
        "config": model.config.to_json(),
        "calibration": json.dumps(asdict(calibration or Calibration())),
    }
    write_state_dict(state, path, metadata)


def load_weights(path: Path) -> tuple[IvmTiny, Calibration]:
    """Read a model, in float32 and eval mode, and its calibration.

    Raises:
        CheckpointError: the file is missing, corrupt, not one of ivm-tiny, or does not fit.
    """
    metadata = read_metadata(path)
    if metadata.get("format") != _FORMAT:
        raise CheckpointError(f"expected {path} to be of format {_FORMAT!r}, got {metadata.get('format')!r}")
    try:
        config = TinyConfig.from_json(metadata["config"])
        calibration = Calibration(**json.loads(metadata["calibration"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has unusable metadata: {error}") from error
    state = read_state_dict(path)
    with torch.device("meta"):  # takes no memory: whatever size is claimed, the file must have the tensors
        check_fits(IvmTiny(config), state, path)
    model = IvmTiny(config)
    load_strictly(model, state, path)
    return model.eval(), calibration


@dataclass(frozen=True, eq=False)
class TinyFeatures:
    """An encoded picture.

    Attributes:
        encoded: what the network knows of it.
        size: (width, height) of the picture in pixels.
    """

    encoded: Encoded
    size: tuple[int, int]


class TinyGrounder(Grounder):
    """Ground instructions with ivm-tiny.

    Args:
        model: in eval mode; its batch norms are folded here.
        calibration: of its answers.
        device: where it runs.
    """

    name = "ivm-tiny"

    def __init__(self, model: IvmTiny, calibration: Calibration, device: torch.device) -> None:
        fold_batch_norms(model)
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.calibration = calibration
        self.device = device

    @torch.inference_mode()
    def encode(self, image: Image) -> TinyFeatures:
        """Encode an (H, W, 3) uint8 RGB image of any size; it is squashed to the network's size."""
        height, width = check_image(image).shape[:2]
        config = self.model.config
        shrinks = width >= config.width and height >= config.height
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(image, (config.width, config.height), interpolation=interpolation)
        pixels = normalise(torch.from_numpy(small)[None].to(self.device))
        return TinyFeatures(
            self.model.encode(pixels.contiguous(memory_format=torch.channels_last)), (width, height)
        )

    def ground(self, features: TinyFeatures, instruction: str) -> Grounding:
        """Return where `instruction` points to."""
        return self.ground_many(features, [instruction])[0]

    def ground_many(self, features: TinyFeatures, instructions: Sequence[str]) -> list[Grounding]:
        """Ground several instructions in one pass."""
        texts = [check_instruction(instruction) for instruction in instructions]
        return [
            self._grounding(text, *seen) for text, seen in zip(texts, self.look(features, texts), strict=True)
        ]

    @torch.inference_mode()
    def look(self, features: TinyFeatures, texts: Sequence[str]) -> list[tuple[Heatmap, float, float]]:
        """Return what the network says to each text before any threshold; see `Calibration`.

        Returns:
            For each text the (H, W) float32 heatmap, the existence head's logit, and the mask's peak logit.
        """
        if not texts:
            return []
        answer = self.model(features.encoded, texts)
        masks, heads = answer.mask.float().cpu().numpy(), answer.existence.cpu().tolist()
        return [
            (_probability(logits, features.size), head, peak_logit(logits))
            for logits, head in zip(masks, heads, strict=True)
        ]

    def _grounding(self, text: str, heatmap: Heatmap, head: float, peak: float) -> Grounding:
        existence = self.calibration.probability(head, peak)
        found = existence >= self.calibration.existence
        targets = targets_from_heatmap(heatmap, self.calibration.mask, label=text) if found else ()
        return Grounding(text, heatmap, targets, existence if targets else min(existence, 0.5))


def _probability(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> Heatmap:
    """Return the heatmap of (h, w) logits at a (width, height)."""
    full = cv2.resize(logits, size, interpolation=cv2.INTER_LINEAR)
    return (1.0 / (1.0 + np.exp(-np.clip(full, -30.0, 30.0)))).astype(np.float32, copy=False)


def load(checkpoint: Path | None, device: torch.device) -> TinyGrounder:
    """Load ivm-tiny for the registry.

    Args:
        checkpoint: a file of `save_weights`; the one that ships with the package if None.
        device: where it runs.

    Raises:
        CheckpointError: the file is unusable.
    """
    return TinyGrounder(*load_weights(checkpoint or WEIGHTS), device)
