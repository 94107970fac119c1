"""Fine-tuning of ivm-tiny as a module for the loop: a batch of own pictures in, the terms of the loss out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.encoder import Features, ImageEncoder, normalise
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.objects import Cells
from ivm_ros.training.ivm_tiny.candidates import Candidates, candidates
from ivm_ros.training.ivm_tiny.losses import heat_loss, losses, pointed, total
from ivm_ros.training.ivm_tiny.own_batch import OwnBatch
from ivm_ros.training.ivm_tiny.task import TinyTask
from ivm_ros.training.losses import dice

FROZEN = ("model.image.stage4.", "views.dense.")
"""Beginnings of the names of weights that never change: edges and colours are the same everywhere."""

WITHOUT_VIEWS = (
    "model.looks.", "model.closer.", "model.anchor_reader.", "model.relation.", "model.matcher.anchor.",
)  # fmt: skip
"""The same of weights that only rendered views can teach."""


class TuningTask(nn.Module):
    """Learn own pictures without leaving what was known.

    The statistics of batch norms stay those of the start, since a few pictures have others by chance; the
    first stage rests; weights are pulled to where they started (Li et al., 2018, arXiv 1802.01483); and where
    nothing is labelled, what is an object is what the start says (Li and Hoiem, 2016, arXiv 1606.09282).

    Args:
        model: with the weights to start from.
        pull: weight of half the squared distance from the start.
        views: batches have rendered views.
    """

    def __init__(self, model: IvmTiny, pull: float, views: bool) -> None:
        super().__init__()
        self.model, self.pull = model, pull
        self._before = [copy.deepcopy(model.image).eval().requires_grad_(False)]  # in a list: no part of it
        self.views: TinyTask | None = None
        if views:
            self.views = TinyTask(model.config)
            self.views.model = model
        rests = FROZEN if views else FROZEN + WITHOUT_VIEWS
        self._start: dict[str, Tensor] = {}
        for name, weight in self.named_parameters():
            weight.requires_grad_(not name.startswith(rests))
            if weight.requires_grad:
                self._start[name] = weight.detach().clone()

    def train(self, mode: bool = True) -> TuningTask:
        """Switch modes, but for batch norms, which always use their own statistics."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, batch: OwnBatch) -> dict[str, Tensor]:
        """Return the loss and its terms, in float32; the encoder computes in the precision that is set."""
        images = normalise(batch.images)
        features = Features(*(part.float() for part in self.model.image(images)))
        with torch.no_grad():
            before = self._encoder_before(images.device)(images).heat.float()
        with torch.autocast(images.device.type, enabled=False):
            terms = own_losses(self.model, features, before, batch)
            loss = total(terms)
            if self.views is not None and batch.views is not None:
                terms["views"] = _view_loss(self.views, batch)
                loss = loss + terms["views"]
        distance = self._distance()
        return {"loss": loss + self.pull * distance, **terms, "distance": distance.detach()}

    def _encoder_before(self, device: torch.device) -> ImageEncoder:
        self._before[0] = self._before[0].to(device)
        return self._before[0]

    def _distance(self) -> Tensor:
        """Return half the squared distance from the start."""
        weights: Mapping[str, Tensor] = dict(self.named_parameters())
        parts = [
            (weights[name] - start.to(weights[name].device)).square().sum()
            for name, start in self._start.items()
        ]
        return 0.5 * torch.stack(parts).sum()


def own_losses(model: IvmTiny, features: Features, before: Tensor, batch: OwnBatch) -> dict[str, Tensor]:
    """Return the terms that own pictures teach, by the names of `losses.WEIGHTS`.

    Args:
        model: the network.
        features: of the pictures, in float32.
        before: (B, h, w) logits of the start's heat.
        batch: of the pictures.
    """
    masks = model.masks(features, Cells(batch.image, batch.cells[:, 0], batch.cells[:, 1]))
    found = candidates(model, features, batch, masks.detach())
    with torch.no_grad():  # what things look like is not what words teach
        closer = model.look_closer(found.glimpses, found.where, found.masks)
        looks = model.looks(features, found.image, found.masks, closer)
    scene = model.matcher.arrange(looks, found.sure, found.image, len(batch.images))
    matches = model.match(scene, model.read(batch.texts))
    truth = F.avg_pool2d(batch.masks[:, None].float(), 4)[:, 0]
    count = max(1, len(masks))
    return {
        "heat": heat_loss(features.heat, torch.where(batch.heat > 0, batch.heat, before.sigmoid())),
        "mask": _pixel_loss(masks, truth, count),
        "dice": _dice(masks, truth) / count,
        "fine": _fine(model, masks.detach(), found, count),
        "target": pointed(matches.target, found.labels),
        "existence": F.binary_cross_entropy_with_logits(matches.existence, batch.present.float()),
    }


def _fine(model: IvmTiny, masks: Tensor, found: Candidates, count: int) -> Tensor:
    fine = model.outline(found.glimpses[found.target], found.where[found.target], masks)
    return _pixel_loss(fine, found.outlines, count) + 0.2 * _dice(fine, found.outlines) / count


def _pixel_loss(logits: Tensor, truth: Tensor, count: int) -> Tensor:
    """Return the mean over `count` masks; 0, with a gradient of 0, where there are none."""
    values = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return values.sum() / (count * values.shape[-1] * values.shape[-2])


def _dice(logits: Tensor, truth: Tensor) -> Tensor:
    return dice(logits, truth, torch.ones_like(truth, dtype=torch.bool)).sum()


def _view_loss(task: TinyTask, batch: OwnBatch) -> Tensor:
    """Return the loss of the rendered views, as in the training before but for `DenseHeads`."""
    assert batch.views is not None
    with batch.views.images.device:  # where the task makes tensors of its own
        perceived, answered = task(batch.views, Random(batch.seed))
        terms = losses(perceived, answered, batch.views)
    del terms["dense"]
    return total(terms)
