"""ivm-tiny as a `Grounder`: pictures of any size and any words in, targets at the picture's size out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ivm_ros.grounding import Grounder, Grounding, Heatmap, Image, check_image, check_instruction
from ivm_ros.models.instances import targets_from_heatmap
from ivm_ros.models.ivm_tiny.engines import open_network
from ivm_ros.models.ivm_tiny.files import WEIGHTS, Calibration, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny, Seen
from ivm_ros.models.ivm_tiny.network import TinyNetwork, torch_halves

__all__ = ["WEIGHTS", "Calibration", "TinyFeatures", "TinyGrounder", "load", "load_weights", "save_weights"]


def peak_logit(logits: npt.NDArray[np.float32]) -> float:
    """Return the highest mask logit after a 3x3 mean; the second clue of `Calibration`."""
    return float(cv2.blur(logits, (3, 3)).max())


@dataclass(frozen=True, eq=False)
class TinyFeatures:
    """An encoded picture.

    Attributes:
        seen: what the network knows of it.
        size: (width, height) of the picture in pixels.
    """

    seen: Seen
    size: tuple[int, int]


class TinyGrounder(Grounder):
    """Ground instructions with ivm-tiny.

    Args:
        network: that runs; a model in eval mode is run by PyTorch, and its batch norms are folded.
        calibration: of its answers.
        device: where a model runs.
    """

    name = "ivm-tiny"

    def __init__(
        self, network: TinyNetwork | IvmTiny, calibration: Calibration, device: torch.device
    ) -> None:
        if isinstance(network, IvmTiny):
            network = TinyNetwork(network, *torch_halves(network, device))
        self.network = network
        self.calibration = calibration

    def encode(self, image: Image) -> TinyFeatures:
        """Encode an (H, W, 3) uint8 RGB image of any size; it is squashed to the network's size."""
        height, width = check_image(image).shape[:2]
        config = self.network.config
        shrinks = width >= config.width and height >= config.height
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(image, (config.width, config.height), interpolation=interpolation)
        return TinyFeatures(self.network.see(small), (width, height))

    def ground(self, features: TinyFeatures, instruction: str) -> Grounding:
        """Return where `instruction` points to."""
        return self.ground_many(features, [instruction])[0]

    def ground_many(self, features: TinyFeatures, instructions: Sequence[str]) -> list[Grounding]:
        """Ground several instructions in one pass."""
        texts = [check_instruction(instruction) for instruction in instructions]
        return [
            self._grounding(text, *seen) for text, seen in zip(texts, self.look(features, texts), strict=True)
        ]

    def look(self, features: TinyFeatures, texts: Sequence[str]) -> list[tuple[Heatmap, float, float]]:
        """Return what the network says to each text before any threshold; see `Calibration`.

        Returns:
            For each text the (H, W) float32 heatmap, the existence head's logit, and the mask's peak logit.
        """
        if not texts:
            return []
        return [
            (_probability(logits, features.size), float(head), peak_logit(logits))
            for logits, head in zip(*self.network.answer(features.seen, tuple(texts)), strict=True)
        ]

    def close(self) -> None:
        """Give back the network's memory."""
        del self.network

    def _grounding(self, text: str, heatmap: Heatmap, head: float, peak: float) -> Grounding:
        existence = self.calibration.probability(head, peak)
        found = existence >= self.calibration.existence
        targets = targets_from_heatmap(heatmap, self.calibration.mask, label=text) if found else ()
        return Grounding(text, heatmap, targets, existence if targets else min(existence, 0.5))


def _probability(logits: npt.NDArray[np.float32], size: tuple[int, int]) -> Heatmap:
    """Return the heatmap of (h, w) logits at a (width, height)."""
    heat: Heatmap = cv2.resize(np.clip(-logits, -30.0, 30.0), size, interpolation=cv2.INTER_LINEAR)
    np.exp(heat, out=heat)
    heat += 1.0
    return np.reciprocal(heat, out=heat)


def load(
    checkpoint: Path | None,
    device: torch.device,
    *,
    engine: str = "auto",
    precision: str = "float32",
    provider: str = "auto",
) -> TinyGrounder:
    """Load ivm-tiny for the registry.

    Args:
        checkpoint: a file of `save_weights`, or a folder that `ivm-ros export` made of one; the file that
            ships with the package if None.
        device: where it runs.
        engine: auto, torch or onnx. "auto" is onnx on a CPU where the extra is installed, for which there are
            graphs in the package; else torch.
        precision: of the picture's half: float32, or bfloat16, which changes probabilities by up to 0.02, and
            is faster where the processor multiplies it itself (AVX512-BF16, AMX, GPUs).
        provider: of the engine onnx: auto, cpu, cuda or tensorrt.

    Raises:
        CheckpointError: the file is unusable, or has no graphs.
        ValueError: an option has no such value.
        ImportError: a library of the engine is missing.
    """
    checkpoint = checkpoint or WEIGHTS
    folder = checkpoint if checkpoint.is_dir() else None
    model, calibration = load_weights(checkpoint / WEIGHTS.name if folder else checkpoint)
    return TinyGrounder(open_network(model, folder, device, precision, engine, provider), calibration, device)
