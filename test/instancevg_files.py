"""InstanceVG's released files, at a small size, with random numbers, under their authors' names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ivm_ros.checkpoints import read_state_dict
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.keys import canonical
from ivm_ros.models.instancevg.small import write_small

RELEASED = "InstanceVG-grefcoco.pth"
BEIT3 = "beit3_small_patch16_64.pth"
_LAYERS = (
    ("head.decoder.layers.{}.self_attn.", "head.decoder_transformer.decoder.layers.{}.attentions.0.attn."),
    ("head.decoder.layers.{}.cross_attn.", "head.decoder_transformer.decoder.layers.{}.attentions.1."),
    ("head.decoder.layers.{}.ffn.lin1.", "head.decoder_transformer.decoder.layers.{}.ffns.0.layers.0.0."),
    ("head.decoder.layers.{}.ffn.lin2.", "head.decoder_transformer.decoder.layers.{}.ffns.0.layers.1."),
    ("head.decoder.layers.{}.norms.", "head.decoder_transformer.decoder.layers.{}.norms."),
    ("head.pixel_decoder.stages.{}.conv1.", "head.unet_decoder.conv1_{}."),
    ("head.pixel_decoder.stages.{}.conv2.", "head.unet_decoder.conv2_{}."),
    ("head.pixel_decoder.stages.{}.norm1.", "head.unet_decoder.bn1_{}."),
    ("head.pixel_decoder.stages.{}.norm2.", "head.unet_decoder.bn2_{}."),
)
_PARTS = (
    ("backbone.", "vis_enc.beit3."),
    ("head.queries.reader.self_attn.", "head.query_generation.T2I_decoder.layers.0.attentions.0.attn."),
    ("head.queries.reader.cross_attn.", "head.query_generation.T2I_decoder.layers.0.attentions.1.attn."),
    ("head.queries.reader.ffn.lin1.", "head.query_generation.T2I_decoder.layers.0.ffns.0.layers.0.0."),
    ("head.queries.reader.ffn.lin2.", "head.query_generation.T2I_decoder.layers.0.ffns.0.layers.1."),
    ("head.queries.reader.norms.", "head.query_generation.T2I_decoder.layers.0.norms."),
    ("head.queries.reader.final_norm.", "head.query_generation.T2I_decoder.post_norm_layer."),
    ("head.queries.mlp.", "head.query_generation.mlp."),
    ("head.decoder.positions.", "head.query_pos_embedding."),
    ("head.decoder.references.", "head.decoder_transformer.reference_points."),
    ("head.global_mask.", "head.seg_branch.predict."),
    ("head.existence.", "head.nt_embed."),
    ("head.classes.", "head.class_embed.0."),
    ("head.boxes.", "head.bbox_embed.0."),
)


def released_name(name: str) -> str:
    """Return the released file's name of one of our tensors."""
    for ours, theirs in _LAYERS:
        match = re.match(re.escape(ours).replace(r"\{\}", r"(\d)"), name)
        if match:
            number = int(match[1])
            stage = 4 - number if "unet" in theirs else number
            return theirs.format(stage) + name[match.end() :]
    for ours, theirs in _PARTS:
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    return name


def released_state(config: InstanceVgConfig, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict as released: with its copies, and what nothing reads."""
    released = {released_name(name): tensor.clone() for name, tensor in state.items()}
    for name in list(released):
        for layer in range(1, config.head.decoder_layers):
            copy = re.sub(r"^(head\.(class|bbox)_embed)\.0\.", rf"\1.{layer}.", name)
            released.setdefault(copy, released[name])
    width, inner = config.head.width, config.backbone.width
    released["vis_enc.beit3.vision_embed.mask_token"] = torch.zeros(1, 1, inner)
    released["head.query_embedding.weight"] = torch.zeros(width, inner)
    released["head.query_generation.query_embed.weight"] = torch.zeros(config.head.queries, width)
    released["head.decoder_transformer.level_embeds"] = torch.zeros(4, width)
    for side, count in (("vis", width // 2), ("txt", width // 2 + 1)):
        released[f"head.proj_pixel_level_cons.{side}.weight"] = torch.zeros(count, width)
        released[f"head.proj_pixel_level_cons.{side}.bias"] = torch.zeros(count)
    released["head.detrloss.criterion.empty_weight"] = torch.tensor([1.0, 0.1])
    return released


def training_run(state: dict[str, Tensor], prefix: str = "module.") -> dict:
    """Return all that a released file holds."""
    first = next(iter(state.values()))
    return {
        "state_dict": {prefix + name: tensor for name, tensor in state.items()},
        "optimizer": {
            "state": {0: {"step": torch.ones(1), "exp_avg": first}},
            "param_groups": [{"lr": 5e-4}],
        },
        "scheduler": {"last_epoch": 9, "base_lrs": [5e-4]},
        "lr": np.float64(5e-5),
        "epoch": 9,
        "best_f1_score": 61.5,
    }


def write_released(folder: Path, prefix: str = "module.") -> InstanceVgConfig:
    """Write a folder of a released file, and a BEiT-3 file of another grid; return its configuration."""
    config = write_small(folder / "small")
    state = read_state_dict(folder / "small" / "model.safetensors")
    for name in ("beit3.spm", "config.json"):
        shutil.copyfile(folder / "small" / name, folder / name)
    released = released_state(config, state)
    assert {canonical(name) for name in released} >= set(state)
    torch.save(training_run(released, prefix), folder / RELEASED)
    shutil.rmtree(folder / "small")
    return config


def beit3_file(config: InstanceVgConfig, state: dict[str, Tensor], grid: int) -> dict:
    """Return what a pretrained BEiT-3 file holds: an encoder of a `grid`, and another task's head."""
    encoder = {
        name.replace("backbone.", "beit3."): tensor.clone()
        for name, tensor in state.items()
        if name.startswith("backbone.")
    }
    rows = torch.randn(grid * grid + 3, config.backbone.width, generator=torch.Generator().manual_seed(1))
    encoder["beit3.encoder.embed_positions.A.weight"] = rows
    encoder["beit3.vision_embed.mask_token"] = torch.zeros(1, 1, config.backbone.width)
    return {"model": {**encoder, "mlm_head.weight": torch.ones(2, 2)}}
