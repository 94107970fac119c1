"""What a checkpoint keeps of a module that is trained in part, and of chance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ivm_ros.checkpoints import CheckpointError


def trained_names(module: nn.Module) -> list[str]:
    """Return the names of what training may change: parameters with a gradient, and all kept buffers."""
    weights = module.named_parameters(remove_duplicate=False)  # a body that two parts share has two names
    frozen = {name for name, weight in weights if not weight.requires_grad}
    return [name for name in module.state_dict() if name not in frozen]


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of `trained_names`; frozen parameters are read from their own files again."""
    state = module.state_dict()
    return {name: state[name] for name in trained_names(module)}


def load_trained(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Load what `trained_state` returned.

    Raises:
        CheckpointError: other tensors are trained here than there; all are named.
    """
    wanted = {name: tuple(value.shape) for name, value in trained_state(module).items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if wanted != found:
        differ = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
        listed = [f"{name}: expected {wanted.get(name)}, got {found.get(name)}" for name in differ[:20]]
        raise CheckpointError(
            f"{source} does not fit what is trained; {len(differ)} differ: " + ", ".join(listed)
        )
    module.load_state_dict(dict(state), strict=False)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's generators that a process on `device` draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Set what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
