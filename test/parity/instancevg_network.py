"""The network of InstanceVG's golden files, built from what their index says."""

from __future__ import annotations

from pathlib import Path

import golden

from ivm_ros.checkpoints import load_strictly
from ivm_ros.models.instancevg.config import BackboneConfig, HeadConfig, InstanceVgConfig
from ivm_ros.models.instancevg.decoder import LEVELS
from ivm_ros.models.instancevg.keys import canonical_state
from ivm_ros.models.instancevg.model import InstanceVg

SYSTEM = "instancevg"
_POINTS = "head.decoder_transformer.decoder.layers.0.attentions.1.attention_weights.bias"
_TEXT_POSITIONS = "vis_enc.beit3.encoder.embed_positions.B.weight"


def case(root: Path, file: str) -> golden.GoldenCase:
    return golden.case(root, SYSTEM, file)


def config(root: Path, queries: int | None = None) -> InstanceVgConfig:
    """Return the sizes of the golden network."""
    weights = case(root, "weights")
    sizes = weights.config
    return InstanceVgConfig(
        image_size=sizes["img"],
        max_tokens=sizes["max_token"],
        backbone=BackboneConfig(
            width=sizes["embed"],
            heads=sizes["heads"],
            ffn=sizes["ffn"],
            layers=sizes["layers"],
            patch=sizes["patch"],
            vocabulary=sizes["vocab"],
            text_positions=len(weights[_TEXT_POSITIONS]),
        ),
        head=HeadConfig(
            width=sizes["C"],
            queries=queries or sizes["nq"],
            distance_weight=sizes["wdist"],
            reader_heads=sizes["t2i_heads"],
            reader_ffn=sizes["t2i_ffn"],
            decoder_layers=sizes["dec_layers"],
            decoder_heads=sizes["dec_heads"],
            decoder_ffn=sizes["dec_ffn"],
            decoder_points=len(weights[_POINTS]) // (sizes["dec_heads"] * LEVELS),
        ),
    )


def network(root: Path, queries: int | None = None) -> InstanceVg:
    """Return the golden network, in eval mode."""
    model = InstanceVg(config(root, queries))
    load_strictly(model, canonical_state(case(root, "weights").tensors))
    return model.eval()
