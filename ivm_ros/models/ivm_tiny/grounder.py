"""ivm-tiny as a `Grounder`: pictures of any size and any words in, targets at the picture's size out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ivm_ros.grounding import Grounder, Grounding, Heatmap, Image, Target, check_image, check_instruction
from ivm_ros.models.instances import target_of_mask
from ivm_ros.models.ivm_tiny.engines import open_network
from ivm_ros.models.ivm_tiny.files import WEIGHTS, Calibration, Logits, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.network import Seen, TinyNetwork, TorchEngine

__all__ = ["WEIGHTS", "Calibration", "TinyFeatures", "TinyGrounder", "load", "load_weights", "save_weights"]

_FAINT = 0.05
"""Probability under which an object is left out of the heatmap."""

_PART = 0.6
"""Share of a target's mask from which on it is a part of another."""


@dataclass(frozen=True, eq=False)
class TinyFeatures:
    """An encoded picture.

    Attributes:
        seen: what the network knows of it.
        size: (width, height) of the picture in pixels.
    """

    seen: Seen
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Said:
    """What the network says to one text before any calibration.

    Attributes:
        objects: (N,) logits that each object is meant.
        existence: logit that anything is.
    """

    objects: Logits
    existence: float

    @property
    def peak(self) -> float:
        """The highest of the objects."""
        return float(self.objects.max())


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
            network = TinyNetwork(network, TorchEngine(network, device))
        self.network = network
        self.calibration = calibration

    def encode(self, image: Image) -> TinyFeatures:
        """Find the objects of an (H, W, 3) uint8 RGB image of any size, squashed to the network's size."""
        height, width = check_image(image).shape[:2]
        config = self.network.config
        shrinks = width >= config.width and height >= config.height
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(image, (config.width, config.height), interpolation=interpolation)
        return TinyFeatures(self.network.see(small, image), (width, height))

    def ground(self, features: TinyFeatures, instruction: str) -> Grounding:
        """Return where `instruction` points to."""
        return self.ground_many(features, [instruction])[0]

    def ground_many(self, features: TinyFeatures, instructions: Sequence[str]) -> list[Grounding]:
        """Ground several instructions in one pass."""
        texts = [check_instruction(instruction) for instruction in instructions]
        said = self.look(features, texts)
        chances = [self.calibration.each(each.objects) for each in said]
        drawn = {number for each in chances for number in np.flatnonzero(each > _FAINT).tolist()}
        pieces = self._draw(features, sorted(drawn))
        return [
            self._grounding(text, each, chance, pieces, features.size)
            for text, each, chance in zip(texts, said, chances, strict=True)
        ]

    def look(self, features: TinyFeatures, texts: Sequence[str]) -> list[Said]:
        """Return what the network says to each text before any calibration."""
        if not texts:
            return []
        objects, existence = self.network.match(features.seen, tuple(texts))
        return [Said(*each) for each in zip(objects, existence.tolist(), strict=True)]

    def masks(self, features: TinyFeatures, objects: Sequence[int]) -> dict[int, Heatmap]:
        """Return the (H, W) float32 masks in [0, 1], at the picture's size, of some objects, by number."""
        whole = {}
        for number, piece in self._draw(features, objects).items():
            whole[number] = np.zeros(features.size[::-1], np.float32)
            whole[number][piece.box] = piece.heat
        return whole

    def close(self) -> None:
        """Give back the network's memory."""
        del self.network

    def _draw(self, features: TinyFeatures, objects: Sequence[int]) -> dict[int, Piece]:
        if not objects:
            return {}
        seen = features.seen
        drawn = self.network.draw(seen, objects)
        return {
            number: piece_of(each, seen.windows[number]) for number, each in zip(objects, drawn, strict=True)
        }

    def _target(self, piece: Piece, score: float, text: str, size: tuple[int, int]) -> Target | None:
        mask = np.zeros(size[::-1], np.bool_)
        np.greater(piece.heat, self.calibration.mask, out=mask[piece.box])
        return target_of_mask(mask, score, text)

    def _grounding(
        self, text: str, said: Said, chances: Logits, pieces: dict[int, Piece], size: tuple[int, int]
    ) -> Grounding:
        calibration = self.calibration
        existence = float(calibration.anything(np.float32(said.existence), np.float32(said.peak)))
        heatmap = np.zeros(size[::-1], np.float32)
        for number in np.flatnonzero(chances > _FAINT).tolist():
            piece = pieces[number]
            part = heatmap[piece.box]
            np.maximum(part, piece.heat * np.float32(chances[number]), out=part)
        targets: tuple[Target, ...] = ()
        if existence >= calibration.existence:
            meant = _meant(chances, calibration.target)
            found = [self._target(pieces[i], float(chances[i]), text, size) for i in meant if i in pieces]
            targets = without_parts([target for target in found if target is not None])
        return Grounding(text, heatmap, targets, existence if targets else min(existence, 0.5))


@dataclass(frozen=True, eq=False)
class Piece:
    """What an object's mask has at the picture's size, where it has anything.

    Attributes:
        box: rows and columns of the picture.
        heat: (h, w) float32 in [0, 1] in the box; outside it is 0.
    """

    box: tuple[slice, slice]
    heat: Heatmap


def without_parts(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Leave out targets that lie in a surer one: a bottle's neck is not a second bottle.

    Args:
        targets: surest first.
    """
    kept: list[Target] = []
    for target in targets:
        inside = (np.count_nonzero(target.mask & other.mask) for other in kept)
        if not any(common > _PART * np.count_nonzero(target.mask) for common in inside):
            kept.append(target)
    return tuple(kept)


def _meant(chances: Logits, threshold: float) -> list[int]:
    """Return the objects from a threshold on, surest first; the surest of all where there are none."""
    order: list[int] = np.argsort(-chances).tolist()
    return [number for number in order if chances[number] >= threshold] or order[:1]


def piece_of(logits: Logits, window: npt.NDArray[np.int64]) -> Piece:
    """Return the mask of (h, w) logits in a window of the picture: left, top, right, bottom."""
    left, top, right, bottom = window.tolist()
    heat: Heatmap = cv2.resize(-logits, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    cv2.exp(heat, heat)
    heat += 1.0
    return Piece(np.s_[top:bottom, left:right], np.reciprocal(heat, out=heat))


def load(
    checkpoint: Path | None,
    device: torch.device,
    *,
    engine: str = "auto",
    precision: str = "auto",
    provider: str = "auto",
) -> TinyGrounder:
    """Load ivm-tiny for the registry.

    Args:
        checkpoint: a file of `save_weights`, or a folder that `ivm-ros export` made of one; the file that
            ships with the package if None.
        device: where it runs.
        engine: auto, torch or onnx. "auto" is onnx on a CPU where the extra is installed, for which there are
            graphs in the package; else torch.
        precision: of the encoder: auto, float32, bfloat16 or int8. The last two are faster where the
            processor multiplies them itself; probabilities then differ a little, by how much says
            `ivm-ros bench tiny`. bfloat16 is PyTorch's, int8 ONNX Runtime's, for weights that there is such a
            graph of. "auto" is int8 where that is of use, else float32.
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
