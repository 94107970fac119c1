"""IVM's mask decoder: a condition vector from the language side and image features become one mask."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.layers.positional import RandomFourierEncoding
from ivm_ros.models.layers.two_way import LayerNorm2d, TwoWayTransformer


class HyperNetwork(nn.Module):
    """An MLP with ReLU between its layers that makes the weights of a 1x1 convolution.

    Args:
        channels: input width and hidden width.
        out_channels: width of the vector it makes.
        depth: number of linear layers.
    """

    def __init__(self, channels: int, out_channels: int, depth: int = 3) -> None:
        super().__init__()
        widths = [channels] * depth + [out_channels]
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in itertools.pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., channels) to (..., out_channels)."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class ConditionMaskDecoder(nn.Module):
    """Turn image features and condition tokens into mask logits at four times the features' size.

    Submodules have the names of IVM's released state dict (`mask_decoder.*`), so it loads strictly.

    Args:
        channels: of image features and conditions; a multiple of 8.
        depth: of the two-way transformer.
        heads: of its attentions.
        mlp_dim: hidden width of its MLPs.
        mask_token_count: number of learnable tokens, averaged before the hyper-network.
        downsample_rate: of its cross attentions.
    """

    def __init__(
        self,
        channels: int = 256,
        depth: int = 2,
        heads: int = 8,
        mlp_dim: int = 2048,
        mask_token_count: int = 1,
        downsample_rate: int = 2,
    ) -> None:
        super().__init__()
        self.mask_tokens = nn.Embedding(mask_token_count, channels)
        self.pe_layer = RandomFourierEncoding(channels)
        self.transformer = TwoWayTransformer(depth, channels, heads, mlp_dim, downsample_rate)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(channels, channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            nn.ConvTranspose2d(channels // 4, channels // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = HyperNetwork(channels, channels // 8)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return mask logits.

        Args:
            image: (B, C, H, W) features.
            condition: (B, N, C) tokens of the instruction; any N >= 1.

        Returns:
            (B, 1, 4H, 4W) logits.
        """
        batch, _, height, width = image.shape
        learned = self.mask_tokens.weight.expand(batch, -1, -1)
        tokens, features = self.transformer(
            image, self.pe_layer(height, width), torch.cat([learned, condition], dim=1)
        )
        summary = tokens[:, : learned.shape[1]].mean(dim=1, keepdim=True)
        weights = self.output_hypernetworks_mlps(summary)
        upscaled = self.output_upscaling(features)
        return (weights @ upscaled.flatten(2)).unflatten(2, upscaled.shape[-2:])
