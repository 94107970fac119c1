"""ivm-tiny's training step from a batch to what the losses read."""

from __future__ import annotations

from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import Features, normalise
from ivm_ros.models.ivm_tiny.glimpses import Windows, covered, cut, places, windows
from ivm_ros.models.ivm_tiny.model import IvmTiny, quality
from ivm_ros.models.ivm_tiny.objects import Cells, Looks
from ivm_ros.training.ivm_tiny.data import IGNORE, Batch
from ivm_ros.training.ivm_tiny.losses import Answered, DenseHeads, Perceived

_FALSE = 2
"""Most false objects of a view that the words are matched with as well."""
_TAKEN_FOR = 0.15
"""Probability above which the background is taken for an object."""
TRUE_MASKS = 0.3
"""Share of the objects that are looked at through the true mask; the others through the found one."""
_FINE = 3
"""Objects of a view whose masks are drawn finely as well."""


class TinyTask(nn.Module):
    """The network, and what teaches its encoder.

    Args:
        config: sizes.
    """

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.model = IvmTiny(config)
        self.dense = DenseHeads(config)

    def forward(self, batch: Batch, rng: Random) -> tuple[Perceived, Answered | None]:
        """Look at a batch, and answer its questions if it has some; all but the encoder is float32."""
        model = self.model
        images = normalise(batch.images)
        with torch.autocast("cpu", torch.bfloat16):
            features = model.image(images)
            dense = self.dense(features)
        features = Features(*(part.float() for part in features))
        image, cells, true = with_false(features.heat.detach(), batch, len(model.config.kinds))
        masks = model.masks(features, Cells(image, cells[:, 0], cells[:, 1]))
        seen = masks.detach().sigmoid()
        shown = torch.tensor([rng.random() < TRUE_MASKS for _ in batch.image], dtype=torch.bool)
        truth = F.avg_pool2d(batch.masks[shown, None].float(), 4)[:, 0]
        seen[torch.nonzero(true)[:, 0][shown]] = truth
        glimpses, where, seen_through = look_at_all(batch, image, seen)
        with torch.autocast("cpu", torch.bfloat16):
            closer = model.look_closer(glimpses, where, seen)
        looks = model.looks(features, image, seen, closer.float())
        chosen = torch.nonzero(true)[:, 0][_few(batch.image, len(images), rng)]
        with torch.autocast("cpu", torch.bfloat16):
            fine = model.outline(glimpses[chosen], where[chosen], masks[chosen].detach())
        perceived = Perceived(
            features=features,
            dense=dense,
            masks=masks[true],
            fine=(fine.float(), outlines(batch, image, true, chosen, seen_through)),
            looks=Looks(*(part[true] for part in looks)),
        )
        if not batch.questions:
            return perceived, None
        sure = features.heat.detach()[image, cells[:, 0], cells[:, 1]].sigmoid() * quality(seen)
        scene = model.matcher.arrange(Looks(*(part.detach() for part in looks)), sure, image, len(images))
        asked = model.read(batch.texts)
        times = len(batch.questions) // len(images)
        there = scene.there.repeat_interleave(times, dim=0)
        true_count = torch.bincount(batch.image, minlength=len(images)).repeat_interleave(times)
        return perceived, Answered(
            asked=asked,
            relation=model.relation(asked.tokens[:, 1]),
            matches=model.match(scene, asked),
            labels=(padded(batch.targets, true_count, there), padded(batch.anchors, true_count, there)),
        )


def look_at_all(batch: Batch, image: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Windows]:
    """Return what the pictures of a batch show of objects, where, and through which windows.

    Args:
        batch: its pictures may be of different sizes.
        image: (N,) int64 view of each object, ascending.
        masks: (N, h, w) in [0, 1].
    """
    glimpses, where, seen = [], [], []
    for number, picture in enumerate(batch.pictures):
        size = picture.shape[1], picture.shape[0]
        seen.append(windows(masks[image == number], size))
        glimpses.append(cut(picture, seen[-1]))
        where.append(places(seen[-1], size))
    return torch.cat(glimpses).to(masks.device), torch.cat(where).to(masks.device), np.concatenate(seen)


def outlines(batch: Batch, image: Tensor, true: Tensor, chosen: Tensor, seen: Windows) -> Tensor:
    """Return (n, `SIDE`, `SIDE`) float32: how much of each pixel of a window the true mask covers.

    Args:
        batch: see `Batch`.
        image: (N,) int64 view of each object.
        true: (N,) bool which of them are the batch's objects, in their order.
        chosen: (n,) int64 which are drawn, all of them true.
        seen: the N windows.
    """
    ids = torch.zeros(len(true), dtype=torch.int64)
    ids[true] = batch.ids
    numbers = chosen.tolist()
    masks = (batch.maps[int(image[number])] == int(ids[number]) for number in numbers)
    return covered(masks, seen[numbers]).to(image.device)


def with_false(heat: Tensor, batch: Batch, background: int) -> tuple[Tensor, Tensor, Tensor]:
    """Add places of the background that are taken for objects.

    Args:
        heat: (B, h, w) logits.
        batch: with N objects.
        background: its class among the kinds.

    Returns:
        (N + F,) view of each, ascending; (N + F, 2) cells; (N + F,) which are true. The true ones of a view
        come first, in their order.
    """
    probability = heat.sigmoid()
    highest = F.max_pool2d(probability[:, None], 5, stride=1, padding=2)[:, 0]
    empty = (batch.kinds == background) & (batch.heat == 0)
    wrong = torch.where((probability >= highest) & empty, probability, 0.0).flatten(1)
    values, places = wrong.topk(_FALSE, dim=1)
    views = torch.arange(len(heat))[:, None].expand_as(places)
    taken = values > _TAKEN_FOR
    width = heat.shape[-1]
    false = torch.stack([places // width, places % width], dim=-1)[taken]
    image = torch.cat([batch.image, views[taken]])
    order = torch.argsort(image, stable=True)
    return image[order], torch.cat([batch.cells, false])[order], order < len(batch.image)


def padded(labels: Tensor, true: Tensor, there: Tensor) -> Tensor:
    """Return (Q, M) labels for all objects that were found: false ones are not meant.

    Args:
        labels: (Q, m) of the true ones; m <= M.
        true: (Q,) number of true objects; they come first.
        there: (Q, M) bool.
    """
    labels = F.pad(labels, (0, there.shape[1] - labels.shape[1]), value=IGNORE)
    false = there & (torch.arange(there.shape[1]) >= true[:, None])
    return labels.masked_fill(false, 0)


def _few(image: Tensor, views: int, rng: Random) -> Tensor:
    chosen: list[int] = []
    for view in range(views):
        own = torch.nonzero(image == view)[:, 0].tolist()
        chosen += rng.sample(own, min(_FINE, len(own)))
    return torch.tensor(chosen, dtype=torch.int64)
