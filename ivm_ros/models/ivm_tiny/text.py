"""From words to vectors without a vocabulary file: hashed words and n-grams, a small transformer."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.lexicon import read_as
from ivm_ros.models.ivm_tiny.spelling import corrected
from ivm_ros.models.layers.two_way import MLP, Attention

_WORD = re.compile(r"\w+")
MAX_WORDS = 32
"""Words of an instruction that are read; the rest is dropped."""


def words(text: str) -> list[str]:
    """Split into at most `MAX_WORDS` lower-case words without accents and punctuation.

    Mistyped ones are mended, see `spelling`; other words for the same are replaced, see `lexicon`.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return [read_as(corrected(word)) for word in _WORD.findall(plain.replace("_", " "))[:MAX_WORDS]]


@lru_cache(maxsize=8192)
def buckets(word: str, count: int) -> tuple[int, ...]:
    """Return the hash buckets in [0, count) of a word: the whole word, then its 3- and 4-grams."""
    word = word[:40]
    padded = f"<{word}>"
    grams = [padded[i : i + size] for size in (3, 4) for i in range(len(padded) - size + 1)]
    return tuple(zlib.crc32(piece.encode()) % count for piece in [f"={word}", *grams])


class TextLayer(nn.Module):
    """Self attention and an MLP, each behind its norm."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLP(channels, 2 * channels)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Map (N, L, channels) to the same shape; `mask` (N, L) is false on padding."""
        x = self.norm1(tokens)
        tokens = tokens + self.attention(x, x, x, mask)
        return tokens + self.mlp(self.norm2(tokens))


class TextEncoder(nn.Module):
    """Encode instructions; two query tokens in front collect what the target and the anchor are.

    Args:
        bucket_count: rows of the hashed embedding.
        embedding: its width.
        channels: width of the transformer.
        depth: its layers.
        heads: of its attentions.
    """

    def __init__(self, bucket_count: int, embedding: int, channels: int, depth: int, heads: int) -> None:
        super().__init__()
        self.bucket_count = bucket_count
        self.embedding = nn.EmbeddingBag(bucket_count, embedding, mode="mean")
        nn.init.normal_(self.embedding.weight, std=0.5)
        self.project = nn.Linear(embedding, channels)
        self.queries = nn.Parameter(torch.randn(2, channels) * 0.5)
        self.positions = nn.Parameter(torch.randn(MAX_WORDS, channels) * 0.1)
        self.layers = nn.ModuleList(TextLayer(channels, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(channels)

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (N, 2 + L, channels) tokens and their (N, 2 + L) bool mask, false on padding.

        Tokens 0 and 1 are the queries for the target and the anchor; the words follow, at most L.
        """
        split = [words(text) for text in texts]
        longest = max(1, max(map(len, split), default=1))
        flat: list[int] = []
        offsets = []
        for line in split:
            for word in line + [""] * (longest - len(line)):
                offsets.append(len(flat))
                flat.extend(buckets(word, self.bucket_count) if word else ())
        device = self.queries.device
        bags = self.embedding(torch.tensor(flat, device=device), torch.tensor(offsets, device=device))
        tokens = self.project(bags.unflatten(0, (len(split), longest))) + self.positions[:longest]
        tokens = torch.cat([self.queries.expand(len(split), -1, -1).to(tokens.dtype), tokens], dim=1)
        lengths = torch.tensor([len(line) + 2 for line in split], device=device)
        mask = torch.arange(longest + 2, device=device) < lengths[:, None]
        for layer in self.layers:
            tokens = layer(tokens, mask)
        return self.norm(tokens), mask
