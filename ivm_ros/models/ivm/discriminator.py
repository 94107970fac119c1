"""What judges labels while IVM is trained; spec section 7. No released weights exist."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import LlavaModel

from ivm_ros.grounding import Image
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.model import CONDITION_POSITION, TwoLinear
from ivm_ros.models.layers.condition_mask_decoder import HyperNetwork
from ivm_ros.models.layers.positional import RandomFourierEncoding
from ivm_ros.models.layers.two_way import LayerNorm2d, TwoWayTransformer


def white_out(image: Image, mask: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> Image:
    """Return an (H, W, 3) image that is white where an (H, W) mask is zero: what the discriminator sees."""
    return np.where(np.asarray(mask, bool)[..., None], image, np.uint8(255))


class LmmDiscriminator(nn.Module):
    """LLaVA as the judge of (image, instruction, mask): does the masked image still allow the task?

    One batch is N prompts of template "complex_policy" with whole images, then N of template "discriminator"
    with the masked ones.

    Args:
        config: the sizes.
        head_dim: hidden width of the judging head.
    """

    def __init__(self, config: IvmConfig, head_dim: int = 1024) -> None:
        super().__init__()
        width = config.llava.text_config.hidden_size
        self.model = LlavaModel(config.llava)
        self.text_proj = TwoLinear(width, config.projection_dim, config.vision.output_channels)
        self.discriminator_head = TwoLinear(width, head_dim, 1)

    def forward(
        self, clip_pixels: Tensor, input_ids: Tensor, attention_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the first half's (N, 1, C) conditions and the second half's (N, 1) logits.

        Args:
            clip_pixels: (2 N, 3, s, s).
            input_ids: (2 N, L) with expanded picture, padded on the left.
            attention_mask: (2 N, L), 0 on the padding.
        """
        hidden = self.hidden_states(clip_pixels, input_ids, attention_mask)
        half = len(hidden) // 2
        return (
            self.text_proj(hidden[:half, CONDITION_POSITION, None]),
            self.discriminator_head(hidden[half:, -1]),
        )

    def judge(self, clip_pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the (N,) logits of the second half alone: N masked images with their prompts."""
        return self.discriminator_head(self.hidden_states(clip_pixels, input_ids, attention_mask)[:, -1])[
            :, 0
        ]

    def hidden_states(self, clip_pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the language model's (N, L, D) final hidden states."""
        return self.model(
            pixel_values=clip_pixels, input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state


class ConvDiscriminator(nn.Module):
    """The older judge on SAM's features; kept for completeness.

    It never looks at the mask: the reference reduces the mask and then drops the result, and so does the
    published state dict's `mask_downscaling`, which is loaded and can be asked for by `downscale`.

    Args:
        channels: of features and conditions.
        depth: of the two-way transformer.
        heads: of its attentions.
        mlp_dim: hidden width of its MLPs.
        mask_channels: width of the mask reduction; a multiple of 4.
    """

    def __init__(
        self,
        channels: int = 256,
        depth: int = 3,
        heads: int = 8,
        mlp_dim: int = 2048,
        mask_channels: int = 16,
    ) -> None:
        super().__init__()
        self.discriminator_token = nn.Embedding(1, channels)
        self.pe_layer = RandomFourierEncoding(channels)
        self.transformer = TwoWayTransformer(depth, channels, heads, mlp_dim)
        self.discriminator_head = HyperNetwork(channels, 1)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, channels, kernel_size=1),
        )

    def downscale(self, mask: Tensor) -> Tensor:
        """Return (B, C, H / 4, W / 4) features of (B, 1, H, W) masks, which the score ignores."""
        return self.mask_downscaling(mask)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return the (B, 1) scores of (B, C, H, W) features and (B, N, C) conditions."""
        batch, _, height, width = image.shape
        learned = self.discriminator_token.weight.expand(batch, -1, -1)
        tokens, _ = self.transformer(
            image, self.pe_layer(height, width), torch.cat([learned, condition], dim=1)
        )
        return self.discriminator_head(tokens[:, 0])
