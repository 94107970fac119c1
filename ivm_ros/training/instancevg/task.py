"""InstanceVG's training as a module for the loop: a batch in, the terms of the loss out."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.training.instancevg.examples import ExampleBatch
from ivm_ros.training.instancevg.losses import LossRules, losses


class InstanceVgTask(nn.Module):
    """Learn to ground.

    Args:
        model: the network.
        rules: how the loss is made up.
    """

    def __init__(self, model: InstanceVg, rules: LossRules) -> None:
        super().__init__()
        self.model, self.rules = model, rules
        # mixes zeros alone, so it has no gradient, and several processes would wait for one
        model.head.queries.reader.self_attn.in_proj_weight.requires_grad_(False)

    def forward(self, batch: ExampleBatch) -> dict[str, Tensor]:
        """Return the loss and its terms; the network may run in bfloat16, the loss is float32."""
        found = self.model(batch.pixels, batch.ids, batch.padding, auxiliary=True)
        with torch.autocast(batch.pixels.device.type, enabled=False):
            found = type(found)(*(part.float() for part in found))
            terms = losses(found, batch.truths, self.rules, _mean_count(batch))
        return {
            "loss": terms.total,
            "detection": terms.detection,
            "masks": terms.masks,
            "existence": terms.existence,
        }


def _mean_count(batch: ExampleBatch) -> float:
    """Return the number of targets in a process's batch, the mean over processes."""
    count = torch.tensor(float(sum(map(len, batch.boxes))), device=batch.pixels.device)
    if not (dist.is_available() and dist.is_initialized()):
        return float(count)
    dist.all_reduce(count)
    return float(count) / dist.get_world_size()
