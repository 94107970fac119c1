"""All sizes of an IVM, from the published 7B one down to small ones for tests."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, SamVisionConfig

from ivm_ros.models.limits import read_sizes

FORMAT = "ivm 1"
"""Says in `config.json` that a folder holds an IVM."""

LIMITS = {
    "hidden_size": (1, 32768),
    "intermediate_size": (1, 131072),
    "mlp_dim": (1, 131072),
    "num_hidden_layers": (1, 256),
    "num_attention_heads": (1, 1024),
    "num_key_value_heads": (1, 1024),
    "head_dim": (1, 4096),
    "num_channels": (1, 16),
    "output_channels": (1, 8192),
    "num_pos_feats": (1, 8192),
    "image_size": (1, 4096),
    "patch_size": (1, 256),
    "window_size": (0, 4096),
    "vocab_size": (1, 2**20),
    "projection_dim": (1, 32768),
    "image_seq_length": (1, 2**16),
    "depth": (1, 64),
    "heads": (1, 1024),
    "mask_tokens": (1, 64),
    "downsample_rate": (1, 64),
    "rank": (1, 4096),
    "alpha": (1, 2**20),
    "condition_token": (0, 2**20),
}
"""Smallest and largest sizes that a file may claim: several times the published model's."""

_KINDS = {"vision_config": "clip_vision_model", "text_config": "llama"}
"""Of LLaVA's parts; transformers would make whatever model a file names."""


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the condition mask decoder; its width is the image encoder's output."""

    depth: int = 2
    heads: int = 8
    mlp_dim: int = 2048
    mask_tokens: int = 1
    downsample_rate: int = 2


@dataclass(frozen=True)
class LoraConfig:
    """Size of the low-rank adapters on q_proj and v_proj of every language layer."""

    rank: int = 8
    alpha: int = 16

    @property
    def scale(self) -> float:
        """Factor of the adapters' product."""
        return self.alpha / self.rank


@dataclass(frozen=True, eq=False)
class IvmConfig:
    """An IVM's sizes; the defaults are the published model's.

    Attributes:
        vision: SAM's image encoder.
        llava: the language branch, with its CLIP.
        projection_dim: hidden width of the projection from language to condition.
        decoder: the mask decoder.
        lora: adapters of the language branch.
        condition_token: id of the second-to-last token of every prompt, whose hidden state is the
            condition; "ANT" of " ASSISTANT:" in LLaMA's vocabulary.
    """

    vision: SamVisionConfig = field(default_factory=lambda: SamVisionConfig(**_SAM_VIT_H))
    llava: LlavaConfig = field(default_factory=lambda: _llava(_CLIP_VIT_L, _VICUNA_7B, 32000, 32001))
    projection_dim: int = 2048
    decoder: DecoderConfig = DecoderConfig()
    lora: LoraConfig = LoraConfig()
    condition_token: int = 13566

    @property
    def image_token_count(self) -> int:
        """Positions that a picture takes in the language branch."""
        clip = self.llava.vision_config
        return int((clip.image_size // clip.patch_size) ** 2)

    def to_json(self) -> str:
        """Return the text of a `config.json`."""
        values = {
            "format": FORMAT,
            "vision": self.vision.to_dict(),
            "llava": self.llava.to_dict(),
            "projection_dim": self.projection_dim,
            "decoder": asdict(self.decoder),
            "lora": asdict(self.lora),
            "condition_token": self.condition_token,
        }
        return json.dumps(values, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> IvmConfig:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not of this format, or claims a size beyond `LIMITS`.
        """
        try:
            values = read_sizes(text, LIMITS)
            if values.pop("format") != FORMAT:
                raise ValueError("another format")
            for part, kind in _KINDS.items():
                got = values["llava"][part].get("model_type", kind)
                if got != kind:
                    raise ValueError(f"expected {part} of type {kind!r}, got {got!r}")
            return cls(
                vision=SamVisionConfig(**values.pop("vision")),
                llava=LlavaConfig(**values.pop("llava")),
                decoder=DecoderConfig(**values.pop("decoder")),
                lora=LoraConfig(**values.pop("lora")),
                **values,
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"expected a configuration of format {FORMAT!r}: {error!r}") from error

    @classmethod
    def small(
        cls,
        image_size: int = 128,
        width: int = 64,
        layers: int = 4,
        clip_size: int = 56,
        vocabulary: int = 512,
        condition_token: int = 13,
    ) -> IvmConfig:
        """Return a scaled-down model of the same design, for tests, measurements and training on a CPU.

        Args:
            image_size: side of the image encoder's input in pixels; its patches have 16.
            width: of all branches; a multiple of 16.
            layers: of the image encoder, CLIP and the language model.
            clip_size: side of CLIP's input in pixels; its patches have 14.
            vocabulary: number of tokens; the last two are image and padding.
            condition_token: as in the class.
        """
        sam = {
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": width // 16,
            "image_size": image_size,
            "global_attn_indexes": [layers // 2 - 1, layers - 1],
            "window_size": 3,
            "output_channels": width,
            "mlp_dim": 4 * width,
        }
        clip = {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": width // 16,
            "image_size": clip_size,
            "projection_dim": width,
        }
        language = {
            "hidden_size": width,
            "intermediate_size": 3 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": width // 16,
            "num_key_value_heads": width // 16,
            "vocab_size": vocabulary,
        }
        return cls(
            vision=SamVisionConfig(**{**_SAM_VIT_H, **sam}),
            llava=_llava({**_CLIP_VIT_L, **clip}, {**_VICUNA_7B, **language}, vocabulary - 2, vocabulary - 1),
            projection_dim=width,
            decoder=DecoderConfig(heads=width // 16, mlp_dim=2 * width),
            condition_token=condition_token,
        )


_SAM_VIT_H: dict[str, Any] = {
    "hidden_size": 1280,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "image_size": 1024,
    "patch_size": 16,
    "global_attn_indexes": [7, 15, 23, 31],
    "window_size": 14,
    "output_channels": 256,
    "mlp_dim": 5120,
    "layer_norm_eps": 1e-6,
}
_CLIP_VIT_L: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
    "hidden_act": "quick_gelu",
}
_VICUNA_7B: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32064,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
}


def _llava(clip: dict[str, Any], language: dict[str, Any], image_token: int, padding: int) -> LlavaConfig:
    return LlavaConfig(
        vision_config=CLIPVisionConfig(**clip),
        text_config=LlamaConfig(**language, pad_token_id=padding),
        image_token_index=image_token,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=(clip["image_size"] // clip["patch_size"]) ** 2,
    )
