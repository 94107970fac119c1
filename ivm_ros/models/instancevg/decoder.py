"""The deformable decoder in plain PyTorch; spec section 7.

A query reads each head's few samples of the pyramid and no more, so the samples are taken first and projected
after: their weighted sum goes through the head's own rows of the projection. Where a sample falls outside the
map, zeros stand in for the projected value, its bias with it; a channel of ones beside the features, sampled
with them, says how much of each sum lay inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.instancevg.blocks import FeedForward
from ivm_ros.models.instancevg.config import HeadConfig

LEVELS = 4


def with_coverage(level: Tensor) -> Tensor:
    """Return a (B, C + 1, H, W) map whose last channel is one everywhere, of a (B, C, H, W) one."""
    return F.pad(level, (0, 0, 0, 0, 0, 1), value=1.0)


class DeformableAttention(nn.Module):
    """Multi-scale deformable attention (arXiv 2010.04159, equation 3).

    Args:
        width: of queries, features and output.
        heads: divides the width.
        levels: maps that are read.
        points: samples per head and level.
    """

    def __init__(self, width: int, heads: int, levels: int = LEVELS, points: int = 4) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"expected heads that divide the width {width}, got {heads}")
        self.heads, self.levels, self.points = heads, levels, points
        self.sampling_offsets = nn.Linear(width, heads * levels * points * 2)
        self.attention_weights = nn.Linear(width, heads * levels * points)
        self.value_proj = nn.Linear(width, width)
        self.output_proj = nn.Linear(width, width)
        self._start()

    def _start(self) -> None:
        for layer in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        for layer in (self.sampling_offsets, self.attention_weights):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(compass_offsets(self.heads, self.levels, self.points))

    def forward(self, query: Tensor, references: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Read the maps around reference points.

        Args:
            query: (B, Q, C), positions added.
            references: (B, Q, 2) or (B, Q, levels, 2), x and y as shares of the maps; any value.
            levels: (B, C + 1, H, W) each, of `with_coverage`.

        Returns:
            (B, Q, C).
        """
        batch, count, _ = query.shape
        shape = (batch, count, self.heads, self.levels, self.points)
        offsets = self.sampling_offsets(query).view(*shape, 2)
        weights = self.attention_weights(query).view(*shape[:3], -1).softmax(dim=-1).view(shape)
        if references.ndim == 3:
            references = references[:, :, None].expand(-1, -1, self.levels, -1)
        read: Tensor | None = None
        for index, level in enumerate(levels):
            size = query.new_tensor([level.shape[3], level.shape[2]])
            places = references[:, :, None, index, None] + offsets[:, :, :, index] / size
            sampled = F.grid_sample(
                level, (2 * places - 1).flatten(2, 3), padding_mode="zeros", align_corners=False
            )  # (B, C + 1, Q, heads * points)
            sampled = sampled.unflatten(3, (self.heads, self.points))
            part = torch.einsum("bcqhp,bqhp->bqhc", sampled, weights[:, :, :, index])
            read = part if read is None else read + part
        assert read is not None, "expected at least one level"
        return self.output_proj(self._project(read))

    def _project(self, read: Tensor) -> Tensor:
        """Return (B, Q, C): each head's (C + 1) sums through its rows of the value projection."""
        weight = self.value_proj.weight.unflatten(0, (self.heads, -1))
        bias = self.value_proj.bias.unflatten(0, (self.heads, -1))
        values = torch.einsum("bqhc,hdc->bqhd", read[..., :-1], weight) + read[..., -1:] * bias
        return values.flatten(2)


class DecoderLayer(nn.Module):
    """Self attention of the queries, a look at the pyramid, feed-forward; each with its norm behind."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        width, heads = config.width, config.decoder_heads
        self.self_attn = nn.MultiheadAttention(width, heads, config.dropout, batch_first=True)
        self.cross_attn = DeformableAttention(width, heads, LEVELS, config.decoder_points)
        self.ffn = FeedForward(width, config.decoder_ffn, config.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, positions: Tensor, references: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Return the new (B, Q, C) queries."""
        placed = x + positions
        x = self.norms[0](x + self.dropout(self.self_attn(placed, placed, x, need_weights=False)[0]))
        x = self.norms[1](x + self.dropout(self.cross_attn(x + positions, references, levels)))
        return self.norms[2](x + self.ffn(x))


class DeformableDecoder(nn.Module):
    """Layers that read the pyramid around each query's point."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.positions = nn.Linear(2, config.width)
        self.references = nn.Linear(config.width, 2)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))

    def forward(self, content: Tensor, points: Tensor, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            content: (B, Q, C).
            points: (B, Q, 2) x and y in [0, 1].
            levels: (B, C, H, W) each, finest first.

        Returns:
            (D, B, Q, C) queries behind each layer, and their (B, Q, 2) references, which lie in [0, 2].
        """
        positions = self.positions(points)
        # A sum, as published: references may lie outside the picture, and are the same for all layers.
        references = points + self.references(positions).sigmoid()
        covered = [with_coverage(level) for level in levels]
        states = []
        for layer in self.layers:
            content = layer(content, positions, references, covered)
            states.append(content)
        return torch.stack(states), references


def compass_offsets(heads: int, levels: int, points: int) -> Tensor:
    """Return the offsets that training starts from: each head looks its own way, each point further out.

    Returns:
        (heads * levels * points * 2,), a bias of `sampling_offsets`.
    """
    angles = torch.arange(heads) * (2 * math.pi / heads)
    ways = torch.stack([angles.cos(), angles.sin()], dim=-1)
    ways = ways / ways.abs().amax(dim=-1, keepdim=True)
    steps = torch.arange(1, points + 1)
    return (ways[:, None, None] * steps[:, None]).expand(-1, levels, -1, -1).flatten()
