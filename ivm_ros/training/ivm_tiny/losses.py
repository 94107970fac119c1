"""What ivm-tiny is trained for: objects, what they are, and which of them are meant."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import Features
from ivm_ros.models.ivm_tiny.matcher import Matches
from ivm_ros.models.ivm_tiny.model import Asked
from ivm_ros.models.ivm_tiny.objects import Looks
from ivm_ros.training.ivm_tiny.data import IGNORE, Batch
from ivm_ros.training.losses import dice

WEIGHTS = {
    "heat": 2.0,
    "mask": 5.0,
    "dice": 1.0,
    "fine": 5.0,
    "looks": 2.0,
    "dense": 1.0,
    "target": 1.0,
    "anchor": 0.5,
    "existence": 0.5,
    "words": 0.25,
}
"""Of the terms in the sum."""


class DenseHeads(nn.Module):
    """Say of every pixel what kind, colour and material is there; teaches the encoder, and is left behind."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        _, w4, w8, _ = config.widths
        self.sizes = (len(config.kinds) + 1, len(config.colors), len(config.materials) + 1)
        self.fine = nn.Conv2d(w4, sum(self.sizes), 1)
        self.coarse = nn.Conv2d(w8, self.sizes[0], 1)

    def forward(self, features: Features) -> tuple[Tensor, Tensor, Tensor]:
        """Return (B, n, H / 4, W / 4) logits of kinds, with the background, of colours and of materials."""
        kinds, colors, materials = self.fine(features.s4).split(self.sizes, dim=1)
        return kinds + F.interpolate(self.coarse(features.s8), scale_factor=2.0), colors, materials


class Perceived(NamedTuple):
    """What the network sees in a batch.

    Attributes:
        features: of the views.
        dense: of `DenseHeads`.
        masks: (N, H / 4, W / 4) logits of the objects.
        fine: (n, s, s) logits of some of them in their windows, and what these should be, in [0, 1].
        looks: of the objects.
    """

    features: Features
    dense: tuple[Tensor, Tensor, Tensor]
    masks: Tensor
    fine: tuple[Tensor, Tensor]
    looks: Looks


class Answered(NamedTuple):
    """What it says to the questions of a batch.

    Attributes:
        asked: the words.
        relation: (Q, R + 1) logits of what relation they name.
        matches: of objects and words.
        labels: (Q, M) of these, targets and anchors: 1, 0 or `IGNORE`.
    """

    asked: Asked
    relation: Tensor
    matches: Matches
    labels: tuple[Tensor, Tensor]


def losses(perceived: Perceived, answered: Answered | None, batch: Batch) -> dict[str, Tensor]:
    """Return the terms of the loss by name, unweighted, in float32; those of questions if there are some."""
    truth = F.avg_pool2d(batch.masks[:, None].float(), 4)[:, 0]
    fine, fine_truth = perceived.fine
    looks = perceived.looks
    terms = {
        "heat": heat_loss(perceived.features.heat, batch.heat),
        "mask": F.binary_cross_entropy_with_logits(perceived.masks, truth),
        "dice": dice(perceived.masks, truth, torch.ones_like(truth, dtype=torch.bool)).mean(),
        "fine": F.binary_cross_entropy_with_logits(fine, fine_truth)
        + 0.2 * dice(fine, fine_truth, torch.ones_like(fine_truth, dtype=torch.bool)).mean(),
        "looks": _classes(looks.kinds, batch.looks[:, 0])
        + _classes(looks.colors, batch.looks[:, 1])
        + 0.5 * _classes(looks.materials, batch.looks[:, 2]),
        "dense": dense(perceived.dense, batch),
    }
    if answered is not None:
        matches, (targets, anchors) = answered.matches, answered.labels
        terms |= {
            "target": pointed(matches.target, targets),
            "anchor": pointed(matches.anchor, anchors),
            "existence": F.binary_cross_entropy_with_logits(matches.existence, batch.present.float()),
            "words": words(answered.asked, answered.relation, batch),
        }
    return terms


def total(terms: dict[str, Tensor]) -> Tensor:
    """Return the weighted sum of the terms."""
    return torch.stack([WEIGHTS[name] * value for name, value in terms.items()]).sum()


def heat_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the quality focal loss (Li et al., 2020), as a mean over what is inside objects."""
    values = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (values * (logits.sigmoid() - truth).square()).sum() / truth.sum().clamp(min=1.0)


def dense(said: tuple[Tensor, Tensor, Tensor], batch: Batch) -> Tensor:
    """Return the cross entropies of kind, colour and material at every pixel, summed."""
    kinds, colors, materials = said
    return (
        _pixel_cross_entropy(kinds, batch.kinds, batch.weights)
        + _pixel_cross_entropy(colors, batch.colors, batch.weights)
        + 0.5 * _pixel_cross_entropy(materials, batch.materials, batch.weights)
    )


def words(asked: Asked, relation: Tensor, batch: Batch) -> Tensor:
    """Return the cross entropies of what the words were made from, summed."""
    target, anchor = asked.target, asked.anchor
    heads = (target.kind, target.color, target.material, anchor.kind, anchor.color, relation)
    return torch.stack(
        [F.cross_entropy(head.float(), batch.words[:, index]) for index, head in enumerate(heads)]
    ).sum()


def _classes(logits: Tensor, classes: Tensor) -> Tensor:
    known = (classes != IGNORE).sum().clamp(min=1)
    return F.cross_entropy(logits.float(), classes, ignore_index=IGNORE, reduction="sum") / known


def pointed(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over questions of the cross entropies of what is meant, summed over objects.

    Args:
        logits: (Q, M).
        labels: (Q, M): 1, 0 or `IGNORE`.
    """
    counted = labels != IGNORE
    values = F.binary_cross_entropy_with_logits(logits, (labels == 1).float(), reduction="none")
    return (values * counted).sum() / len(labels)


def _pixel_cross_entropy(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean over the pixels that count; 0 instead of NaN where there are none."""
    weights = weights * (classes != IGNORE)
    values = F.cross_entropy(logits.float(), classes, reduction="none")
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)
