"""Discriminator-weighted supervised learning (DWSL): IVM's loss, and how much each sample counts in it.

Labels of people are few and right, labels of machines many and sometimes wrong. A discriminator learns to
tell them apart; the generator learns from each sample as much as the discriminator trusts it. The rules are
those of the published IVM's code history, whose final training script was never published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

TRUST = (0.1, 0.9)
"""Least and most that a sample counts by the discriminator's word."""

_DICE_SCALE = 1000.0
_DICE_EPS = 1e-6


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the B samples of a batch besides their masks.

    Attributes:
        human: (B,) bool: labelled by a person, else by a machine.
        judgement: (B,) logits of the discriminator, high where it takes the label for a person's; None where
            no discriminator was asked.
        trust_humans: people's labels count 1, whatever the discriminator says.
    """

    human: Tensor
    judgement: Tensor | None = None
    trust_humans: bool = False


def _judged(evidence: Evidence) -> Tensor:
    if evidence.judgement is None:
        raise ValueError("expected the discriminator's logits to weigh samples by, got none")
    weights = evidence.judgement.detach().float().sigmoid().clamp(*TRUST)
    return torch.where(evidence.human, 1.0, weights) if evidence.trust_humans else weights


def _labelled(evidence: Evidence) -> Tensor:
    return 0.2 + 0.8 * evidence.human.float()


def _equal(evidence: Evidence) -> Tensor:
    return torch.ones(evidence.human.shape, device=evidence.human.device)


@dataclass(frozen=True)
class Variant:
    """One way to weigh samples.

    Attributes:
        weigh: `Evidence` to (B,) weights.
        discriminator: what becomes of the discriminator meanwhile: "frozen" was trained before, "joint" is
            trained together with the generator, None is not there.
        meaning: one line for people.
    """

    weigh: Callable[[Evidence], Tensor]
    discriminator: str | None
    meaning: str


VARIANTS = {
    "two-stage": Variant(_judged, "frozen", "w = clip(sigmoid(d), 0.1, 0.9), d of a discriminator at rest"),
    "joint": Variant(_judged, "joint", "the same, while the discriminator learns too (variant a)"),
    "label": Variant(_labelled, None, "w = 0.2 + 0.8 for people's labels, 0.2 for machines' (variant b)"),
    "none": Variant(_equal, None, "w = 1: plain supervised learning (variant c)"),
}


def sample_weights(variant: str, evidence: Evidence) -> Tensor:
    """Return how much each sample counts; no gradient flows through it.

    Args:
        variant: a name of `VARIANTS`.
        evidence: what is known of the samples.

    Returns:
        (B,) float32: in [0.1, 0.9] by judgement, 0.2 or 1 by label, 1 with "none".

    Raises:
        ValueError: an unknown variant, or one that needs the discriminator's logits, which are missing.
    """
    if variant not in VARIANTS:
        raise ValueError(f"expected one of {', '.join(VARIANTS)} for the weights, got {variant!r}")
    return VARIANTS[variant].weigh(evidence)


def mask_losses(logits: Tensor, heat: Tensor) -> tuple[Tensor, Tensor]:
    """Return cross entropy and dice loss of each sample, as the published IVM takes them.

    With p = sigmoid(z): ce is the mean over pixels of the binary cross entropy, dice is
    1 - (2 sum(pg) / 1000 + 1e-6) / (sum(p) / 1000 + sum(g) / 1000 + 1e-6).

    Args:
        logits: (B, H, W) z.
        heat: (B, H, W) g in [0, 1], soft or hard.

    Returns:
        ce and dice, (B,) float32 each.
    """
    logits, heat = logits.float(), heat.float()
    ce = F.binary_cross_entropy_with_logits(logits, heat, reduction="none").mean(dim=(-1, -2))
    probability = logits.sigmoid()
    overlap = (probability * heat).sum(dim=(-1, -2)) / _DICE_SCALE
    area = (probability.sum(dim=(-1, -2)) + heat.sum(dim=(-1, -2))) / _DICE_SCALE
    return ce, 1 - (2 * overlap + _DICE_EPS) / (area + _DICE_EPS)


def weighted_mask_loss(logits: Tensor, heat: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Return the terms "ce" and "dice": means over the batch of each sample's, times its weight."""
    ce, dice = mask_losses(logits, heat)
    return {"ce": (weights * ce).mean(), "dice": (weights * dice).mean()}


def discriminator_loss(judgement: Tensor, human: Tensor) -> Tensor:
    """Return the binary cross entropy of (B,) logits against 1 for people's labels and 0 for machines'."""
    return F.binary_cross_entropy_with_logits(judgement.float(), human.float())


def joint_mask(logits: Tensor, heat: Tensor) -> Tensor:
    """Return what the discriminator sees as the mask while both learn: how far the generator agrees.

    Args:
        logits: (B, H, W) of the generator.
        heat: (B, H, W) labels in [0, 1].

    Returns:
        (B, H, W) float32, without gradient: p where heat > 0.5, else 1 - p.
    """
    probability = logits.detach().float().sigmoid()
    return torch.where(heat > 0.5, probability, 1 - probability)
