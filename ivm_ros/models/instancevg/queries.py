"""Where to look and with what: words read the picture, points are picked where they look; spec section 6."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.instancevg.blocks import FeedForward, Mlp, sine_positions
from ivm_ros.models.instancevg.config import HeadConfig


class Queries(NamedTuple):
    """What the decoder starts from.

    Attributes:
        content: (B, Q, C).
        points: (B, Q, 2) x and y in [0, 1].
        attention: (B, g, g) how much the words look at each cell.
        cells: (B, Q) int64, the points' cells row by row.
    """

    content: Tensor
    points: Tensor
    attention: Tensor
    cells: Tensor


def select_words(text: Tensor, count: Tensor, queries: int) -> tuple[Tensor, Tensor]:
    """Return the words that ask, best first; all of them in their order where there are too few.

    Args:
        text: (B, L, C) words; those beyond `count` are not looked at.
        count: (B,) int64, how many words each text has, its begin and end counted.
        queries: how many are wanted.

    Returns:
        (B, Q, C) words, zero where there are too few, and (B, Q) bool, true where there is one.
    """
    text = F.pad(text, (0, 0, 0, queries))  # whatever their number, so that one graph serves all lengths
    places = torch.arange(text.shape[1], device=text.device)
    real = places < count[:, None]
    # the published score is the mean over channels, not the norm that the paper speaks of
    score = text.mean(dim=-1).masked_fill(~real, -torch.inf)
    best = score.topk(queries, dim=1).indices
    enough = (count >= queries)[:, None]
    chosen = torch.where(enough, best, places[:queries])
    selected = enough | real[:, :queries]
    words = text.gather(1, chosen[..., None].expand(-1, -1, text.shape[2]))
    return words.masked_fill(~selected[..., None], 0.0), selected


def pick_cells(scores: Tensor, count: int, distance_weight: float) -> Tensor:
    """Pick cells of a map, one by one: the best first, then good ones far from those picked.

    Args:
        scores: (B, h, w).
        count: how many; at most h * w.
        distance_weight: of the distance to the nearest picked cell, as a share of the map's diagonal.

    Returns:
        (B, count) int64, row by row; of equals the first.
    """
    height, width = scores.shape[1:]
    if count > height * width:
        raise ValueError(
            f"expected at most {height * width} points on a map of {width}x{height}, got {count}"
        )
    rows = torch.arange(height, device=scores.device).repeat_interleave(width)
    columns = torch.arange(width, device=scores.device).repeat(height)
    cells = torch.stack([rows, columns], dim=-1).to(scores.dtype)
    diagonal = math.sqrt(height**2 + width**2)
    flat = scores.flatten(1)
    nearest = torch.full_like(flat, torch.inf)
    free = torch.ones_like(flat, dtype=torch.bool)
    picked = [flat.argmax(dim=1)]
    while len(picked) < count:
        free = free & (torch.arange(flat.shape[1], device=flat.device) != picked[-1][:, None])
        nearest = torch.minimum(nearest, (cells - cells[picked[-1]][:, None]).norm(dim=-1))
        worth = flat + distance_weight * nearest / diagonal
        picked.append(worth.masked_fill(~free, -torch.inf).argmax(dim=1))
    return torch.stack(picked, dim=1)


def cell_centres(cells: Tensor, height: int, width: int) -> Tensor:
    """Return (B, Q, 2) x and y in [0, 1] of cells of a map."""
    columns = (cells % width + 0.5) / width
    rows = (torch.div(cells, width, rounding_mode="floor") + 0.5) / height
    return torch.stack([columns, rows], dim=-1)


class WordReader(nn.Module):
    """One decoder layer in which the selected words read the picture."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        width, heads = config.width, config.reader_heads
        self.self_attn = nn.MultiheadAttention(width, heads, config.dropout, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(width, heads, config.dropout, batch_first=True)
        self.ffn = FeedForward(width, config.reader_ffn, config.dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.final_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, words: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Read (B, C, g, g) features with (B, Q, C) words.

        Returns:
            (B, Q, C) what was read, and (B, Q, g * g) where, averaged over heads.
        """
        features = image.flatten(2).transpose(1, 2)
        places = sine_positions(image.shape[2], image.shape[3], image.shape[1]).to(image)
        # Content starts at zero, so self attention mixes equal values: its result is a constant.
        bias = self.self_attn.in_proj_bias[2 * words.shape[2] :]
        x = self.norms[0](self.dropout(self.self_attn.out_proj(bias))).expand_as(words)
        keys = features + places.flatten(1).T
        read, attention = self.cross_attn(x + words, keys, features)
        x = self.norms[1](x + self.dropout(read))
        return self.final_norm(self.norms[2](x + self.ffn(x))), attention


class QueryGeneration(nn.Module):
    """Words and picture to queries.

    Args:
        config: of the head.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        width = config.width
        self.count = config.queries
        self.distance_weight = config.distance_weight
        self.reader = WordReader(config)
        self.mlp = Mlp((2 * width, width, width, width))

    def forward(self, text: Tensor, count: Tensor, image: Tensor) -> Queries:
        """Return Q queries.

        Args:
            text: (B, L, C).
            count: (B,) int64 words of each text.
            image: (B, C, g, g).
        """
        words, selected = select_words(text, count, self.count)
        read, looks = self.reader(words, image)
        height, width = image.shape[2:]
        seen = looks.masked_fill(~selected[..., None], -torch.inf).amax(dim=1)
        attention = seen.unflatten(1, (height, width))
        cells = pick_cells(attention.detach().sigmoid(), self.count, self.distance_weight)
        at = cells[:, None].expand(-1, image.shape[1], -1)
        picked = image.flatten(2).gather(2, at).transpose(1, 2)
        content = self.mlp(torch.cat([read, picked], dim=-1))
        return Queries(content, cell_centres(cells, height, width).to(image), attention, cells)
