"""What an IVM needs in memory, computed from tensors on the meta device; nothing is allocated."""

from __future__ import annotations

from collections import Counter
from functools import cache

import torch

from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.language import read_instructions, read_prefix
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.postprocess import resize_logits
from ivm_ros.models.ivm.precision import PRECISIONS, Precision
from ivm_ros.models.ivm.weights import canonical_shapes, empty_ivm
from ivm_ros.models.layers.allocations import Allocations
from ivm_ros.models.layers.sam_attention import attend_in_blocks
from ivm_ros.models.memory import MemoryNeed

_PARTS = {
    "image_encoder.": "SAM",
    "prompt_encoder.model.language_model.": "language",
    "prompt_encoder.model.": "CLIP",
    "": "decoder",
}
"""Part of the model by the beginning of a tensor's canonical name; the first that fits."""

_POSITIONS = 5, 30
"""Tokens of a long instruction's prompt, before and behind the picture."""

_EXTRAS = {"8bit": "quantised", "4bit": "quantised"}
_CHECKED = {"bfloat16": "15.6 on a CPU", "8bit": "9.2 on a CPU", "4bit": "6.4 on a CPU"}
"""What `benchmarks/ivm_memory.py` measured for the published sizes, in GB."""


@cache
def memory_needs(config: IvmConfig | None = None) -> tuple[MemoryNeed, ...]:
    """Return what each precision needs, best first.

    Working memory is that of the parts' dtypes. What the kernels of 8 and 4 bits allocate for themselves is
    not in it: on a CPU, 0.1 and 0.4 GB.

    Args:
        config: the sizes; the published ones if None.
    """
    model = empty_ivm(config or IvmConfig())
    attend_in_blocks(model.image_encoder)
    names = ("float32", "bfloat16", "8bit", "4bit")

    @cache
    def in_dtypes(vision: torch.dtype, language: torch.dtype) -> tuple[int, int]:
        model.image_encoder.to(vision)
        model.prompt_encoder.model.to(language)
        return working_memory(model)

    needs = []
    for name in names:
        precision = PRECISIONS[name]
        kept, working = in_dtypes(precision.vision, precision.language)
        weights = weights_by_part(model, precision)
        checked = _CHECKED.get(name, "") if config is None else ""
        needs.append(MemoryNeed(name, weights, kept, working, _EXTRAS.get(name, ""), checked))
    return tuple(needs)


def weights_by_part(model: Ivm, precision: Precision) -> dict[str, int]:
    """Return the bytes of a network's tensors in a precision, by part; it may be on the meta device."""
    sizes: Counter[str] = Counter()
    for name, tensor in canonical_shapes(model).items():
        part = next(part for start, part in _PARTS.items() if name.startswith(start))
        sizes[part] += precision.size(name, tensor.shape)
    return dict(sizes)


@torch.inference_mode()
def working_memory(model: Ivm) -> tuple[int, int]:
    """Return the bytes that stay of an encoded picture, and the most at once until it is grounded.

    Args:
        model: on any device; on the meta device it takes a second for the published size.
    """
    device = next(model.parameters()).device
    sides = model.config.vision.image_size, model.config.llava.vision_config.image_size
    before, after = ([0] * count for count in _POSITIONS)
    with Allocations() as allocations:
        image, clip_image = (torch.zeros(1, 3, side, side, device=device) for side in sides)
        features = model.encode_image(image)
        del image
        prefix = read_prefix(model.prompt_encoder, clip_image, before)
        del clip_image
        kept = allocations.live
        conditions = read_instructions(model.prompt_encoder, prefix, [after])
        resize_logits(model.decode(features, conditions).float(), sides[0], sides[0]).sigmoid()
    return kept, allocations.peak
