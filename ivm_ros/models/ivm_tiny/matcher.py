"""Which of the objects the words mean: objects read the words, and look at each other.

Relations are read from pairs: an object attends to others, and what it takes from each is also where that one
lies, so that "left of the plate" is a question about one pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.geometry import PAIR, SHAPE, relative
from ivm_ros.models.ivm_tiny.objects import Looks
from ivm_ros.models.layers.two_way import MLP, Attention

NO_KIND = 0
"""Offset behind the kinds: the words name no kind ("the red thing")."""
STRANGER = 1
"""Offset behind the kinds: a thing outside the vocabulary is named or, for the anchor, nothing at all."""

_CLUES = 8
_EPSILON = 1e-4


class Wanted(NamedTuple):
    """What the words ask for: logits over concepts; the last classes mean that nothing is said.

    Attributes:
        kind: (Q, K + 2) the kinds, `NO_KIND`, `STRANGER`.
        color: (Q, C + 1).
        material: (Q, M + 1).
    """

    kind: Tensor
    color: Tensor
    material: Tensor


class ConceptReader(nn.Module):
    """Read from a text token which kind, colour and material it asks for."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.kind = nn.Linear(config.channels, len(config.kinds) + 2)
        self.color = nn.Linear(config.channels, len(config.colors) + 1)
        self.material = nn.Linear(config.channels, len(config.materials) + 1)

    def forward(self, token: Tensor) -> Wanted:
        """Read (Q, channels) tokens."""
        return Wanted(self.kind(token), self.color(token), self.material(token))


class Scene(NamedTuple):
    """The objects of B pictures, M for each; where there are fewer, the rest is padding.

    Attributes:
        tokens: (B, M, channels).
        kinds: (B, M, K + 2) probabilities; then 1, that it is anything, and 0, that it is a stranger.
        colors: (B, M, C + 1) probabilities; then 1.
        materials: (B, M, materials + 1) probabilities; then 1.
        pairs: (B, M, M, pair) what is known of each pair.
        there: (B, M) bool, false on padding.
    """

    tokens: Tensor
    kinds: Tensor
    colors: Tensor
    materials: Tensor
    pairs: Tensor
    there: Tensor


class Matches(NamedTuple):
    """What is said to Q instructions.

    Attributes:
        target: (Q, M) logits that an object is meant; very low on padding.
        anchor: (Q, M) logits that it is what the words mention besides.
        existence: (Q,) logits that anything is meant.
    """

    target: Tensor
    anchor: Tensor
    existence: Tensor


class PairAttention(nn.Module):
    """Objects attend to objects of their picture, by what they are and by how they lie to each other.

    Args:
        channels: of tokens.
        heads: of attention.
        pair: channels of what is known of a pair.
    """

    def __init__(self, channels: int, heads: int, pair: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.asked = nn.Linear(channels, heads * pair)
        self.out = nn.Linear(channels + heads * pair, channels)

    def forward(self, x: Tensor, pairs: Tensor, words: Tensor, there: Tensor) -> Tensor:
        """Map (Q, M, C) tokens to the same shape.

        Args:
            x: tokens.
            pairs: (Q, M, M, pair).
            words: (Q, C) what relation the words ask for.
            there: (Q, M) bool.
        """
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        asked = self.asked(words).unflatten(-1, (self.heads, -1))  # (Q, heads, pair)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        scores = scores + torch.einsum("qmnp,qhp->qhmn", pairs, asked)
        weights = scores.masked_fill(~there[:, None, None], -1e4).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        lying = torch.einsum("qhmn,qmnp->qmhp", weights, pairs).flatten(2)
        return self.out(torch.cat([mixed, lying], dim=-1))


class MatcherLayer(nn.Module):
    """Read the words, look at the others, think; each behind its norm."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        channels = config.channels
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.words = Attention(channels, config.heads)
        self.others = PairAttention(channels, config.heads, config.pair)
        self.mlp = MLP(channels, 2 * channels)

    def forward(self, x: Tensor, scene: Scene, words: Tensor, word_mask: Tensor) -> Tensor:
        """Map (Q, M, C) tokens to the same shape; `words` is (Q, L, C)."""
        x = x + self.words(self.norm1(x), words, words, word_mask)
        x = x + self.others(self.norm2(x), scene.pairs, words[:, 1], scene.there)
        return x + self.mlp(self.norm3(x))


class Matcher(nn.Module):
    """Say which objects are meant.

    Args:
        config: sizes of the network.
    """

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        channels = config.channels
        self.look = nn.Linear(channels, channels)
        self.shape = nn.Linear(SHAPE + 1, channels)
        self.pair = nn.Sequential(nn.Linear(PAIR, 32), nn.ReLU(), nn.Linear(32, config.pair))
        self.nobody = nn.Parameter(torch.randn(channels) * 0.5)
        self.clues = nn.Linear(_CLUES, channels)
        self.layers = nn.ModuleList(MatcherLayer(config) for _ in range(config.matcher_depth))
        self.norm = nn.LayerNorm(channels)
        self.target = nn.Linear(channels, 1)
        self.anchor = nn.Linear(channels, 1)
        self.existence = nn.Sequential(nn.Linear(channels + 3, 64), nn.ReLU(), nn.Linear(64, 1))
        for value in self.target.parameters():
            nn.init.zeros_(value)  # an answer starts as what the concepts say
        nn.init.constant_(self.anchor.bias, -2.0)

    def arrange(self, looks: Looks, sure: Tensor, image: Tensor, count: int) -> Scene:
        """Lay N objects of `count` pictures out for `forward`, in the order of the pictures.

        Args:
            looks: of the objects.
            sure: (N,) probability that each is an object.
            image: (N,) int64, ascending.
            count: pictures.
        """
        lay, there = _layout(image, count)
        shape = torch.cat([looks.shape, sure[:, None]], dim=1)
        tokens = self.look(F.relu(looks.embedding)) + self.shape(shape)
        ones = torch.ones_like(sure)[:, None]
        kinds = torch.cat([looks.kinds.float().softmax(-1), ones, 0 * ones], dim=1)
        colors = torch.cat([looks.colors.float().softmax(-1), ones], dim=1)
        materials = torch.cat([looks.materials.float().softmax(-1)[:, :-1], ones], dim=1)
        pairs = self.pair(relative(lay(looks.shape)))
        return Scene(lay(tokens), lay(kinds), lay(colors), lay(materials), pairs, there)

    def forward(
        self, scene: Scene, words: Tensor, word_mask: Tensor, target: Wanted, anchor: Wanted
    ) -> Matches:
        """Answer Q = B * K instructions, K for each picture, picture by picture.

        Args:
            scene: of `arrange`.
            words: (Q, 2 + L, C) tokens; the first two are what target and anchor are.
            word_mask: (Q, 2 + L) bool, false on padding.
            target: what they ask for.
            anchor: what they say about the anchor.
        """
        scene = Scene(*(_repeated(part, len(words)) for part in scene))
        meant, clues = _clues(scene, target, anchor)
        x = scene.tokens + self.clues(clues)
        x = torch.cat([x, self.nobody.expand(len(x), 1, -1)], dim=1)
        scene = scene._replace(
            pairs=F.pad(scene.pairs, (0, 0, 0, 1, 0, 1)), there=F.pad(scene.there, (0, 1), value=True)
        )
        for layer in self.layers:
            x = layer(x, scene, words, word_mask)
        x = self.norm(x)
        away = torch.where(scene.there[:, :-1], 0.0, -30.0)
        found = meant + self.target(x[:, :-1])[..., 0].float() + away
        strongest = found.amax(dim=1, keepdim=True).clamp(min=-15)
        concepts = torch.where(scene.there[:, :-1], meant, -9.0).amax(dim=1, keepdim=True)
        stranger = target.kind.float().softmax(dim=-1)[:, -1:]
        exists = self.existence(torch.cat([x[:, -1], strongest / 4, concepts / 4, stranger], dim=1))[
            :, 0
        ].float()
        return Matches(found, self.anchor(x[:, :-1])[..., 0].float() + away, exists)


def _layout(image: Tensor, count: int) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return what turns (N, C) values into (count, M, C), and (count, M) bool, false on its padding."""
    if count == 1 and image.shape[0]:  # all of the one picture, as they are
        return lambda values: values[None], torch.ones(
            1, image.shape[0], dtype=torch.bool, device=image.device
        )
    most = max(1, int(torch.bincount(image, minlength=count).max())) if len(image) else 1
    place = torch.arange(len(image), device=image.device)
    place = place - torch.searchsorted(image, image)  # since the picture's first
    there = torch.zeros(count, most, dtype=torch.bool, device=image.device)
    there[image, place] = True

    def lay(values: Tensor) -> Tensor:
        empty = values.new_zeros(count, most, values.shape[-1])
        return empty.index_put((image, place), values)

    return lay, there


def _repeated(part: Tensor, count: int) -> Tensor:
    """Return (count, ...) of (B, ...): each of the B as often as the next."""
    if len(part) == 1:
        return part.expand(count, *part.shape[1:])
    return part.repeat_interleave(count // len(part), dim=0)


def _clues(scene: Scene, target: Wanted, anchor: Wanted) -> tuple[Tensor, Tensor]:
    """Return how well objects fit the concepts that are asked for: (Q, M) logits, and (Q, M, 8) clues."""
    parts = [_fit(scene, wanted) for wanted in (target, anchor)]
    logits = [torch.logit(kind * color * material, eps=_EPSILON) for kind, color, material in parts]
    clues = [part for each in parts for part in each] + [logit / 9 for logit in logits]
    return logits[0], torch.stack(clues, dim=-1)


def _fit(scene: Scene, wanted: Wanted) -> list[Tensor]:
    """Return (Q, M) probabilities that the kind, the colour and the material are those that are asked for."""
    seen = (scene.kinds, scene.colors, scene.materials)
    return [
        torch.einsum("qmc,qc->qm", part, logits.float().softmax(dim=-1))
        for part, logits in zip(seen, wanted, strict=True)
    ]
