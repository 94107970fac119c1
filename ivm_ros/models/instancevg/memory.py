"""What an InstanceVG needs in memory, computed from tensors on the meta device; nothing is allocated."""

from __future__ import annotations

from functools import cache

import torch

from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import PRECISIONS
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.pixel_decoder import upsample
from ivm_ros.models.layers.allocations import Allocations
from ivm_ros.models.memory import MemoryNeed

PICTURE = 480, 640
"""Height and width of the picture that masks are enlarged to, in pixels."""

_ENCODER = "backbone."
_CHECKED = {"float32": "1.0 on a CPU", "bfloat16": "0.6 on a CPU"}
"""What `benchmarks/instancevg_memory.py` measured for the published base size, in GB."""


@cache
def memory_needs(config: InstanceVgConfig | None = None) -> tuple[MemoryNeed, ...]:
    """Return what each precision of the encoder needs, best first; the head is float32 always.

    What kernels allocate for themselves is not in it.

    Args:
        config: the sizes; the published base model's with ten queries if None.
    """
    model = empty_instancevg(config or InstanceVgConfig.base())
    needs = []
    for name, dtype in PRECISIONS.items():
        model.backbone.to(dtype)
        kept, working = working_memory(model)
        checked = _CHECKED.get(name, "") if config is None else ""
        needs.append(MemoryNeed(name, weights_by_part(model), kept, working, checked=checked))
    return tuple(needs)


def empty_instancevg(config: InstanceVgConfig) -> InstanceVg:
    """Return a network on the meta device, for inference; its tensors have shapes and take no memory."""
    with torch.device("meta"):
        return InstanceVg(config).eval().requires_grad_(False)


def weights_by_part(model: InstanceVg) -> dict[str, int]:
    """Return the bytes of a network's tensors, by part, as it is; it may be on the meta device."""
    sizes = {"encoder": 0, "head": 0}
    for name, tensor in model.state_dict().items():
        sizes["encoder" if name.startswith(_ENCODER) else "head"] += tensor.nbytes
    return sizes


@torch.inference_mode()
def working_memory(model: InstanceVg) -> tuple[int, int]:
    """Return the bytes that stay of an encoded picture, and the most at once until it is grounded.

    The instruction is as long as can be, and every query is a target with a mask of `PICTURE`'s size.

    Args:
        model: on any device; on the meta device it takes a second for the published size.
    """
    config, device = model.config, model.device
    with Allocations() as allocations:
        pixels = torch.zeros(1, 3, config.image_size, config.image_size, device=device)
        image = model.encode_image(pixels)
        del pixels
        kept = allocations.live
        found = model.read(image, torch.zeros(1, config.max_tokens, dtype=torch.int64, device=device))
        planes = torch.cat([found.global_mask, found.instance_masks], dim=1).float()
        (upsample(planes, PICTURE).sigmoid() >= 0.5).any(dim=1)
    return kept, allocations.peak
