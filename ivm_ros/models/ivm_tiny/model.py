"""ivm-tiny's network: encode an image once, then answer any number of instructions about it.

IVM's design with small encoders: image features and a condition made from the words meet in a two-way
transformer, and a hyper-network turns its mask token into the weights of the last convolution. Two additions
make it trainable from scratch in an hour: dense concept maps (what the words ask for, looked up in what the
encoder sees), and an upsampling that is computed once per image, whatever the number of instructions.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.concepts import (
    ConceptReader,
    Concepts,
    Wanted,
    concepts,
    geometry,
    locate,
    logit,
)
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import ConvUnit, Features, ImageEncoder
from ivm_ros.models.ivm_tiny.text import TextEncoder
from ivm_ros.models.layers.condition_mask_decoder import HyperNetwork
from ivm_ros.models.layers.positional import RandomFourierEncoding
from ivm_ros.models.layers.two_way import TwoWayTransformer

_MAPS = 5
_GEOMETRY = 12
_CLUES = 5


class Seen(NamedTuple):
    """What the words are held against, of B images."""

    concepts: Concepts
    shared4: Tensor  # (B, pixels, h4, w4)
    shared8: Tensor  # (B, decision, h8, w8)
    shared16: Tensor  # (B, channels, h16, w16)
    blend: Tensor  # (B, 9, 4, h4, w4): how four sub-pixels mix their cell's 3x3 neighbours


class Encoded(NamedTuple):
    """Image side of B images; answers need `seen` alone, training the features too."""

    features: Features
    seen: Seen


class Asked(NamedTuple):
    """Word side of N instructions.

    Attributes:
        tokens: (N, 2 + L, channels) of the text encoder.
        mask: (N, 2 + L) bool, false on padding.
        target: what they ask for.
        anchor: what they say about the anchor.
    """

    tokens: Tensor
    mask: Tensor
    target: Wanted
    anchor: Wanted


class Answer(NamedTuple):
    """What the network says to N instructions; the last three help training only.

    Attributes:
        mask: (N, H / 2, W / 2) logits.
        existence: (N,) logits that anything matches.
        anchor: (N, H / 8, W / 8) logits of the object that the words mention besides.
        target: what the words ask for.
        anchor_words: what they say about the anchor.
        relation: (N, R + 1) logits; the last is none.
    """

    mask: Tensor
    existence: Tensor
    anchor: Tensor
    target: Wanted
    anchor_words: Wanted
    relation: Tensor


class IvmTiny(nn.Module):
    """The network.

    Args:
        config: its sizes.
    """

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        channels, decision, pixels = config.channels, config.decision, config.pixels
        _, w4, w8, w16 = config.widths
        self.image = ImageEncoder(config.widths, len(config.kinds), len(config.colors), len(config.materials))
        self.text = TextEncoder(config.buckets, config.embedding, channels, config.text_depth, config.heads)
        self.target_reader = ConceptReader(config)
        self.anchor_reader = ConceptReader(config)
        self.relation = nn.Linear(channels, len(config.relations) + 1)

        self.share4 = nn.Conv2d(w4, pixels, 3, padding=1)
        self.share8 = nn.Conv2d(w8, decision, 3, padding=1)
        self.share16 = nn.Conv2d(w16, channels, 1)
        self.blend = nn.Conv2d(w4, 9 * 4, 1)

        self.place8 = nn.Conv2d(_MAPS + _GEOMETRY, decision, 3, padding=1)
        self.film8 = nn.Linear(2 * channels, 2 * decision)
        self.to_16 = nn.Conv2d(decision, channels, 3, stride=2, padding=1)
        self.positions = RandomFourierEncoding(channels)
        self.tokens = nn.Parameter(torch.randn(2, channels) * 0.5)  # mask, existence
        self.transformer = TwoWayTransformer(config.decoder_depth, channels, config.heads, 2 * channels)
        self.from_16 = nn.Conv2d(channels, decision, 1)
        self.film_again = nn.Linear(channels, 2 * decision)
        self.decide8 = ConvUnit(decision, decision)
        self.anchor = nn.Conv2d(decision, 1, 1)
        self.to_4 = nn.Conv2d(decision, 4 * (pixels - _MAPS), 1)
        self.decide4 = nn.Conv2d(pixels, pixels, 3, padding=1)
        self.hyper = HyperNetwork(channels, pixels + 2)
        self.existence = nn.Sequential(nn.Linear(channels + _CLUES, 64), nn.ReLU(), nn.Linear(64, 1))
        for value in self.hyper.layers[-1].parameters():
            nn.init.zeros_(value)  # the mask starts as what the concept map says
        nn.init.constant_(self.anchor.bias, -3.0)  # type: ignore[arg-type]

    def encode(self, images: Tensor) -> Encoded:
        """Do all that does not depend on the words.

        Args:
            images: (B, 3, H, W) of `encoder.normalise`; H and W are multiples of 16.
        """
        return self.prepare(self.image(images))

    def prepare(self, features: Features) -> Encoded:
        """Do what is left to do of `encode` after the image encoder."""
        blend = self.blend(features.s4).float().unflatten(1, (9, 4)).softmax(dim=1)
        seen = Seen(
            concepts(features),
            self.share4(features.s4),
            self.share8(features.s8),
            self.share16(features.s16),
            blend,
        )
        return Encoded(features, seen)

    def read(self, texts: Sequence[str]) -> Asked:
        """Do all that does not depend on the image."""
        tokens, mask = self.text(texts)
        return Asked(tokens, mask, self.target_reader(tokens[:, 0]), self.anchor_reader(tokens[:, 1]))

    def forward(self, encoded: Encoded, texts: Sequence[str]) -> Answer:
        """Answer N = B * K instructions, K for each of the B images, image by image."""
        return self.answer(encoded.seen, self.read(texts))

    def answer(self, seen: Seen, asked: Asked) -> Answer:
        """Answer what `read` has read; N = B * K as in `forward`."""
        words = asked.tokens
        times = words.shape[0] // seen.shared4.shape[0]
        target, kind, color = locate(asked.target, seen.concepts)
        anchor, _, _ = locate(asked.anchor, seen.concepts)
        maps4 = torch.stack([target, kind, color, anchor, logit(target) / 9], dim=1)

        x8 = self._look_around(seen, maps4, words, times)
        x16 = self.to_16(x8) + _repeat(seen.shared16, times)
        tokens = torch.cat([self.tokens.expand(words.shape[0], -1, -1).to(words.dtype), words], dim=1)
        token_mask = F.pad(asked.mask, (2, 0), value=True)
        tokens, x16 = self.transformer(x16, self.positions(*x16.shape[-2:]).to(x16.dtype), tokens, token_mask)

        x8 = x8 + F.interpolate(self.from_16(x16), scale_factor=2.0, mode="nearest")
        x8 = self.decide8(_film(x8, self.film_again(tokens[:, 0])))
        coarse = self._mask4(seen, x8, maps4, target, tokens[:, 0], times)
        existence = self._exists(tokens[:, 1], coarse, target, kind, asked.target)
        return Answer(
            mask=_upsample(coarse, seen.blend),
            existence=existence,
            anchor=self.anchor(x8)[:, 0].float(),
            target=asked.target,
            anchor_words=asked.anchor,
            relation=self.relation(words[:, 1]),
        )

    def _look_around(self, seen: Seen, maps4: Tensor, words: Tensor, times: int) -> Tensor:
        maps8 = F.avg_pool2d(maps4, 2)
        placed = torch.cat([maps8, geometry(maps8[:, 0], maps8[:, 3])], dim=1)
        x8 = self.place8(placed.to(seen.shared8.dtype)) + _repeat(seen.shared8, times)
        return F.relu(_film(x8, self.film8(words[:, :2].flatten(1))))

    def _mask4(
        self, seen: Seen, x8: Tensor, maps4: Tensor, target: Tensor, mask_token: Tensor, times: int
    ) -> Tensor:
        """Return (N, h4, w4) float32 logits: the concept map's own, corrected by the hyper-network's."""
        x4 = torch.cat([F.pixel_shuffle(self.to_4(x8), 2), maps4.to(x8.dtype)], dim=1)
        x4 = F.relu(self.decide4(F.relu(x4)) + _repeat(seen.shared4, times))
        weights = self.hyper(mask_token).float()
        correction = torch.einsum("nc,nchw->nhw", weights[:, :-2], x4.float())
        scale, shift = 1.0 + weights[:, -2, None, None], weights[:, -1, None, None]
        return scale * logit(target) + shift + correction

    def _exists(self, token: Tensor, coarse: Tensor, target: Tensor, kind: Tensor, wanted: Wanted) -> Tensor:
        smooth = F.avg_pool2d(coarse[:, None], 3, stride=2, padding=1).flatten(1)
        strongest = smooth.topk(4, dim=1).values
        stranger = wanted.kind.float().softmax(dim=-1)[:, -1:]
        clues = [
            strongest[:, :1] / 4,
            strongest.mean(dim=1, keepdim=True) / 4,
            _peak(target),
            _peak(kind),
            stranger,
        ]
        return self.existence(torch.cat([token.float(), *clues], dim=1).to(token.dtype))[:, 0].float()


def _repeat(x: Tensor, times: int) -> Tensor:
    """Repeat each of B images for what is added to it; one image adds to any number as it is."""
    return x if x.shape[0] == 1 else x.repeat_interleave(times, dim=0)


def _film(x: Tensor, scale_shift: Tensor) -> Tensor:
    """Scale and shift channels (Perez et al., 2018)."""
    scale, shift = scale_shift[..., None, None].chunk(2, dim=1)
    return x * (1 + scale) + shift


def _peak(x: Tensor) -> Tensor:
    """Return the (N, 1) maximum of an (N, h, w) map after a little smoothing."""
    return F.avg_pool2d(x[:, None], 3, stride=2, padding=1).flatten(1).amax(dim=1, keepdim=True)


def _upsample(coarse: Tensor, blend: Tensor) -> Tensor:
    """Double (B * K, h, w) logits; each new pixel is a learned mean of nine (Teed and Deng, 2020, RAFT).

    Args:
        coarse: logits, K for each image.
        blend: (B, 9, 4, h, w) weights, shared by the K.
    """
    height, width = coarse.shape[-2:]
    grouped = coarse.unflatten(0, (len(blend), -1))
    padded = F.pad(grouped, (1, 1, 1, 1), mode="replicate")
    neighbours = (padded[..., y : y + height, x : x + width] for y in range(3) for x in range(3))
    # unbind, not indexing: the gradient of each index would be a zero-filled copy of all weights
    parts = (near[:, :, None] * part[:, None] for near, part in zip(neighbours, blend.unbind(1), strict=True))
    return F.pixel_shuffle(functools.reduce(torch.add, parts), 2).flatten(0, 1)[:, 0]
