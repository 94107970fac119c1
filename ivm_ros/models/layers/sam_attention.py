"""SAM's global attention in blocks of rows: the same numbers, an eighth of the memory.

At 64x64 positions the bias of the relative positions alone is 16 heads x 4096 x 4096 values, held twice while
it is made: 1 GB in half precision, more than all else that a picture needs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.models.sam.modeling_sam import SamVisionAttention, SamVisionEncoder

_BLOCKS = 8


class BlockwiseAttention(SamVisionAttention):
    """Multi-head attention with decomposed relative positions, a few rows of queries at a time."""

    @classmethod
    def like(cls, attention: SamVisionAttention) -> BlockwiseAttention:
        """Return one that has another's weights, under the same names."""
        own: BlockwiseAttention = cls.__new__(cls)
        own.__dict__.update(attention.__dict__)
        return own

    def forward(self, hidden_states: Tensor, output_attentions: bool = False) -> tuple[Tensor, None]:
        """Return the (B, H, W, C) attended features; attention weights are never all there to return."""
        _, height, width, _ = hidden_states.shape
        heads = self.num_attention_heads
        query, key, value = self.qkv(hidden_states).unflatten(-1, (3, heads, -1)).permute(3, 0, 4, 1, 2, 5)
        columns = self.get_rel_pos(width, width, self.rel_pos_w) if self.use_rel_pos else None
        rows = self.get_rel_pos(height, height, self.rel_pos_h) if self.use_rel_pos else None
        key, value = key.flatten(2, 3), value.flatten(2, 3)
        blocks = []
        size = -(-height // _BLOCKS)
        for start in range(0, height, size):
            block = query[:, :, start : start + size]  # (B, heads, rows, W, d)
            bias = None
            if rows is not None and columns is not None:
                vertical = torch.einsum("bnhwc,hkc->bnhwk", block, rows[start : start + size])
                horizontal = torch.einsum("bnhwc,wkc->bnhwk", block, columns)
                bias = (vertical[..., :, None] + horizontal[..., None, :]).flatten(-2).flatten(2, 3)
            blocks.append(F.scaled_dot_product_attention(block.flatten(2, 3), key, value, attn_mask=bias))
        out = torch.cat(blocks, dim=2).transpose(1, 2).flatten(2)
        return self.proj(out.unflatten(1, (height, width))), None


def attend_in_blocks(encoder: SamVisionEncoder) -> None:
    """Let the global layers of SAM's image encoder attend in blocks; for inference."""
    for layer in encoder.layers:
        if layer.window_size == 0:
            layer.attn = BlockwiseAttention.like(layer.attn)
