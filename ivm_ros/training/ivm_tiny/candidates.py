"""What may be meant in own pictures: the labelled targets, and whatever else the network finds there.

Own pictures come without a list of all objects. So the network says itself what else is there: an object that
it finds apart from the targets of a question is one that the question does not mean.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ivm_ros.models.ivm_tiny.encoder import Features
from ivm_ros.models.ivm_tiny.glimpses import covered, cut, places, windows
from ivm_ros.models.ivm_tiny.model import Found, IvmTiny, quality
from ivm_ros.training.ivm_tiny.clues import OTHER, SAME
from ivm_ros.training.ivm_tiny.data import IGNORE
from ivm_ros.training.ivm_tiny.own_batch import OwnBatch


class Candidates(NamedTuple):
    """N objects of B pictures; those of a picture follow each other, its labelled targets first.

    Attributes:
        image: (N,) int64 picture of each, ascending.
        masks: (N, h, w) float32 in [0, 1] at stride 4, through which they are looked at.
        sure: (N,) float32 probability that each is an object.
        labels: (Q, M) int64 of the M objects of its picture: 1 meant, 0 not, `IGNORE` unclear or padding.
        glimpses: (N, `SIDE`, `SIDE`, 3) uint8 RGB: what the pictures show of them.
        where: (N, 4) float32 places of the glimpses, see `glimpses.places`.
        target: (N,) bool which are labelled targets, T in the order of the batch.
        outlines: (T, `SIDE`, `SIDE`) float32 how much of each pixel of their glimpses is theirs.
    """

    image: Tensor
    masks: Tensor
    sure: Tensor
    labels: Tensor
    glimpses: Tensor
    where: Tensor
    target: Tensor
    outlines: Tensor


@torch.no_grad()
def candidates(model: IvmTiny, features: Features, batch: OwnBatch, targets: Tensor) -> Candidates:
    """Put labelled targets and what the network finds besides together.

    Args:
        model: the network as it is now.
        features: of the pictures, in float32.
        batch: with T targets.
        targets: (T, h, w) their mask logits as the network draws them from their cells.
    """
    truth = F.avg_pool2d(batch.masks[:, None].float(), 4)[:, 0]
    seen = torch.where(batch.shown[:, None, None], truth, targets.sigmoid())
    sure = features.heat[batch.image, batch.cells[:, 0], batch.cells[:, 1]].sigmoid() * quality(seen)
    times, device = len(batch.texts) // len(batch.images), seen.device
    parts = []
    for number, picture in enumerate(batch.pictures):
        mine = torch.nonzero(batch.image == number)[:, 0]
        asked = batch.targets[number * times : (number + 1) * times, : len(mine)]
        found = model.find(Features(*(part[number : number + 1] for part in features)))
        others, unlike = _others(found, truth[mine], asked, batch.blurred[number])
        masks, size = torch.cat([seen[mine], others.masks.sigmoid()]), (picture.shape[1], picture.shape[0])
        looked, fine = windows(masks, size), [batch.fine[index] for index in mine.tolist()]
        parts.append(
            Candidates(
                image=torch.full((len(masks),), number, device=device),
                masks=masks,
                sure=torch.cat([sure[mine], others.sure]),
                labels=torch.cat([asked, unlike], dim=1),
                glimpses=cut(picture, looked).to(device),
                where=places(looked, size).to(device),
                target=torch.arange(len(masks), device=device) < len(mine),
                outlines=covered(fine, looked[: len(mine)]).to(device),
            )
        )
    most = max(1, *(part.labels.shape[1] for part in parts))
    padded = [
        part._replace(labels=F.pad(part.labels, (0, most - part.labels.shape[1]), value=IGNORE))
        for part in parts
    ]
    return Candidates(*(torch.cat(column) for column in zip(*padded, strict=True)))


def _others(found: Found, truth: Tensor, asked: Tensor, blurred: Tensor) -> tuple[Found, Tensor]:
    """Return what is found besides a picture's targets, and its labels.

    Args:
        found: F objects.
        truth: (T, h, w) masks in [0, 1].
        asked: (K, T) labels of these.
        blurred: (h, w) bool where there are targets that are too small to be taught.

    Returns:
        The O objects that are none of the targets, and (K, O) labels: `IGNORE` for what covers a part of
        a target that is meant, else 0.
    """
    inside = (found.masks > 0).float()
    overlap = overlaps(inside, truth)
    other = ~(overlap > SAME).any(dim=1)
    parts = (overlap[other] > OTHER).float()
    unclear = (asked == 1).float() @ parts.T > 0
    unclear = unclear | (inside[other] * blurred).flatten(1).any(dim=1)
    labels = torch.zeros_like(unclear, dtype=torch.int64).masked_fill(unclear, IGNORE)
    return Found(found.masks[other], found.sure[other]), labels


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Return the (N, M) IoU of (N, h, w) with (M, h, w) masks in [0, 1]; 0 where both are empty."""
    first, second = first.flatten(1), second.flatten(1)
    common = torch.minimum(first[:, None], second[None]).sum(dim=2)
    union = first.sum(dim=1)[:, None] + second.sum(dim=1)[None] - common
    return common / union.clamp(min=1e-6)
