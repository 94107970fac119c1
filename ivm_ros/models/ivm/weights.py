"""A state dict to a network in memory: every tensor used, in its precision, on its device."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from ivm_ros.checkpoints import CheckpointError, fit
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.keys import canonical_names
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.precision import Precision, quantised_linear
from ivm_ros.models.layers.lora import merge, split_adapters
from ivm_ros.models.layers.sam_attention import attend_in_blocks


def empty_ivm(config: IvmConfig) -> Ivm:
    """Return a network whose tensors have shapes and no memory."""
    with torch.device("meta"):
        return Ivm(config)


def canonical_shapes(model: Ivm) -> dict[str, Tensor]:
    """Return the model's own tensors under canonical names."""
    state = model.state_dict()
    return {name: state[key] for name, key in canonical_names(state).items()}


def check_fit(config: IvmConfig, state: Mapping[str, Tensor], source: Path | str) -> Ivm:
    """Return a network without memory that a state dict, adapters taken out, fits.

    Raises:
        CheckpointError: a tensor is missing, left over or of another shape; all are named.
    """
    model = empty_ivm(config)
    report = fit(canonical_shapes(model), state)
    if not report.fits:
        raise CheckpointError(f"{source} does not fit the configuration:\n{report}")
    return model


def build(
    config: IvmConfig,
    state: Mapping[str, Tensor],
    precision: Precision,
    device: torch.device,
    source: Path | str = "checkpoint",
) -> Ivm:
    """Return the network of a state dict, in eval mode, without gradients.

    Tensors are converted one at a time, so that the network and the file never are in memory at once.

    Args:
        config: the sizes.
        state: under canonical names; adapters are merged on the way, in float32.
        precision: of the parts.
        device: where it runs.
        source: where the tensors come from, for the error.

    Raises:
        CheckpointError: a tensor is missing, left over or of another shape; all are named.
    """
    base, adapters = split_adapters(state)
    model = check_fit(config, base, source)
    names = canonical_names(model.state_dict())
    for name, key in names.items():
        tensor = merge(base[name], adapters.get(name), config.lora.scale)
        if precision.quantises(name):
            assert precision.bits is not None
            layer = quantised_linear(tensor, precision.bits, precision.dtype(name), device)
            _replace(model, key.removesuffix(".weight"), layer)
        else:
            # a copy even where nothing changes: the file may be replaced while the model runs
            _assign(model, key, tensor.to(device, precision.dtype(name), copy=True))
    _restore_constants(model, device)
    attend_in_blocks(model.image_encoder)
    return model.eval().requires_grad_(False)


def _assign(model: nn.Module, key: str, tensor: Tensor) -> None:
    path, _, leaf = key.rpartition(".")
    owner = model.get_submodule(path)
    if leaf in owner._parameters:
        tensor = nn.Parameter(tensor, requires_grad=False)
    setattr(owner, leaf, tensor)


def _replace(model: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(parent), leaf, layer)


def _restore_constants(model: Ivm, device: torch.device) -> None:
    """Make anew what the modules compute for themselves and no file holds."""
    llava = model.prompt_encoder.model
    language = llava.language_model
    language.rotary_emb = type(language.rotary_emb)(config=language.config).to(device)
    embeddings = getattr(llava.vision_tower, "vision_model", llava.vision_tower).embeddings
    embeddings.position_ids = torch.arange(embeddings.num_positions, device=device)[None]
    left = [name for name, tensor in chain(model.named_parameters(), model.named_buffers()) if tensor.is_meta]
    if left:
        raise RuntimeError(f"expected every tensor of the network in memory, got none for {left}")
