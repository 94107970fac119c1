"""Low-rank adapters merged into the weights that they adapt, so that nothing of them is left at run time.

In a state dict the adapters A (rank, in) and B (out, rank) of a weight `X.weight` (out, in) are
`X.lora_A.weight` and `X.lora_B.weight`; merged it is W + scale * B @ A, with scale = alpha / rank.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ivm_ros.checkpoints import CheckpointError

Adapter = tuple[Tensor, Tensor]
"""A and B."""


def split_adapters(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Adapter]]:
    """Return a state dict without adapters, and the adapters by the name of their weight.

    Raises:
        CheckpointError: an adapter lacks its other half or its weight, or does not fit.
    """
    base = {key: tensor for key, tensor in state.items() if ".lora_" not in key}
    adapters: dict[str, Adapter] = {}
    for stem in sorted({key.rsplit(".lora_", 1)[0] for key in state if ".lora_" in key}):
        names = f"{stem}.lora_A.weight", f"{stem}.lora_B.weight", f"{stem}.weight"
        absent = [name for name in names if name not in state]
        if absent:
            raise CheckpointError(f"expected {absent[0]} beside the adapters of {stem}, but there is none")
        a, b, weight = (state[name] for name in names)
        if a.ndim != 2 or b.ndim != 2 or (b.shape[0], a.shape[1]) != weight.shape or a.shape[0] != b.shape[1]:
            raise CheckpointError(
                f"expected adapters of {stem} that fit {tuple(weight.shape)}, "
                f"got A {tuple(a.shape)} and B {tuple(b.shape)}"
            )
        adapters[f"{stem}.weight"] = a, b
    return base, adapters


def merge(weight: Tensor, adapter: Adapter | None, scale: float) -> Tensor:
    """Return a weight with its adapter, in float32; the weight itself where there is none."""
    if adapter is None:
        return weight
    a, b = adapter
    return weight.float() + scale * (b.float() @ a.float())


def merge_lora(state: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Return a state dict with its adapters merged, each weight in the dtype that it had.

    Raises:
        CheckpointError: as in `split_adapters`.
    """
    base, adapters = split_adapters(state)
    return {name: merge(tensor, adapters.get(name), scale).to(tensor.dtype) for name, tensor in base.items()}
