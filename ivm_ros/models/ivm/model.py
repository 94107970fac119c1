"""IVM's network: image encoder, language branch, mask decoder; spec section 5."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlavaModel
from transformers.models.sam.modeling_sam import SamVisionEncoder

from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.layers.condition_mask_decoder import ConditionMaskDecoder

CONDITION_POSITION = -2
"""Where in the prompt the condition is read: the last token before the colon of "ASSISTANT:"."""


class TwoLinear(nn.Module):
    """Linear, exact GELU, linear; named as in the released files."""

    def __init__(self, channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., channels) to (..., out_channels); computed in the weights' precision."""
        return self.fc2(F.gelu(self.fc1(x.to(self.fc1.weight.dtype))))


class PromptEncoder(nn.Module):
    """LLaVA without its language head, and the projection to a condition.

    Args:
        config: the sizes.
    """

    def __init__(self, config: IvmConfig) -> None:
        super().__init__()
        self.model = LlavaModel(config.llava)
        self.text_proj = TwoLinear(
            config.llava.text_config.hidden_size, config.projection_dim, config.vision.output_channels
        )

    def hidden_states(self, clip_pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the language model's (B, L, D) final hidden states; arguments as in `forward`."""
        dtype = self.model.language_model.embed_tokens.weight.dtype
        return self.model(
            pixel_values=clip_pixels.to(dtype),
            input_ids=input_ids,
            attention_mask=attention_mask,
            use_cache=False,
        ).last_hidden_state

    def forward(self, clip_pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the (B, 1, C) conditions of B prompts.

        Args:
            clip_pixels: (B, 3, s, s) pictures.
            input_ids: (B, L) prompts with expanded picture, padded on the left.
            attention_mask: (B, L), 0 on the padding.
        """
        hidden = self.hidden_states(clip_pixels, input_ids, attention_mask)
        return self.text_proj(hidden[:, CONDITION_POSITION, None])


class Ivm(nn.Module):
    """The whole network, the plain way: for training, and as the standard that the fast way is held to.

    Submodules have the names of the released files where those files have them.

    Args:
        config: the sizes.
    """

    def __init__(self, config: IvmConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = SamVisionEncoder(config.vision)
        self.prompt_encoder = PromptEncoder(config)
        decoder = config.decoder
        self.mask_decoder = ConditionMaskDecoder(
            channels=config.vision.output_channels,
            depth=decoder.depth,
            heads=decoder.heads,
            mlp_dim=decoder.mlp_dim,
            mask_token_count=decoder.mask_tokens,
            downsample_rate=decoder.downsample_rate,
        )

    def encode_image(self, sam_pixels: Tensor) -> Tensor:
        """Return the (B, C, S / patch, S / patch) features of (B, 3, S, S) pictures."""
        dtype = self.image_encoder.patch_embed.projection.weight.dtype
        return self.image_encoder(sam_pixels.to(dtype)).last_hidden_state

    def decode(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return the (B, 1, h, w) mask logits of (B, C, h / 4, w / 4) features and (B, N, C) conditions."""
        dtype = self.mask_decoder.mask_tokens.weight.dtype
        return self.mask_decoder(features.to(dtype), condition.to(dtype))

    def forward(
        self, sam_pixels: Tensor, clip_pixels: Tensor, input_ids: Tensor, attention_mask: Tensor
    ) -> Tensor:
        """Return the (B, 1, S / 4, S / 4) mask logits of B pictures and prompts; for 16 pixels a patch.

        Args:
            sam_pixels: (B, 3, S, S).
            clip_pixels: (B, 3, s, s).
            input_ids: (B, L) prompts with expanded picture, padded on the left.
            attention_mask: (B, L), 0 on the padding.
        """
        condition = self.prompt_encoder(clip_pixels, input_ids, attention_mask)
        return self.decode(self.encode_image(sam_pixels), condition)
