"""What was trained, written under the released names, so that the readers of the released files read it."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import Tensor, nn
from transformers import LlavaModel

from ivm_ros.checkpoints import CheckpointError, fit, read_state_dict, write_state_dict
from ivm_ros.models.ivm.discriminator import LmmDiscriminator
from ivm_ros.models.ivm.keys import LANGUAGE, canonical, canonical_state
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.released import TRAINED, released_names
from ivm_ros.models.ivm.weights import canonical_shapes
from ivm_ros.training.ivm.adapters import DISCRIMINATOR, GENERATOR, adapter_weights

JUDGE = "discriminator.safetensors"
"""File of a trained discriminator."""

_OWNER = "prompt_encoder."


def write_trained(ivm: Ivm, folder: Path) -> Path:
    """Write a network's adapters, projection and decoder as the released file has them; return its path.

    Beside SAM's and LLaVA's files, `load("ivm", checkpoint=folder)` reads it.
    """
    state = _adapters(ivm.prompt_encoder.model, GENERATOR)
    own = canonical_shapes(ivm)
    state |= {k: v for k, v in own.items() if k.startswith(("prompt_encoder.text_proj.", "mask_decoder."))}
    return _write(state, folder / TRAINED[1])


def write_whole(ivm: Ivm, tokenizer: Path, folder: Path) -> Path:
    """Write a network of which all was trained as a folder that `load("ivm", checkpoint=folder)` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    write_state_dict(canonical_shapes(ivm), folder / "model.safetensors", {})
    (folder / "config.json").write_text(ivm.config.to_json(), encoding="utf-8")
    return folder


def write_discriminator(discriminator: LmmDiscriminator, folder: Path) -> Path:
    """Write what was trained of a discriminator, its adapters and heads, or all where it has no adapters."""
    return _write(_discriminator_state(discriminator), folder / JUDGE, _OWNER)


def read_discriminator(discriminator: LmmDiscriminator, path: Path) -> None:
    """Load what `write_discriminator` wrote.

    Raises:
        CheckpointError: the file is missing, or does not fit; says which tensors.
    """
    wanted = _discriminator_state(discriminator)
    found = canonical_state(read_state_dict(path), _OWNER)
    report = fit(wanted, found)
    if not report.fits:
        raise CheckpointError(f"{path} is not of a discriminator like this one:\n{report}")
    for key, tensor in wanted.items():
        tensor.copy_(found[key])


def _discriminator_state(discriminator: LmmDiscriminator) -> dict[str, Tensor]:
    """Return canonical name, as if LLaVA were the prompt encoder's -> tensor."""
    body = {f"{LANGUAGE}{key}": value for key, value in discriminator.model.state_dict().items()}
    state = _adapters(discriminator.model, DISCRIMINATOR) or canonical_state(body)
    for name in ("text_proj", "discriminator_head"):
        part: nn.Module = getattr(discriminator, name)
        state |= {f"{_OWNER}{name}.{key}": value for key, value in part.state_dict().items()}
    return state


def _adapters(llava: LlavaModel, name: str) -> dict[str, Tensor]:
    """Return canonical name -> adapter weight; empty where there is none of this name."""
    weights = adapter_weights(llava, name)
    return {canonical(f"{LANGUAGE}{key}".replace(f".{name}.", ".")): w.detach() for key, w in weights.items()}


def _write(state: dict[str, Tensor], path: Path, prefix: str = "") -> Path:
    """Write tensors under the released names, without `prefix`; make the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = released_names(state)
    write_state_dict({names[key].removeprefix(prefix): value for key, value in state.items()}, path, {})
    return path
