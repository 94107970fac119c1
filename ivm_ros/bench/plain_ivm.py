"""IVM run as its reference runs it: everything again for every instruction; IVM spec section 10.

The weights are those of a network of `models/ivm`, not copies. What the reference does that costs time and
changes nothing is a habit; each can be left alone, to see what it costs.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb
from transformers.models.sam.modeling_sam import SamVisionEncoder

from ivm_ros.bench.sharing import sharing_copy
from ivm_ros.grounding import Heatmap, Image
from ivm_ros.models.ivm.model import CONDITION_POSITION, Ivm
from ivm_ros.models.ivm.postprocess import heatmap
from ivm_ros.models.ivm.preprocess import clip_pixels, sam_pixels, squash
from ivm_ros.models.ivm.prompt import PromptTokenizer


@dataclass(frozen=True)
class Habits:
    """What the reference does at every instruction.

    Attributes:
        eager_attention: attention with its matrix in memory, not torch's fused one.
        language_head: scores of the whole vocabulary at every position.
        stored_states: the hidden states of all layers, and a cache of keys and values, are kept and not used.
        whole_last_layer: the language model's last layer at all positions.
        separate_adapters: adapters beside their layers, not merged into them.
    """

    eager_attention: bool = True
    language_head: bool = True
    stored_states: bool = True
    whole_last_layer: bool = True
    separate_adapters: bool = True


class PlainIvm:
    """The network of `model`, run as the reference runs it.

    Args:
        model: its tensors are used, not copied.
        tokenizer: of the prompts.
        state: the tensors before adapters were merged, under canonical names; None where they are not known.
        habits: what it does; adapters are separate only with a `state`.
    """

    def __init__(
        self,
        model: Ivm,
        tokenizer: PromptTokenizer,
        state: Mapping[str, Tensor] | None = None,
        habits: Habits = Habits(),
    ) -> None:
        attention = "eager" if habits.eager_attention else "sdpa"
        self.habits, self.config, self.tokenizer = habits, model.config, tokenizer
        self._decode, self._project = model.decode, model.prompt_encoder.text_proj
        self._sam = _image_encoder(model.image_encoder, attention)
        self._llava = sharing_copy(model.prompt_encoder.model)
        self._llava.set_attn_implementation(attention)
        language = self._llava.language_model
        if habits.separate_adapters and state is not None:
            for index, layer in enumerate(language.layers):
                for name in ("q_proj", "v_proj"):
                    stem = f"prompt_encoder.model.language_model.layers.{index}.self_attn.{name}"
                    adapted = _Adapted(getattr(layer.self_attn, name), state, stem, self.config.lora.scale)
                    setattr(layer.self_attn, name, adapted)
        if not habits.whole_last_layer:
            language.layers[-1] = _AtCondition(language.layers[-1])
        self._head = torch.randn_like(language.embed_tokens.weight) if habits.language_head else None

    @torch.inference_mode()
    def __call__(self, image: Image, instruction: str) -> Heatmap:
        """Return the (H, W) float32 heatmap of an instruction in an (H, W, 3) uint8 RGB image."""
        squashed = squash(image, self.config.vision.image_size)
        device = next(self._sam.parameters()).device
        features = self._sam(
            sam_pixels(squashed)[None].to(device, self._sam.patch_embed.projection.weight.dtype)
        ).last_hidden_state
        pixels = clip_pixels(squashed, self.config.llava.vision_config.image_size)[None].to(device)
        logits = self._decode(features, self._project(self._condition_state(pixels, instruction)))
        return heatmap(logits, self.config.vision.image_size, (image.shape[1], image.shape[0]))

    def _condition_state(self, pixels: Tensor, instruction: str) -> Tensor:
        """Return the (1, 1, D) final hidden state of the condition's token."""
        ids, mask = self.tokenizer.batch([self.tokenizer.ids(instruction)])
        answer = self._llava(
            pixel_values=pixels.to(self._llava.language_model.embed_tokens.weight.dtype),
            input_ids=ids.to(pixels.device),
            attention_mask=mask.to(pixels.device),
            output_hidden_states=self.habits.stored_states,
            use_cache=self.habits.stored_states,
        )
        hidden: Tensor = answer.last_hidden_state
        if self._head is not None:
            F.linear(hidden, self._head)
        return hidden[:, CONDITION_POSITION, None] if self.habits.whole_last_layer else hidden


class _Adapted(nn.Module):
    """A linear layer with its adapter beside it."""

    def __init__(self, merged: nn.Linear, state: Mapping[str, Tensor], stem: str, scale: float) -> None:
        super().__init__()
        like = merged.weight
        base, self.down, self.up = (
            state[f"{stem}.{part}"].to(like.device, like.dtype)
            for part in ("weight", "lora_A.weight", "lora_B.weight")
        )
        self.base, self.scale = base, scale

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.base) + self.scale * F.linear(F.linear(x, self.down), self.up)


class _AtCondition(nn.Module):
    """A language layer that answers for the condition's position alone."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, position_embeddings: tuple[Tensor, Tensor], **_: Any) -> Tensor:
        layer, attention = self.layer, self.layer.self_attn
        normed = layer.input_layernorm(x)[:, : CONDITION_POSITION + 1]  # what comes later is not seen
        query, key, value = (
            projected.unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
            for projected in (
                attention.q_proj(normed),
                attention.k_proj(normed),
                attention.v_proj(normed),
            )
        )
        rotation = [part[:, : CONDITION_POSITION + 1] for part in position_embeddings]
        query, key = apply_rotary_pos_emb(query, key, *rotation)
        out = F.scaled_dot_product_attention(query[:, :, -1:], key, value).transpose(1, 2).flatten(2)
        here = x[:, CONDITION_POSITION, None] + attention.o_proj(out)
        answer: Tensor = here + layer.mlp(layer.post_attention_layernorm(here))
        return answer


def _image_encoder(encoder: SamVisionEncoder, attention: str) -> SamVisionEncoder:
    """Return the same image encoder with another attention; which one is chosen when it is made."""
    config = copy.deepcopy(encoder.config)
    config._attn_implementation = attention
    with torch.device("meta"):
        other = SamVisionEncoder(config)
    other.load_state_dict(encoder.state_dict(), assign=True)
    return other.eval().requires_grad_(False)
