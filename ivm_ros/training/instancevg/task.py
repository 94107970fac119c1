"""InstanceVG's training as a module for the loop: a batch in, the terms of the loss out."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ivm_ros.models.instancevg.beit3 import Streams
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.training.instancevg.concepts import ConceptHead, concept_loss, named_loss
from ivm_ros.training.instancevg.examples import ExampleBatch
from ivm_ros.training.instancevg.losses import LossRules, losses


class InstanceVgTask(nn.Module):
    """Learn to ground.

    Args:
        model: the network.
        rules: how the loss is made up.
        concepts: weight of the kinds and colours of all that is seen, which batches then have; 0 without.
            What says them is left behind when training ends.
        alone: so many batches at the beginning teach the encoder those alone, and where what is asked for is;
            the head is left out, which takes about half of the time.

    Raises:
        ValueError: kinds and colours come first, but are not learned.
    """

    batches: Tensor

    def __init__(self, model: InstanceVg, rules: LossRules, concepts: float = 0.0, alone: int = 0) -> None:
        super().__init__()
        if alone and not concepts:
            raise ValueError(f"expected a weight of concepts, as {alone} batches teach them alone; got 0")
        self.alone = alone
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))  # had in training, for resuming
        self.model, self.rules, self.weight = model, rules, concepts
        self.concepts = ConceptHead(model.config.backbone.width) if concepts else None
        # mixes zeros alone, so it has no gradient, and several processes would wait for one
        model.head.queries.reader.self_attn.in_proj_weight.requires_grad_(False)

    def forward(self, batch: ExampleBatch) -> dict[str, Tensor]:
        """Return the loss and its terms; the network may run in bfloat16, the loss is float32."""
        if self.training:
            self.batches += 1
            if self.alone and self.batches <= self.alone:
                return self._see(batch)
        device = batch.pixels.device.type
        with written_out_attention() if device == "cpu" else nullcontext():
            streams = self.model.encode(batch.pixels, batch.ids, batch.padding)
            found = self.model.answer(streams, batch.ids, batch.padding, auxiliary=True)
        with torch.autocast(device, enabled=False):
            found = type(found)(*(part.float() for part in found))
            terms = losses(found, batch.truths, self.rules, _mean_count(batch))
            named = {"detection": terms.detection, "masks": terms.masks, "existence": terms.existence}
            total = terms.total
            if self.concepts is not None:
                named["concepts"] = self._concept_loss(streams, batch)
                total = total + named["concepts"]
        return {"loss": total, **named}

    def _see(self, batch: ExampleBatch) -> dict[str, Tensor]:
        """Return the loss of kinds and colours alone; names and order of the terms are always the same."""
        device = batch.pixels.device.type
        with written_out_attention() if device == "cpu" else nullcontext():
            streams = self.model.encode(batch.pixels, batch.ids, batch.padding)
        with torch.autocast(device, enabled=False):
            loss = self._concept_loss(streams, batch)
            if dist.is_available() and dist.is_initialized():  # which wants a gradient of every weight
                loss = loss + 0 * torch.stack([w.sum() for w in self.parameters() if w.requires_grad]).sum()
        nothing = torch.zeros_like(loss)
        return {
            "loss": loss,
            "detection": nothing,
            "masks": nothing,
            "existence": nothing,
            "concepts": loss,
        }

    def _concept_loss(self, streams: Streams, batch: ExampleBatch) -> Tensor:
        assert self.concepts is not None and batch.concepts is not None
        seen = self.concepts(streams.image[:, 1:].float())
        named = self.concepts.words(streams.text.float(), batch.padding)
        loss = concept_loss(seen, batch.concepts.seen) + named_loss(named, batch.concepts.named)
        return self.weight * loss


def written_out_attention() -> AbstractContextManager[None]:
    """Let attention be matrix products; torch's fused one is several times slower backwards on a CPU."""
    context: AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH)
    return context


def _mean_count(batch: ExampleBatch) -> float:
    """Return the number of targets in a process's batch, the mean over processes."""
    count = torch.tensor(float(sum(map(len, batch.boxes))), device=batch.pixels.device)
    if not (dist.is_available() and dist.is_initialized()):
        return float(count)
    dist.all_reduce(count)
    return float(count) / dist.get_world_size()
