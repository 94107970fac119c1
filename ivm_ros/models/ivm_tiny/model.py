"""ivm-tiny's network: find the objects of a picture once, then say which of them any words mean.

An encoder of plain convolutions says where objects are; each object's own convolutions say what covers it;
what the mask covers says what it is. Words are then matched with a dozen objects instead of thousands of
pixels, which is what makes relations, "not there" and objects that touch each other easy, and training cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import Features, ImageEncoder
from ivm_ros.models.ivm_tiny.glimpses import Closer, Outliner, through
from ivm_ros.models.ivm_tiny.joiner import Joiner
from ivm_ros.models.ivm_tiny.matcher import ConceptReader, Matcher, Matches, Scene, Wanted
from ivm_ros.models.ivm_tiny.objects import Cells, LooksHead, MaskHead
from ivm_ros.models.ivm_tiny.text import TextEncoder

_FAINT = 0.2
"""Probability of a cell under which no object is looked for."""
TRIED = 48
"""Cells of a picture that are tried; several may lie in one object."""
_SAME = 0.5
"""Overlap above which two masks are one object."""
_FEWEST = 1.5
"""Cells that the smallest object covers."""


class Found(NamedTuple):
    """The objects of one picture, the surest first; at least one, however faint.

    Attributes:
        masks: (N, h, w) float32 logits at stride 4.
        sure: (N,) float32 probability that each is an object.
    """

    masks: Tensor
    sure: Tensor


class Asked(NamedTuple):
    """Word side of Q instructions.

    Attributes:
        tokens: (Q, 2 + L, channels) of the text encoder.
        mask: (Q, 2 + L) bool, false on padding.
        target: what they ask for.
        anchor: what they say about the anchor.
    """

    tokens: Tensor
    mask: Tensor
    target: Wanted
    anchor: Wanted


class IvmTiny(nn.Module):
    """The network.

    Args:
        config: its sizes.
    """

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        self.image = ImageEncoder(config.widths, config.pixels)
        self.masks = MaskHead(config)
        self.joiner = Joiner()
        self.looks = LooksHead(config)
        self.closer = Closer(config.channels)
        self.outliner = Outliner()
        self.text = TextEncoder(
            config.buckets, config.embedding, config.channels, config.text_depth, config.heads
        )
        self.target_reader = ConceptReader(config)
        self.anchor_reader = ConceptReader(config)
        self.relation = nn.Linear(config.channels, len(config.relations) + 1)
        self.matcher = Matcher(config)

    def find(self, features: Features) -> Found:
        """Return the objects of one picture."""
        cells, heat = strongest(maxima(features.heat))
        return self.choose(self.masks(features, cells), heat)

    def choose(self, masks: Tensor, heat: Tensor) -> Found:
        """Return one mask of each object, of (N, h, w) logits and the (N,) heat of their cells."""
        pieces = self.pieces(masks, heat)
        groups = self.joiner.groups(pieces.masks, pieces.sure)
        whole = [pieces.masks[group].amax(dim=0) for group in groups]
        return Found(torch.stack(whole), pieces.sure[[first for first, *_ in groups]])

    def pieces(self, masks: Tensor, heat: Tensor) -> Found:
        """Return the masks of `choose` before any are joined: none is of the same cells as another."""
        sure, overlap = compare(masks, heat)
        kept = self.keep(sure, overlap)
        return Found(masks[kept], sure[kept])

    def keep(self, sure: Tensor, overlap: Tensor) -> list[int]:
        """Return which of N masks to keep, one of each object, the surest first; see `compare`."""
        near, sureness = (overlap > _SAME).tolist(), sure.tolist()
        order: list[int] = sure.argsort(descending=True).tolist()
        kept: list[int] = []
        for index in order:
            if sureness[index] > _FAINT / 2 and not any(near[index][other] for other in kept):
                kept.append(index)
        return kept[: self.config.most] or order[:1]

    def describe(self, features: Features, found: Found, glimpses: Tensor, where: Tensor) -> Scene:
        """Return what words are matched with; glimpses and their places as `glimpses` makes them."""
        image = torch.zeros(found.sure.shape[0], dtype=torch.int64, device=found.sure.device)
        masks = found.masks.sigmoid()
        looks = self.looks(features, image, masks, self.look_closer(glimpses, where, masks))
        scene: Scene = self.matcher.arrange(looks, found.sure, image, 1)
        return scene

    def look_closer(self, glimpses: Tensor, where: Tensor, masks: Tensor) -> Tensor:
        """Return (N, channels): what glimpses of objects say, given their (N, h, w) masks in [0, 1]."""
        said: Tensor = self.closer(glimpses, through(masks, where))
        return said

    def outline(self, glimpses: Tensor, where: Tensor, masks: Tensor) -> Tensor:
        """Return (N, `SIDE`, `SIDE`) fine mask logits in the windows, given (N, h, w) coarse ones."""
        fine: Tensor = self.outliner(glimpses, through(masks, where))
        return fine

    def read(self, texts: Sequence[str]) -> Asked:
        """Do all that does not depend on the image."""
        tokens, mask = self.text(texts)
        return Asked(tokens, mask, self.target_reader(tokens[:, 0]), self.anchor_reader(tokens[:, 1]))

    def match(self, scene: Scene, asked: Asked) -> Matches:
        """Say which objects are meant."""
        matches: Matches = self.matcher(scene, asked.tokens, asked.mask, asked.target, asked.anchor)
        return matches


def quality(masks: Tensor) -> Tensor:
    """Return how sure (N, h, w) masks in [0, 1] are of their own pixels (Wang et al., 2020, SOLOv2)."""
    inside = (masks > 0.5).float().flatten(1)
    return (masks.flatten(1) * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)


def compare(masks: Tensor, heat: Tensor) -> tuple[Tensor, Tensor]:
    """Return how sure (N, h, w) mask logits are, given the (N,) heat of their cells, and how they overlap.

    Returns:
        (N,) probabilities that each is an object, and (N, N) intersections over unions.
    """
    inside = (masks > 0).float().flatten(1)
    area = inside.sum(dim=1)
    sure = torch.where(area >= _FEWEST, heat * quality(masks.sigmoid()), 0.0)
    common = inside @ inside.T
    return sure, common / (area[:, None] + area - common).clamp(min=1)


def maxima(heat: Tensor) -> Tensor:
    """Return the (1, h, w) probabilities of one picture's logits where they are a local maximum, else 0."""
    probability = heat.float().sigmoid()
    highest = F.max_pool2d(probability[:, None], 3, stride=1, padding=1)[:, 0]
    return torch.where(probability >= highest, probability, 0.0)


def strongest(candidates: Tensor) -> tuple[Cells, Tensor]:
    """Return the cells to try, of one picture's `maxima`, and their (N,) probability; at least one."""
    values, places = candidates.flatten().topk(min(TRIED, candidates.numel()))
    tried = max(1, int((values > _FAINT).sum()))
    values, places = values[:tried], places[:tried]
    width = candidates.shape[-1]
    return Cells(torch.zeros_like(places), places // width, places % width), values
