"""Learning rates: other ones for other weights, and how all of them change over a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def rate_groups(module: nn.Module, rate_of: Callable[[str], float]) -> list[dict[str, Any]]:
    """Return an optimizer's groups of a module's trained weights, one for each rate, highest first.

    Args:
        module: its weights that require a gradient are trained.
        rate_of: name of a weight -> its highest learning rate.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            groups.setdefault(rate_of(name), []).append(weight)
    return [{"params": groups[rate], "lr": rate} for rate in sorted(groups, reverse=True)]


def layer_rate(rate: float, decay: float, above: int) -> float:
    """Return the rate of a layer with `above` layers between it and the output, the last one's being `rate`.

    Layer decay (arXiv 2106.08254): of what is pretrained, the layers next to the input change least.
    """
    return rate * decay**above


def stairs(optimizer: Optimizer, steps: int, epochs: int, warmup: int, drop: int) -> LambdaLR:
    """Return a schedule that is constant within an epoch: stairs up, then 1, then a tenth.

    Args:
        optimizer: whose rates change.
        steps: of the run.
        epochs: of the run, equally long.
        warmup: epochs on the stairs up, to 1 / (warmup + 1) first.
        drop: the epoch, counted from 1, with which the last tenth begins.
    """
    return LambdaLR(optimizer, lambda step: stair(step * epochs // max(1, steps), warmup, drop))


def stair(epoch: int, warmup: int, drop: int) -> float:
    """Return the share of the highest rate in an epoch, counted from 0."""
    if epoch < warmup:
        return (epoch + 1) / (warmup + 1)
    return 0.1 if epoch + 1 >= drop else 1.0
