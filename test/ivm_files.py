"""IVM's released files, at a small size and with random numbers, under the names that their authors used."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from ivm_ros.checkpoints import read_state_dict
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.released import trained_shapes
from ivm_ros.models.ivm.small import write_small

LLAVA = "llava-1.5-7b-hf"
TRAINED = "IVM-V1.0.bin"
SAM = "sam_vit_h_4b8939.pth"
PE = "mask_decoder.pe_layer.positional_encoding_gaussian_matrix"
PREFIX = {  # of the language layers in what IVM trained, by the transformers that wrote the file
    "4.40": "prompt_encoder.model.base_model.model.language_model.model.layers.",
    "4.52": "prompt_encoder.model.base_model.model.model.language_model.layers.",
}
LAYERS = "prompt_encoder.model.language_model.layers."


def segment_anything(name: str) -> str:
    """Return SAM's own name of a tensor of our image encoder."""
    name = re.sub(r"^image_encoder\.layers\.(\d+)\.layer_norm", r"image_encoder.blocks.\1.norm", name)
    name = name.replace("image_encoder.layers.", "image_encoder.blocks.")
    name = name.replace("patch_embed.projection.", "patch_embed.proj.")
    for ours, number in {"conv1": 0, "layer_norm1": 1, "conv2": 2, "layer_norm2": 3}.items():
        name = name.replace(f"image_encoder.neck.{ours}.", f"image_encoder.neck.{number}.")
    return name


def hub_llava(name: str) -> str:
    """Return the name that LLaVA's files on the hub have for a tensor of our language branch."""
    name = name.removeprefix("prompt_encoder.model.")
    name = re.sub(r"^language_model\.", "language_model.model.", name)
    return re.sub(r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model.", name)


def trained(
    config: IvmConfig, base: dict[str, torch.Tensor], naming: str = "4.40"
) -> dict[str, torch.Tensor]:
    """Return what IVM trained: projection and decoder of `base`, and adapters that matter."""
    generator = torch.Generator().manual_seed(1)
    state = {}
    for name, shape in trained_shapes(config).items():
        adapter = 0.3 * torch.randn(shape.shape, generator=generator)
        name_there = re.sub(r"\.lora_([AB])\.weight", r".lora_\1.default.weight", name)
        state[name_there.replace(LAYERS, PREFIX[naming])] = base.get(name, adapter)
    return state


def write_released(folder: Path, naming: str = "4.40") -> IvmConfig:
    """Write a folder of released files; return its configuration."""
    config = write_small(folder / "small")
    base = read_state_dict(folder / "small" / "model.safetensors")
    base = {name: tensor.clone() for name, tensor in base.items()}
    shutil.copyfile(folder / "small" / "config.json", folder / "config.json")
    (folder / LLAVA).mkdir()
    shutil.move(folder / "small" / "tokenizer.json", folder / LLAVA / "tokenizer.json")
    shutil.rmtree(folder / "small")
    torch.save(trained(config, base, naming), folder / TRAINED)
    sam = {
        segment_anything(name): tensor for name, tensor in base.items() if name.startswith("image_encoder.")
    }
    sam.update(
        {"prompt_encoder.no_mask_embed.weight": torch.ones(1), "mask_decoder.iou_token.weight": torch.ones(1)}
    )
    torch.save(sam, folder / SAM)
    llava = {
        hub_llava(name): tensor for name, tensor in base.items() if name.startswith("prompt_encoder.model.")
    }
    llava["language_model.lm_head.weight"] = torch.ones(2, 2)
    names = sorted(llava)
    parts = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for part, its in parts.items():
        save_file({name: llava[name].contiguous() for name in its}, folder / LLAVA / part)
    index = {"weight_map": {name: part for part, its in parts.items() for name in its}}
    (folder / LLAVA / "model.safetensors.index.json").write_text(json.dumps(index))
    return config
