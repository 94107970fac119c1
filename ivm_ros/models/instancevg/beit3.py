"""The BEiT-3 multiway encoder: one attention over picture and words, two sets of weights; spec section 4.

Picture tokens (a class token and the patches) go through the experts named A, words through those named B.
Submodules have the names of the published state dicts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.instancevg.config import BackboneConfig

_UNUSED_ROWS = 2  # of the tables of positions


class Streams(NamedTuple):
    """The tokens of both experts, (B, 1 + N, E) of the picture and (B, L, E) of the words."""

    image: Tensor
    text: Tensor


class ImageTokens(NamedTuple):
    """All that the encoder knows of a picture before it knows the words.

    Attributes:
        tokens: (B, 1 + N, E) class token and patches, with positions.
        first: queries, keys and values of the first layer for them, each (B, 1 + N, E).
    """

    tokens: Tensor
    first: tuple[Tensor, Tensor, Tensor]


class Experts(nn.Module):
    """Two modules of one kind: A for the picture's tokens, B for the words'."""

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.A = make()
        self.B = make()

    def forward(self, streams: Streams) -> Streams:
        """Send each stream through its own."""
        return Streams(self.A(streams.image), self.B(streams.text))


class NormedFeedForward(nn.Module):
    """Two linear layers with GELU and a norm between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.ffn_layernorm = nn.LayerNorm(hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., E) to (..., E)."""
        return self.fc2(self.ffn_layernorm(F.gelu(self.fc1(x))))


class JointAttention(nn.Module):
    """Attention over both streams at once, with a norm before its output."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = Experts(lambda: nn.Linear(width, width))
        self.k_proj = Experts(lambda: nn.Linear(width, width))
        self.v_proj = Experts(lambda: nn.Linear(width, width))
        self.out_proj = Experts(lambda: nn.Linear(width, width))
        self.inner_attn_ln = Experts(lambda: nn.LayerNorm(width))

    def project_image(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of picture tokens."""
        return self.q_proj.A(image), self.k_proj.A(image), self.v_proj.A(image)

    def forward(self, image: tuple[Tensor, Tensor, Tensor], text: Tensor, padding: Tensor | None) -> Streams:
        """Attend.

        Args:
            image: queries, keys and values of the picture tokens.
            text: (B, L, E) words.
            padding: (B, L) bool, true where a word is padding, which nothing attends to; None without any.
        """
        batch, length = text.shape[:2]
        from_text = self.q_proj.B(text), self.k_proj.B(text), self.v_proj.B(text)
        q, k, v = (
            torch.cat([ours.expand(batch, -1, -1), theirs], dim=1)
            .unflatten(-1, (self.heads, -1))
            .transpose(1, 2)
            for ours, theirs in zip(image, from_text, strict=True)
        )
        mask = None
        if padding is not None:
            mask = ~F.pad(padding, (k.shape[2] - length, 0))[:, None, None, :]
        mixed = F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).flatten(2)
        return self.out_proj(self.inner_attn_ln(Streams(mixed[:, :-length], mixed[:, -length:])))


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each with its norm in front.

    Args:
        config: of the encoder.
        drop_path: chance in training that the layer is skipped for a picture.
    """

    def __init__(self, config: BackboneConfig, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.self_attn = JointAttention(config.width, config.heads)
        self.self_attn_layer_norm = Experts(lambda: nn.LayerNorm(config.width))
        self.ffn = Experts(lambda: NormedFeedForward(config.width, config.ffn))
        self.final_layer_norm = Experts(lambda: nn.LayerNorm(config.width))

    def project_image(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of (B, 1 + N, E) picture tokens."""
        return self.self_attn.project_image(self.self_attn_layer_norm.A(image))

    def attend(
        self, streams: Streams, image: tuple[Tensor, Tensor, Tensor], padding: Tensor | None
    ) -> Streams:
        """Return what attention adds to the streams."""
        return self.self_attn(image, self.self_attn_layer_norm.B(streams.text), padding)

    def forward(
        self,
        streams: Streams,
        padding: Tensor | None = None,
        image: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> Streams:
        """Return the new streams; `image` are the picture's projections where they are known already."""
        projections = self.project_image(streams.image) if image is None else image
        streams = self._add(streams, self.attend(streams, projections, padding))
        return self._add(streams, self.ffn(self.final_layer_norm(streams)))

    def _add(self, streams: Streams, update: Streams) -> Streams:
        kept: Tensor | float = 1.0
        if self.training and self.drop_path:
            chance = 1.0 - self.drop_path
            kept = update.text.new_empty(len(update.text), 1, 1).bernoulli_(chance) / chance
        return Streams(streams.image + kept * update.image, streams.text + kept * update.text)


class VisionEmbedding(nn.Module):
    """Patches of a picture to tokens, with a class token in front."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (B, 1 + N, E) tokens of (B, 3, S, S) pixels, row by row."""
        patches = self.proj(pixels.to(self.proj.weight.dtype)).flatten(2).transpose(1, 2)
        return torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)


class Encoder(nn.Module):
    """Tables of positions and the layers."""

    def __init__(self, config: BackboneConfig, grid: int) -> None:
        super().__init__()
        self.embed_positions = nn.ModuleDict(
            {
                "A": nn.Embedding(grid * grid + 1 + _UNUSED_ROWS, config.width),
                "B": nn.Embedding(config.text_positions, config.width),
            }
        )
        last = max(config.layers - 1, 1)
        self.layers = nn.ModuleList(
            EncoderLayer(config, config.drop_path * index / last) for index in range(config.layers)
        )
        self.layer_norm = Experts(lambda: nn.LayerNorm(config.width))

    def positions(self, expert: str, count: int) -> Tensor:
        """Return the (count, E) positions of an expert's tokens."""
        table: Tensor = self.embed_positions[expert].weight  # type: ignore[assignment]
        return table[_UNUSED_ROWS : _UNUSED_ROWS + count]


def _start(module: nn.Module) -> None:
    """Set weights as training without a pretrained encoder starts from."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.trunc_normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


class Beit3(nn.Module):
    """The encoder.

    Args:
        config: its sizes.
        grid: patches along a side of the picture.
    """

    def __init__(self, config: BackboneConfig, grid: int) -> None:
        super().__init__()
        self.text_embed = nn.Embedding(config.vocabulary, config.width)
        self.vision_embed = VisionEmbedding(config.width, config.patch)
        self.encoder = Encoder(config, grid)
        self.apply(_start)

    def encode_image(self, pixels: Tensor) -> ImageTokens:
        """Return all that does not depend on the words, of (B, 3, S, S) pixels."""
        tokens = self.vision_embed(pixels)
        tokens = tokens + self.encoder.positions("A", tokens.shape[1])
        layer: EncoderLayer = self.encoder.layers[0]  # type: ignore[assignment]
        return ImageTokens(tokens, layer.project_image(tokens))

    def embed_text(self, ids: Tensor, padding: Tensor | None) -> Tensor:
        """Return (B, L, E) tokens of (B, L) ids, zero where `padding` is true."""
        tokens = self.text_embed(ids) + self.encoder.positions("B", ids.shape[1])
        return tokens if padding is None else tokens.masked_fill(padding[..., None], 0.0)

    def read(self, image: ImageTokens, ids: Tensor, padding: Tensor | None = None) -> Streams:
        """Run picture and words against each other.

        Args:
            image: of `encode_image`; one picture for all texts, or one for each.
            ids: (B, L) int64.
            padding: (B, L) bool, true where a text has ended; None where all have the full length.

        Returns:
            The last layer's tokens; those of padding mean nothing.
        """
        streams = Streams(image.tokens.expand(ids.shape[0], -1, -1), self.embed_text(ids, padding))
        known: tuple[Tensor, Tensor, Tensor] | None = image.first
        for layer in self.encoder.layers:
            streams = layer(streams, padding, known)
            known = None
        return self.encoder.layer_norm(streams)

    def forward(self, pixels: Tensor, ids: Tensor, padding: Tensor | None = None) -> Streams:
        """Encode (B, 3, S, S) pixels with (B, L) ids."""
        return self.read(self.encode_image(pixels), ids, padding)
