"""Low-rank adapters merged into the weights that they adapt, so that nothing of them is left at run time."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError

_SUFFIX = ".lora_{}.weight"


def merge_lora(
    state: Mapping[str, Tensor], scale: float, dtype: torch.dtype | None = None
) -> dict[str, Tensor]:
    """Return a state dict in which W + scale * B @ A stands for each W with its adapters A and B.

    The sum is made in float32.

    Args:
        state: canonical names; adapters are `X.lora_A.weight` (rank, in) and `X.lora_B.weight` (out, rank)
            beside `X.weight` (out, in).
        scale: alpha / rank.
        dtype: of the merged weights; as the unmerged one's if None.

    Raises:
        CheckpointError: an adapter lacks its other half or its weight, or does not fit.
    """
    merged = {key: tensor for key, tensor in state.items() if ".lora_" not in key}
    stems = {key.rsplit(".lora_", 1)[0] for key in state if ".lora_" in key}
    for stem in sorted(stems):
        halves = [_SUFFIX.format("A"), _SUFFIX.format("B"), ".weight"]
        absent = [stem + half for half in halves if stem + half not in state]
        if absent:
            raise CheckpointError(f"expected {absent[0]} beside the adapters of {stem}, but there is none")
        a, b, weight = (state[stem + half] for half in halves)
        if a.ndim != 2 or b.ndim != 2 or (b.shape[0], a.shape[1]) != weight.shape or a.shape[0] != b.shape[1]:
            raise CheckpointError(
                f"expected adapters of {stem} that fit {tuple(weight.shape)}, "
                f"got A {tuple(a.shape)} and B {tuple(b.shape)}"
            )
        total = weight.float() + scale * (b.float() @ a.float())
        merged[stem + ".weight"] = total.to(dtype or weight.dtype)
    return merged
