"""InstanceVG's losses; spec section 10. Pure functions of what the network says and what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.pixel_decoder import upsample
from ivm_ros.training.instancevg.matching import DISTANCE, OVERLAP, Pairs, Truth, corners, giou, match
from ivm_ros.training.losses import dice

_BACKGROUND = 0.1  # weight of the class
_EXISTENCE = (0.9, 1.1)  # weights of there being a target, and none


@dataclass(frozen=True)
class LossRules:
    """Weights of the loss, and its repairs; the defaults are those published for any number of targets.

    Attributes:
        detection: weight of classes and boxes.
        existence: weight of existence.
        attention: weight of where the words look, as a mask.
        unmatched: weight of empty masks for queries without a target; published as 0 for models with one
            query.
        equal_layers: repair. The boxes of all decoder layers weigh as the last one's; published are 1 and 1
            for the others, as their names were not found among the weights.
        keep_nan: a batch in which no query has a target gives NaN, as published, instead of no mask loss of
            matched queries.
    """

    detection: float = 0.1
    existence: float = 0.2
    attention: float = 0.1
    unmatched: float = 0.2
    equal_layers: bool = False
    keep_nan: bool = False


PUBLISHED = LossRules(keep_nan=True)
FINITE = LossRules()
"""As published, but never NaN."""


class DetectionTerms(NamedTuple):
    """The terms of one decoder layer, unweighted."""

    classes: Tensor
    distance: Tensor
    overlap: Tensor


class MaskTerms(NamedTuple):
    """The terms of masks, weighted."""

    matched: Tensor
    unmatched: Tensor
    merged: Tensor
    attention: Tensor


class Losses(NamedTuple):
    """The three losses, weighted; their sum is what training lowers."""

    detection: Tensor
    masks: Tensor
    existence: Tensor

    @property
    def total(self) -> Tensor:
        """The sum."""
        return self.detection + self.masks + self.existence


def losses(
    found: Predictions, truths: Sequence[Truth], rules: LossRules = FINITE, count: float | None = None
) -> Losses:
    """Return the losses of a batch.

    Args:
        found: of the network, with all decoder layers (`auxiliary=True`).
        truths: one for each text.
        rules: weights.
        count: targets in the batch, averaged over processes where there are several; counted here if None.
    """
    if count is None:
        count = float(sum(len(truth.boxes) for truth in truths))
    layers = range(len(found.boxes))
    pairs = [match(found.classes[layer], found.boxes[layer], found.points, truths) for layer in layers]
    terms = [
        detection_terms(found.classes[layer], found.boxes[layer], truths, pairs[layer], max(count, 1.0))
        for layer in layers
    ]
    detection = torch.stack(
        [_weighted(term, rules.equal_layers or layer == layers[-1]) for layer, term in enumerate(terms)]
    ).sum()
    masks = torch.stack(mask_terms(found, truths, pairs[-1], rules)).sum()
    empty = torch.tensor([len(truth.boxes) == 0 for truth in truths], device=found.existence.device)
    weights = found.existence.new_tensor(_EXISTENCE)
    existence = F.cross_entropy(found.existence, empty.long(), weight=weights)
    return Losses(rules.detection * detection, masks, rules.existence * existence)


def detection_terms(
    classes: Tensor, boxes: Tensor, truths: Sequence[Truth], pairs: Sequence[Pairs], count: float
) -> DetectionTerms:
    """Return the terms of one decoder layer.

    Args:
        classes: (B, Q, 2) logits of target and background.
        boxes: (B, Q, 4) centres and sizes.
        truths: B of them.
        pairs: of `match`.
        count: what the sums over pairs are divided by.
    """
    labels = torch.ones(classes.shape[:2], dtype=torch.long, device=classes.device)
    for index, (queries, _) in enumerate(pairs):
        labels[index, queries] = 0
    weights = classes.new_tensor((1.0, _BACKGROUND))
    ours = torch.cat([boxes[index, queries] for index, (queries, _) in enumerate(pairs)])
    theirs = torch.cat([truth.boxes[chosen] for truth, (_, chosen) in zip(truths, pairs, strict=True)])
    return DetectionTerms(
        F.cross_entropy(classes.flatten(0, 1), labels.flatten(), weight=weights),
        (ours - theirs).abs().sum() / count,
        (1 - giou(corners(ours), corners(theirs))).sum() / count,
    )


def mask_terms(
    found: Predictions, truths: Sequence[Truth], pairs: Sequence[Pairs], rules: LossRules
) -> MaskTerms:
    """Return the terms of masks: of queries with a target, of those without, of all targets, of attention."""
    unions = torch.stack([truth.union for truth in truths]).float()
    side = unions.shape[-1]
    logits = upsample(found.instance_masks, (side, side))
    taken = torch.zeros(logits.shape[:2], dtype=torch.bool, device=logits.device)
    for index, (queries, _) in enumerate(pairs):
        taken[index, queries] = True
    theirs = torch.cat([truth.masks[chosen] for truth, (_, chosen) in zip(truths, pairs, strict=True)])
    free = logits[~taken]
    whole = upsample(found.global_mask, (side, side))[:, 0]
    grid = found.attention.shape[-2:]
    coarse = F.interpolate(unions[:, None], size=(grid[0], grid[1]), mode="nearest")[:, 0]
    return MaskTerms(
        segmentation(logits[taken], theirs.float(), rules.keep_nan),
        rules.unmatched * segmentation(free, torch.zeros_like(free)),
        segmentation(whole, unions),
        # probabilities taken for logits, as published
        rules.attention * segmentation(found.attention, coarse),
    )


def segmentation(logits: Tensor, truth: Tensor, keep_nan: bool = False) -> Tensor:
    """Return the dice loss plus the binary cross entropy of (N, H, W) logits; without masks 0, or NaN."""
    if not len(logits) and not keep_nan:
        return logits.sum()
    everywhere = torch.ones_like(truth)
    return dice(logits, truth, everywhere).mean() + F.binary_cross_entropy_with_logits(logits, truth)


def _weighted(terms: DetectionTerms, full: bool) -> Tensor:
    distance, overlap = (DISTANCE, OVERLAP) if full else (1.0, 1.0)
    return terms.classes + distance * terms.distance + overlap * terms.overlap
