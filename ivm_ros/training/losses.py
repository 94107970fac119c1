"""Losses that several models share."""

from __future__ import annotations

from torch import Tensor


def dice(logits: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
    """Return the (N,) soft dice losses of (N, H, W) logits against a [0, 1] truth on the counted pixels."""
    probability = logits.sigmoid() * counted
    truth = truth * counted
    overlap = (probability * truth).sum(dim=(-1, -2))
    area = probability.sum(dim=(-1, -2)) + truth.sum(dim=(-1, -2))
    return 1 - (2 * overlap + 1) / (area + 1)
