"""The language branch, the fast way: one pass per picture, and a short one per instruction.

All that stands before the words in a prompt, the picture's several hundred positions included, is the
same for every instruction, and what follows the condition's token cannot reach it. So the keys and values of
the part before are made once; an instruction then costs its own few positions, the last layer works for a
single one of them, and there is no language head (spec section 11). Equal to `PromptEncoder` up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from ivm_ros.models.ivm.model import PromptEncoder


@dataclass(frozen=True, eq=False)
class Prefix:
    """What the language model remembers of everything before an instruction.

    Attributes:
        keys: (1, heads, P, d), a tensor per layer.
        values: (1, heads, P, d), a tensor per layer.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    @property
    def length(self) -> int:
        """Number of positions P."""
        return self.keys[0].shape[2]


def image_tokens(encoder: PromptEncoder, clip_pixels: Tensor) -> Tensor:
    """Return the (B, n, D) tokens of (B, 3, s, s) pictures; CLIP's last layer is not computed."""
    llava = encoder.model
    tower = llava.vision_tower
    tower = getattr(tower, "vision_model", tower)
    x = tower.pre_layrnorm(tower.embeddings(clip_pixels.to(tower.embeddings.patch_embedding.weight.dtype)))
    count = len(tower.encoder.layers)
    layer = llava.config.vision_feature_layer
    for block in tower.encoder.layers[: layer if layer >= 0 else count + 1 + layer]:
        x = block(x, attention_mask=None)
        x = x[0] if isinstance(x, tuple) else x
    return llava.multi_modal_projector(x[:, 1:])


def read_prefix(encoder: PromptEncoder, clip_pixels: Tensor, before: Sequence[int]) -> Prefix:
    """Read the part of a prompt that no instruction changes.

    Args:
        encoder: the language branch.
        clip_pixels: (1, 3, s, s) picture.
        before: token ids in front of the picture.
    """
    language = encoder.model.language_model
    tokens = image_tokens(encoder, clip_pixels)
    words = language.embed_tokens(torch.tensor([list(before)], device=tokens.device))
    x = torch.cat([words, tokens.to(words.dtype)], dim=1)
    rotation = _rotation(language, x, 0)
    keys, values = [], []
    for layer in language.layers:
        normed = layer.input_layernorm(x)
        key, value = _keys_values(layer.self_attn, normed, rotation)
        keys.append(key)
        values.append(value)
        if layer is language.layers[-1]:
            break  # no position of the prefix is read out
        query = _rotate(_split(layer.self_attn.q_proj(normed), layer.self_attn.head_dim), rotation)
        x = _finish(layer, x, _attend(query, key, value, causal=x.shape[1] > 1))
    return Prefix(tuple(keys), tuple(values))


def read_instructions(encoder: PromptEncoder, prefix: Prefix, afters: Sequence[Sequence[int]]) -> Tensor:
    """Return the (N, 1, C) conditions of N instructions on one picture.

    Args:
        encoder: the language branch.
        prefix: of the picture.
        afters: token ids behind the picture, to the prompt's end; two or more.
    """
    language = encoder.model.language_model
    device = prefix.keys[0].device
    read = [list(after[:-1]) for after in afters]  # up to the condition's token; the colon cannot reach it
    last = torch.tensor([len(ids) - 1 for ids in read], device=device)
    longest = max(len(ids) for ids in read)
    # Padded on the right: what comes later is not seen, and every position stays what it is alone.
    padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in read], device=device)
    x = language.embed_tokens(padded)
    rotation = _rotation(language, x, prefix.length)
    here = torch.arange(longest, device=device)
    seen = torch.cat([here.new_ones(longest, prefix.length), here[None] <= here[:, None]], dim=1).bool()
    for layer, past_keys, past_values in zip(language.layers, prefix.keys, prefix.values, strict=True):
        normed = layer.input_layernorm(x)
        key, value = _keys_values(layer.self_attn, normed, rotation)
        key = torch.cat([past_keys.expand(len(x), -1, -1, -1), key], dim=2)
        value = torch.cat([past_values.expand(len(x), -1, -1, -1), value], dim=2)
        mask = seen[None, None]
        if layer is language.layers[-1]:  # only the condition's position goes on
            x, normed = _pick(x, last), _pick(normed, last)
            rotation = tuple(_pick(part.expand(len(x), -1, -1), last) for part in rotation)
            mask = seen[last][:, None, None]
        query = _rotate(_split(layer.self_attn.q_proj(normed), layer.self_attn.head_dim), rotation)
        x = _finish(layer, x, _attend(query, key, value, mask=mask))
    return encoder.text_proj(language.norm(x))


def _rotation(language: Any, x: Tensor, start: int) -> tuple[Tensor, ...]:
    positions = torch.arange(start, start + x.shape[1], device=x.device)[None]
    return tuple(language.rotary_emb(x, positions))


def _split(x: Tensor, head_dim: int) -> Tensor:
    """(B, L, heads * d) to (B, heads, L, d)."""
    return x.unflatten(-1, (-1, head_dim)).transpose(1, 2)


def _rotate(x: Tensor, rotation: tuple[Tensor, ...]) -> Tensor:
    return apply_rotary_pos_emb(x, x, *rotation)[0]


def _keys_values(attention: Any, normed: Tensor, rotation: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    key = _rotate(_split(attention.k_proj(normed), attention.head_dim), rotation)
    return key, _split(attention.v_proj(normed), attention.head_dim)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """Return (B, L, heads * d); keys and values may have fewer heads, each for several queries' heads."""
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    return out.transpose(1, 2).flatten(2)


def _finish(layer: Any, x: Tensor, attended: Tensor) -> Tensor:
    x = x + layer.self_attn.o_proj(attended)
    residual: Tensor = x + layer.mlp(layer.post_attention_layernorm(x))
    return residual


def _pick(x: Tensor, places: Tensor) -> Tensor:
    """(B, L, D) to (B, 1, D): one place of each."""
    return x[torch.arange(len(x), device=x.device), places][:, None]
