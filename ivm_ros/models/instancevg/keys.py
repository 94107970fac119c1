"""Names of tensors: those of the released files to this package's own; spec section 13.

The released files hold some tensors three times over, and some that nothing reads. The first are checked to
be equal and kept once; the second are known by name and left out. Everything else must be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^module\.", ""),  # of distributed training
        (r"^vis_enc\.beit3\.", "backbone."),
        (r"^beit3\.", "backbone."),
        (r"^head\.unet_decoder\.", "head.pixel_decoder."),
        (r"^head\.pixel_decoder\.(conv|bn)([12])_4\.", r"head.pixel_decoder.stages.0.\g<1>\g<2>."),
        (r"^head\.pixel_decoder\.(conv|bn)([12])_3\.", r"head.pixel_decoder.stages.1.\g<1>\g<2>."),
        (r"^head\.pixel_decoder\.(conv|bn)([12])_2\.", r"head.pixel_decoder.stages.2.\g<1>\g<2>."),
        (r"^(head\.pixel_decoder\.stages\.\d)\.bn", r"\1.norm"),
        (r"^head\.seg_branch\.predict\.", "head.global_mask."),
        (r"^head\.nt_embed\.", "head.existence."),
        (r"^head\.class_embed\.\d+\.", "head.classes."),
        (r"^head\.bbox_embed\.\d+\.", "head.boxes."),
        (r"^head\.query_pos_embedding\.", "head.decoder.positions."),
        (r"^head\.decoder_transformer\.reference_points\.", "head.decoder.references."),
        (r"^head\.decoder_transformer\.decoder\.layers\.", "head.decoder.layers."),
        (r"^head\.query_generation\.T2I_decoder\.layers\.0\.", "head.queries.reader."),
        (r"^head\.query_generation\.T2I_decoder\.post_norm_layer\.", "head.queries.reader.final_norm."),
        (r"^head\.query_generation\.mlp\.", "head.queries.mlp."),
        (r"^(head\..*)\.ffns\.0\.layers\.0\.0\.", r"\1.ffn.lin1."),
        (r"^(head\..*)\.ffns\.0\.layers\.1\.", r"\1.ffn.lin2."),
        (r"^(head\.queries\.reader)\.attentions\.0\.attn\.", r"\1.self_attn."),
        (r"^(head\.queries\.reader)\.attentions\.1\.attn\.", r"\1.cross_attn."),
        (r"^(head\.decoder\.layers\.\d+)\.attentions\.0\.attn\.", r"\1.self_attn."),
        (r"^(head\.decoder\.layers\.\d+)\.attentions\.1\.", r"\1.cross_attn."),
    )
)
_UNUSED = re.compile(
    r"^(backbone\.vision_embed\.mask_token"
    r"|head\.query_embedding\.weight"
    r"|head\.query_generation\.query_embed\.weight"
    r"|head\.decoder_transformer\.level_embeds"
    r"|head\.proj_pixel_level_cons\.(vis|txt)\.(weight|bias)"
    r"|head\.detrloss\.criterion\.empty_weight)$"
)
"""Tensors of the released files that no result depends on."""

QUERY_TABLE = "head.query_generation.query_embed.weight"
"""Of no use but for its (Q, C) shape, which says how many queries a released model has."""


def canonical(key: str) -> str:
    """Return our name of a tensor."""
    for pattern, replacement in _RULES:
        key = pattern.sub(replacement, key)
    return key


def canonical_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict under our names, without copies and what nothing reads.

    Raises:
        ValueError: two tensors have one name, and differ.
    """
    named: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = canonical(key)
        if _UNUSED.match(name):
            continue
        if name in named and not torch.equal(named[name], tensor):
            raise ValueError(f"expected {key} to be a copy of {name}, but it differs")
        named.setdefault(name, tensor)
    return named


def query_count(state: Mapping[str, Tensor]) -> int | None:
    """Return how many queries a released state dict says, None where it does not."""
    for key, tensor in state.items():
        if canonical(key) == QUERY_TABLE:
            return len(tensor)
    return None
