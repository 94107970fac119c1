"""What ivm-tiny is trained for: the mask, whether anything matches, and what the renderer knows besides."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ivm_ros.models.ivm_tiny.encoder import Features
from ivm_ros.models.ivm_tiny.model import Answer
from ivm_ros.training.ivm_tiny.data import IGNORE, Batch
from ivm_ros.training.losses import dice

WEIGHTS = {"mask": 10.0, "dice": 1.0, "existence": 1.0, "anchor": 3.0, "dense": 1.0, "words": 0.25}
"""Of the terms in the sum."""


def losses(answer: Answer, features: Features, batch: Batch) -> dict[str, Tensor]:
    """Return the terms of the loss by name, unweighted, in float32."""
    truth, ignored = _halve(batch.targets), _halve(batch.ignored) > 0
    present = batch.targets.flatten(1).any(dim=1)
    anchor, has_anchor = (
        F.avg_pool2d(batch.anchors[:, None].float(), 8)[:, 0],
        batch.anchors.flatten(1).any(dim=1),
    )
    return {
        "mask": F.binary_cross_entropy_with_logits(answer.mask, truth, (~ignored).float()),
        "dice": dice(answer.mask, truth, ~ignored)[present].sum() / present.sum().clamp(min=1),
        "existence": F.binary_cross_entropy_with_logits(answer.existence, present.float()),
        "anchor": F.binary_cross_entropy_with_logits(
            answer.anchor, anchor, has_anchor[:, None, None].float()
        ),
        "dense": dense(features, batch),
        "words": words(answer, batch),
    }


def total(terms: dict[str, Tensor]) -> Tensor:
    """Return the weighted sum of the terms."""
    return torch.stack([WEIGHTS[name] * value for name, value in terms.items()]).sum()


def dense(features: Features, batch: Batch) -> Tensor:
    """Return the cross entropies of kind, colour and material at every pixel, summed."""
    return (
        _pixel_cross_entropy(features.kinds, batch.kinds, batch.weights)
        + _pixel_cross_entropy(features.colors, batch.colors, batch.weights)
        + 0.5 * _pixel_cross_entropy(features.materials, batch.materials, batch.weights)
    )


def words(answer: Answer, batch: Batch) -> Tensor:
    """Return the cross entropies of what the words were made from, summed."""
    target, anchor = answer.target, answer.anchor_words
    heads = (target.kind, target.color, target.material, anchor.kind, anchor.color, answer.relation)
    return torch.stack(
        [F.cross_entropy(head.float(), batch.words[:, index]) for index, head in enumerate(heads)]
    ).sum()


def _pixel_cross_entropy(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean over the pixels that count; 0 instead of NaN where there are none."""
    weights = weights * (classes != IGNORE)
    values = F.cross_entropy(logits.float(), classes, reduction="none")
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)


def _halve(masks: Tensor) -> Tensor:
    return F.avg_pool2d(masks[:, None].float(), 2)[:, 0]
