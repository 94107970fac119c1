"""Files on disk to a network that runs; and the folder of one safetensors model that `convert` makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError, fit, read_state_dict, read_text, write_state_dict
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.released import read_released
from ivm_ros.models.instancevg.text import Tokenizer

CONFIG, WEIGHTS, WORDS = "config.json", "model.safetensors", "beit3.spm"
_FETCH = "hf download Dmmm997/InstanceVG InstanceVG-grefcoco.pth --local-dir {folder}"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of the encoder, by the name that users give; the head is float32 always."""


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the encoder's dtype by name; "auto" is bfloat16 on GPUs and float32 elsewhere.

    Raises:
        ValueError: there is none of this name.
    """
    if name == "auto":
        name = "bfloat16" if device.type == "cuda" else "float32"
    if name not in PRECISIONS:
        raise ValueError(f"expected a precision of auto, {', '.join(PRECISIONS)}; got {name!r}")
    return PRECISIONS[name]


def read_checkpoint(path: Path, precision: torch.dtype, device: torch.device) -> tuple[InstanceVg, Tokenizer]:
    """Load a released file, a folder with one in it, or a folder that `convert` made.

    Args:
        path: the file or folder; `beit3.spm` lies in the same folder.
        precision: of the encoder.
        device: where it runs.

    Raises:
        CheckpointError: a file is missing, unreadable, or does not fit.
    """
    config, state, words = _read(path)
    tokenizer = Tokenizer(words, config)  # first: it takes no time to find a wrong one
    return build(config, state, precision, device, path), tokenizer


def build(
    config: InstanceVgConfig,
    state: dict[str, Tensor],
    precision: torch.dtype,
    device: torch.device,
    source: Path | str = "checkpoint",
) -> InstanceVg:
    """Return the network of a state dict under our names, in eval mode, without gradients.

    Raises:
        CheckpointError: a tensor is missing, left over or of another shape; all are named.
    """
    model = _check_fit(config, state, source)
    own = {name: tensor.to(device, _dtype(name, tensor, precision)) for name, tensor in state.items()}
    model.load_state_dict(own, assign=True)
    return model.eval().requires_grad_(False)


def convert(source: Path, target: Path, dtype: torch.dtype | None = None) -> None:
    """Write one safetensors folder of a released file: weights alone, without copies and what is not used.

    Args:
        source: the released file, or a folder with one; `beit3.spm` lies beside it.
        target: new folder.
        dtype: of the encoder's tensors; as released (float32) if None.

    Raises:
        CheckpointError: a file is missing, unreadable, or does not fit.
        FileExistsError: the target holds a model already.
    """
    if any((target / name).exists() for name in (CONFIG, WEIGHTS)):
        raise FileExistsError(f"expected a new folder, but {target} holds a model already")
    config, state, words = _read(source)
    Tokenizer(words, config)
    _check_fit(config, state, source)
    if dtype is not None:
        state = {name: tensor.to(_dtype(name, tensor, dtype)) for name, tensor in state.items()}
    write_folder(target, config, state, words)


def write_folder(target: Path, config: InstanceVgConfig, state: dict[str, Tensor], words: Path) -> None:
    """Write a folder that `read_checkpoint` reads; the configuration last, so that it marks a whole one."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(words, target / WORDS)
    write_state_dict(state, target / WEIGHTS, {})
    (target / CONFIG).write_text(config.to_json(), encoding="utf-8")


def _dtype(name: str, tensor: Tensor, precision: torch.dtype) -> torch.dtype:
    if not tensor.is_floating_point():
        return tensor.dtype
    return precision if name.startswith("backbone.") else torch.float32


def _check_fit(config: InstanceVgConfig, state: dict[str, Tensor], source: Path | str) -> InstanceVg:
    """Return a network without memory that the state dict fits."""
    with torch.device("meta"):
        model = InstanceVg(config)
    report = fit(model.state_dict(), state)
    if not report.fits:
        raise CheckpointError(f"{source} does not fit the configuration:\n{report}")
    return model


def _read(path: Path) -> tuple[InstanceVgConfig, dict[str, Tensor], Path]:
    """Return sizes, tensors under our names and the tokenizer's path; not checked against each other yet."""
    folder = path if path.is_dir() else path.parent
    config = read_config(folder / CONFIG)
    weights = folder / WEIGHTS if path.is_dir() else path
    if weights.suffix == ".safetensors" and weights.is_file():
        if config is None:
            raise CheckpointError(f"expected {CONFIG} beside {weights}, but there is none")
        return config, read_state_dict(weights), folder / WORDS
    config, state = read_released(_released_file(path), config)
    if not (folder / WORDS).is_file():
        raise CheckpointError(
            f"expected BEiT-3's {WORDS} in {folder}, but there is none; "
            "docs/instancevg.md says where to get it"
        )
    return config, state, folder / WORDS


def _released_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise CheckpointError(f"expected a file or folder of InstanceVG's, but there is none at {path}")
    found = sorted(path.glob("*.pth"))
    if not found and any(path.glob("*.onnx")):
        raise CheckpointError(f"expected weights in {path}, got graphs of `ivm-ros export`: use engine=onnx")
    if not found:
        raise CheckpointError(
            f"expected a .pth file of InstanceVG in {path}, but there is none; "
            f"to get one: {_FETCH.format(folder=path)}"
        )
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise CheckpointError(f"expected one .pth file in {path}, got {names}: name one of them instead")
    return found[0]


def read_config(path: Path) -> InstanceVgConfig | None:
    """Return the sizes in a file, None where there is none; raise CheckpointError if it cannot be read."""
    if not path.is_file():
        return None
    try:
        return InstanceVgConfig.from_json(read_text(path))
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
