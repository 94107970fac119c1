"""Names of tensors: those of the released files, in any of their namings, to one form; spec section 6.

The canonical form is this package's own, and no version of transformers or PEFT changes it: SAM as in
transformers (`image_encoder.layers.0.layer_norm1.weight`), LLaVA without wrappers
(`prompt_encoder.model.language_model.layers.0.self_attn.q_proj.weight`), adapters beside their layer
(`....q_proj.lora_A.weight`), the rest as released.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

LANGUAGE = "prompt_encoder.model."
"""Prefix of LLaVA's tensors."""

_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # segment-anything -> transformers
        (r"^image_encoder\.patch_embed\.proj\.", "image_encoder.patch_embed.projection."),
        (r"^image_encoder\.blocks\.", "image_encoder.layers."),
        (r"^(image_encoder\.layers\.\d+)\.norm", r"\1.layer_norm"),
        (r"^image_encoder\.neck\.0\.", "image_encoder.neck.conv1."),
        (r"^image_encoder\.neck\.1\.", "image_encoder.neck.layer_norm1."),
        (r"^image_encoder\.neck\.2\.", "image_encoder.neck.conv2."),
        (r"^image_encoder\.neck\.3\.", "image_encoder.neck.layer_norm2."),
        # PEFT's wrappers
        (r"^prompt_encoder\.model\.base_model\.model\.", LANGUAGE),
        (r"\.base_layer\.", "."),
        (r"\.lora_([AB])\.default\.", r".lora_\1."),
        # LLaVA in transformers before 4.52, then since
        (r"^prompt_encoder\.model\.language_model\.(model|lm_head)\.", r"prompt_encoder.model.\1."),
        (
            r"^prompt_encoder\.model\.model\.(?=(language_model|vision_tower|multi_modal_projector)\.)",
            LANGUAGE,
        ),
        (r"^prompt_encoder\.model\.model\.", "prompt_encoder.model.language_model."),
        (r"^prompt_encoder\.model\.vision_tower\.vision_model\.", "prompt_encoder.model.vision_tower."),
    )
)
_UNUSED = re.compile(r"\.(lm_head\.weight|rotary_emb\.inv_freq|embeddings\.position_ids)$")
"""Tensors of LLaVA's files that the model has no use for: a language head, and constants."""


def canonical(key: str) -> str:
    """Return the canonical name of a tensor."""
    for pattern, replacement in _RULES:
        key = pattern.sub(replacement, key)
    return key


def canonical_state(state: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Return a state dict under canonical names, without what the model has no use for.

    Args:
        state: tensors by name.
        prefix: put before each name first.

    Raises:
        ValueError: two tensors have one canonical name.
    """
    named: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = canonical(prefix + key)
        if _UNUSED.search(name):
            continue
        if name in named:
            raise ValueError(f"expected one tensor for {name}, got two; the second is {key}")
        named[name] = tensor
    return named


def canonical_names(keys: Iterable[str]) -> dict[str, str]:
    """Return canonical name -> name, of a module's own tensors."""
    return {canonical(key): key for key in keys}
