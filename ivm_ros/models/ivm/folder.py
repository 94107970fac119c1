"""A folder on disk to a network that runs; and the folder of one safetensors model that `convert` makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError, read_state_dict, read_text
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.keys import canonical_state
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.precision import Precision
from ivm_ros.models.ivm.prompt import PromptTokenizer
from ivm_ros.models.ivm.released import find_released, read_released
from ivm_ros.models.ivm.weights import build, check_fit
from ivm_ros.models.layers.lora import merge_lora

_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"
_WEIGHTS = ("model.safetensors.index.json", "model.safetensors")
_PART_SIZE = "4GB"


def read_folder(folder: Path, precision: Precision, device: torch.device) -> tuple[Ivm, PromptTokenizer]:
    """Load a folder of released files, or one that `convert` made.

    Args:
        folder: the checkpoint.
        precision: of the parts.
        device: where it runs.

    Raises:
        CheckpointError: a file is missing, unreadable, or does not fit.
    """
    config, state, tokenizer = read_parts(folder)
    words = PromptTokenizer(tokenizer, config)  # first: it takes no time to find a wrong one
    return build(config, state, precision, device, folder), words


def convert(source: Path, target: Path, dtype: torch.dtype | None = None) -> None:
    """Write one safetensors folder of released files: adapters merged, without what is not used.

    Args:
        source: folder of the released files, or of an earlier conversion.
        target: new folder.
        dtype: of all tensors of SAM and LLaVA; as released if None (float32 and float16).

    Raises:
        CheckpointError: a file is missing, unreadable, or does not fit.
        FileExistsError: the target holds a model already.
    """
    from huggingface_hub import save_torch_state_dict

    if any((target / name).exists() for name in (_CONFIG, *_WEIGHTS)):
        raise FileExistsError(f"expected a new folder, but {target} holds a model already")
    config, state, tokenizer = read_parts(source)
    PromptTokenizer(tokenizer, config)
    state = merge_lora(state, config.lora.scale)
    check_fit(config, state, source)
    if dtype is not None:
        state = {name: tensor.to(dtype) if _large(name) else tensor for name, tensor in state.items()}
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tokenizer, target / _TOKENIZER)
    save_torch_state_dict(state, target, max_shard_size=_PART_SIZE)
    (target / _CONFIG).write_text(config.to_json(), encoding="utf-8")  # last: the folder is whole


def _large(name: str) -> bool:
    return name.startswith(("image_encoder.", "prompt_encoder.model."))


def read_parts(folder: Path, untrained: bool = False) -> tuple[IvmConfig, dict[str, Tensor], Path]:
    """Return sizes, canonical tensors and the tokenizer's path; nothing is checked against the sizes yet.

    Args:
        folder: of released files, or one that `convert` made.
        untrained: the file of what IVM trained may be missing.

    Raises:
        CheckpointError: a file is missing or unreadable.
    """
    if not folder.is_dir():
        raise CheckpointError(f"expected a folder with IVM's files, but there is none at {folder}")
    config = _read_config(folder / _CONFIG)
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return config, canonical_state(read_state_dict(folder / name, mapped=True)), folder / _TOKENIZER
    files = find_released(folder, untrained)
    return config, read_released(files, config), files.tokenizer


def _read_config(path: Path) -> IvmConfig:
    if not path.is_file():
        return IvmConfig()
    try:
        return IvmConfig.from_json(read_text(path))
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
