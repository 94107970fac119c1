"""A moving average of the weights, which is often better than the weights that training has just now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ivm_ros.training.state import trained_state


class Average:
    """An exponential moving average of what training changes in a module, kept beside it.

    Args:
        module: on its device.
        decay: share of the average that stays in a step, below 1; lower in the first steps, so that the
            weights of the start are soon forgotten.

    Raises:
        ValueError: the decay is not in [0, 1).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"expected a decay of the average in [0, 1), got {decay}")
        self.module, self.decay = module, decay
        self._means = {name: value.detach().clone() for name, value in trained_state(module).items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the weights after step `step`, counted from 1."""
        decay = min(self.decay, step / (10 + step))
        for name, value in trained_state(self.module).items():
            mean = self._means[name]
            if mean.is_floating_point():
                mean.lerp_(value.detach(), 1 - decay)
            else:
                mean.copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the module have the average instead of its weights for a while."""
        own = {name: value.detach().clone() for name, value in trained_state(self.module).items()}
        self._put(self._means)
        try:
            yield
        finally:
            self._put(own)

    def state(self) -> dict[str, Tensor]:
        """Return the average, for a checkpoint."""
        return dict(self._means)

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned."""
        for name, mean in self._means.items():
            mean.copy_(state[name])

    @torch.no_grad()
    def _put(self, values: Mapping[str, Tensor]) -> None:
        for name, weight in trained_state(self.module).items():
            weight.copy_(values[name])
