"""ivm-tiny's weights and calibration in a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

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
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.model import IvmTiny

WEIGHTS = Path(__file__).parent / "weights" / "ivm_tiny.safetensors"
"""The weights that ship with the package."""

Logits = npt.NDArray[np.float32]

_FORMAT = "ivm-tiny 4"


@dataclass(frozen=True)
class Calibration:
    """How raw answers become probabilities and decisions; chosen on validation scenes.

    The probability that anything is meant is the logistic function of
    `bias + head * (existence logit) + peak * (highest logit of an object)`; that an object is meant is that
    of `shift + scale * (its logit)`.

    Attributes:
        bias: of the first logistic regression.
        head: its weight of the existence head.
        peak: its weight of the highest object.
        existence: probability under which the answer is "not there".
        shift: of the second logistic regression.
        scale: its weight of an object's logit.
        target: probability from which an object is a target.
        mask: of a pixel of an object, from which it belongs to its mask.
    """

    bias: float = 0.0
    head: float = 1.0
    peak: float = 0.0
    existence: float = 0.5
    shift: float = 0.0
    scale: float = 1.0
    target: float = 0.5
    mask: float = 0.5

    def anything(self, head: Logits, peak: Logits) -> Logits:
        """Return the probabilities that anything is meant."""
        return sigmoid(self.bias + self.head * head + self.peak * peak)

    def each(self, logits: Logits) -> Logits:
        """Return the probability of each object that it is meant."""
        return sigmoid(self.shift + self.scale * logits)


def sigmoid(values: Logits) -> Logits:
    """Return the logistic function of any array, without overflow."""
    result: Logits = 1.0 / (1.0 + np.exp(-np.clip(values, -50.0, 50.0)))  # type: ignore[assignment]
    return result


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
