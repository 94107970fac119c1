"""The files that IVM was released as, and one folder made of them; spec section 6.

A folder of released files has three parts, found by name: what IVM trained (`IVM-V1.0.bin`), SAM
(`sam_vit_h_4b8939.pth`, or `sam-vit-huge/` from Hugging Face), and LLaVA (`llava-1.5-7b-hf/`). A
`config.json` of format `ivm 1` beside them names other sizes than the published ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError, fit, read_state_dict
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.keys import LANGUAGE, canonical, canonical_state
from ivm_ros.models.ivm.weights import canonical_shapes, empty_ivm

TRAINED = ("IVM-V1.0.bin", "IVM-V1.0.safetensors")
"""What IVM trained: adapters, projection, decoder."""

_SAM = ("sam_vit_h_4b8939.pth", "sam-vit-huge/model.safetensors", "sam-vit-huge/pytorch_model.bin")
_LLAVA = ("llava-1.5-7b-hf/model.safetensors.index.json", "llava-1.5-7b-hf/model.safetensors")
_TOKENIZER = "llava-1.5-7b-hf/tokenizer.json"
_FETCH = {
    TRAINED: "hf download 2toINF/IVM IVM-V1.0.bin --local-dir {folder}",
    _SAM: "hf download facebook/sam-vit-huge model.safetensors --local-dir {folder}/sam-vit-huge",
    _LLAVA: "hf download llava-hf/llava-1.5-7b-hf --local-dir {folder}/llava-1.5-7b-hf",
}
"""How a user gets each part; nothing is ever downloaded by itself."""

_PE = "mask_decoder.pe_layer.positional_encoding_gaussian_matrix"
_SAM_OTHER = (
    "prompt_encoder.",
    "mask_decoder.",
    "shared_image_embedding.",
)  # of SAM itself; IVM has no use for it
_LORA = ("self_attn.q_proj", "self_attn.v_proj")


@dataclass(frozen=True)
class Released:
    """Paths of the parts.

    Attributes:
        trained: what IVM trained; None where it is to be trained first.
        sam: SAM's weights.
        llava: LLaVA's weights, a file or the index of several.
        tokenizer: LLaVA's `tokenizer.json`.
    """

    trained: Path | None
    sam: Path
    llava: Path
    tokenizer: Path


def find_released(folder: Path, untrained: bool = False) -> Released:
    """Find the parts in a folder.

    Args:
        folder: with the released files.
        untrained: the part that IVM trained may be missing.

    Raises:
        CheckpointError: one is missing; says which, and how to get it.
    """
    absent = untrained and not any((folder / name).is_file() for name in TRAINED)
    trained = None if absent else _find(folder, TRAINED)
    sam, llava = (_find(folder, names) for names in (_SAM, _LLAVA))
    tokenizer = folder / _TOKENIZER
    if not tokenizer.is_file():
        raise CheckpointError(f"expected LLaVA's tokenizer at {tokenizer}, but there is none")
    return Released(trained, sam, llava, tokenizer)


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(
        f"expected {' or '.join(names)} in {folder}, but there is none; "
        f"to get it: {_FETCH[names].format(folder=folder)}"
    )


def read_released(files: Released, config: IvmConfig) -> dict[str, Tensor]:
    """Read the whole network under canonical names, its adapters beside their weights.

    Args:
        files: the parts.
        config: the sizes.

    Raises:
        CheckpointError: a part has a tensor that is unknown, lacks one, or has one of another shape.
    """
    state = _read_sam(files.sam)
    state.update(_named(read_state_dict(files.llava, mapped=True), files.llava, LANGUAGE))
    if files.trained is not None:
        state.update(read_trained(files.trained, config))
    return state


def read_trained(path: Path, config: IvmConfig) -> dict[str, Tensor]:
    """Read what IVM trained, under canonical names; a file of a whole model has the rest as well.

    Raises:
        CheckpointError: anything is unknown, missing, or of another shape.
    """
    state = _named(read_state_dict(path, mapped=True), path)
    whole = canonical_shapes(empty_ivm(config))
    wanted = trained_shapes(config)
    extra = {key: whole[key] for key in state if key in whole and key not in wanted}
    report = fit({**wanted, **extra}, state)
    if _PE in report.missing:
        raise CheckpointError(
            f"{path} has no {_PE}: without these random frequencies its decoder cannot be reproduced"
        )
    if not report.fits:
        raise CheckpointError(f"{path} is not what IVM trained:\n{report}")
    return state


def trained_shapes(config: IvmConfig) -> dict[str, Tensor]:
    """Return canonical name -> a tensor without memory, of all that IVM trains: parameters and one buffer."""
    whole = canonical_shapes(empty_ivm(config))
    shapes = {
        name: tensor
        for name, tensor in whole.items()
        if name.startswith(("prompt_encoder.text_proj.", "mask_decoder."))
    }
    for name in whole:
        if name.startswith(f"{LANGUAGE}language_model.") and name.endswith(
            tuple(f"{x}.weight" for x in _LORA)
        ):
            rows, columns = whole[name].shape
            stem = name.removesuffix(".weight")
            shapes[f"{stem}.lora_A.weight"] = torch.empty(config.lora.rank, columns, device="meta")
            shapes[f"{stem}.lora_B.weight"] = torch.empty(rows, config.lora.rank, device="meta")
    return shapes


def released_names(names: Iterable[str]) -> dict[str, str]:
    """Return canonical name -> the released file's, for writing one; the inverse of `canonical`."""
    renamed = {}
    for name in names:
        released = name.replace(
            f"{LANGUAGE}language_model.", f"{LANGUAGE}base_model.model.language_model.model."
        )
        for half in ("A", "B"):
            released = released.replace(f".lora_{half}.weight", f".lora_{half}.default.weight")
        assert canonical(released) == name, name
        renamed[name] = released
    return renamed


def _read_sam(path: Path) -> dict[str, Tensor]:
    state = read_state_dict(path, mapped=True)
    own = {
        key.replace("vision_encoder.", "image_encoder.", 1): tensor
        for key, tensor in state.items()
        if not key.startswith(_SAM_OTHER)
    }
    unknown = [key for key in own if not key.startswith("image_encoder.")]
    if unknown or not own:
        raise CheckpointError(
            f"expected SAM's image_encoder.* or vision_encoder.* in {path}, got {unknown[:3] or 'none'}"
        )
    return _named(own, path)


def _named(state: Mapping[str, Tensor], path: Path, prefix: str = "") -> dict[str, Tensor]:
    try:
        return canonical_state(state, prefix)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
