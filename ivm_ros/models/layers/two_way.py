"""The two-way transformer of Segment Anything: tokens read the image, the image reads the tokens.

Submodules have the names of the published state dicts. Attention is written out as matrix products: for
the few narrow heads here that is faster on CPUs than the fused kernel.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention with separate projections and an optional narrower inner width.

    Args:
        channels: of queries, keys, values and output.
        heads: number of heads; divides the inner width.
        downsample_rate: channels / inner width.
    """

    def __init__(self, channels: int, heads: int, downsample_rate: int = 1) -> None:
        super().__init__()
        inner = channels // downsample_rate
        if inner % heads:
            raise ValueError(f"expected heads that divide the inner width {inner}, got {heads}")
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Attend from (B, N, C) queries to (B, M, C) keys and values.

        Args:
            q: queries.
            k: keys.
            v: values.
            key_mask: (B, M) bool, false where a key is padding; None when all count.
        """
        queries, keys, values = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v))
        )  # each (B, heads, tokens, width)
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, None, :], -1e4)
        mixed = scores.softmax(dim=-1).to(values.dtype) @ values
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two linear layers with a ReLU between."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, hidden)
        self.lin2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., channels) to (..., channels)."""
        return self.lin2(F.relu(self.lin1(x)))


class TwoWayLayer(nn.Module):
    """Self attention of tokens, tokens to image, MLP, image to tokens; each with its norm.

    Args:
        channels: of tokens and image.
        heads: of every attention.
        mlp_dim: hidden width of the MLP.
        downsample_rate: of the cross attentions.
        first: in the first layer self attention sees no positions and replaces the tokens.
    """

    def __init__(self, channels: int, heads: int, mlp_dim: int, downsample_rate: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = Attention(channels, heads, downsample_rate)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLP(channels, mlp_dim)
        self.norm3 = nn.LayerNorm(channels)
        self.norm4 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = Attention(channels, heads, downsample_rate)

    def forward(
        self,
        tokens: Tensor,
        image: Tensor,
        token_pe: Tensor,
        image_pe: Tensor,
        token_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the new (B, N, C) tokens and (B, M, C) image; `token_mask` (B, N) is false on padding."""
        if self.first:
            tokens = self.norm1(self.self_attn(tokens, tokens, tokens, token_mask))
        else:
            placed = tokens + token_pe
            tokens = self.norm1(tokens + self.self_attn(placed, placed, tokens, token_mask))
        keys = image + image_pe
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_pe, keys, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        update = self.cross_attn_image_to_token(keys, tokens + token_pe, tokens, token_mask)
        return tokens, self.norm4(image + update)


class TwoWayTransformer(nn.Module):
    """Layers of two-way attention and a last look of the tokens at the image.

    Args:
        depth: number of layers.
        channels: of tokens and image.
        heads: of every attention.
        mlp_dim: hidden width of the MLPs.
        downsample_rate: of the cross attentions.
    """

    def __init__(self, depth: int, channels: int, heads: int, mlp_dim: int, downsample_rate: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(channels, heads, mlp_dim, downsample_rate, first=index == 0) for index in range(depth)
        )
        self.final_attn_token_to_image = Attention(channels, heads, downsample_rate)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(
        self, image: Tensor, image_pe: Tensor, tokens: Tensor, token_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run tokens and image against each other.

        Args:
            image: (B, C, H, W) features.
            image_pe: (C, H, W) or (B, C, H, W) positions of the grid.
            tokens: (B, N, C); they are their own positions in every layer.
            token_mask: (B, N) bool, false on padding; None when all count.

        Returns:
            tokens (B, N, C) and image (B, C, H, W).
        """
        size = image.shape[-2:]
        keys = image.flatten(2).transpose(1, 2)
        keys_pe = image_pe.expand_as(image).flatten(2).transpose(1, 2)
        token_pe = tokens
        for layer in self.layers:
            tokens, keys = layer(tokens, keys, token_pe, keys_pe, token_mask)
        update = self.final_attn_token_to_image(tokens + token_pe, keys + keys_pe, keys)
        tokens = self.norm_final_attn(tokens + update)
        return tokens, keys.transpose(1, 2).unflatten(2, size)


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of (B, C, H, W)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised (B, C, H, W)."""
        moved = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return moved.permute(0, 3, 1, 2)
