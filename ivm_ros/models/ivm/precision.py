"""In which precision the parts of an IVM run, and its language layers in 8 or 4 bits."""

from __future__ import annotations

import importlib
import logging
import re
import sys
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

_QUANTISED = re.compile(
    r"^prompt_encoder\.model\.language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj\.weight$"
)


@dataclass(frozen=True)
class Precision:
    """How the parts run; projection and decoder are float32 always, as published.

    Attributes:
        vision: dtype of the image encoder.
        language: dtype of LLaVA.
        bits: 8 or 4 for the linear layers of LLaVA's language model, None for `language`'s own.
    """

    vision: torch.dtype
    language: torch.dtype
    bits: int | None = None

    def dtype(self, name: str) -> torch.dtype:
        """Return the dtype of a tensor by its canonical name."""
        if name.startswith("image_encoder."):
            return self.vision
        return self.language if name.startswith("prompt_encoder.model.") else torch.float32

    def quantises(self, name: str) -> bool:
        """Whether a tensor, by its canonical name, is held in fewer bits."""
        return self.bits is not None and _QUANTISED.match(name) is not None

    def size(self, name: str, shape: torch.Size) -> int:
        """Return the bytes that a tensor takes, the quantised ones with their scales."""
        count = shape.numel()
        if not self.quantises(name):
            return count * self.dtype(name).itemsize
        if self.bits == 8:
            return count + 4 * shape[0]  # a float32 scale per row
        blocks = count // _BLOCK
        # half a byte per weight, a byte per block's scale, a float32 per group of scales, and three tables
        return count // 2 + blocks + 4 * -(-blocks // _SCALES) + 4 * (16 + 256 + 1)


PRECISIONS = {
    "float32": Precision(torch.float32, torch.float32),
    "bfloat16": Precision(torch.bfloat16, torch.bfloat16),
    "float16": Precision(torch.float16, torch.float16),
    "8bit": Precision(torch.bfloat16, torch.float16, bits=8),  # its kernel multiplies in float16
    "4bit": Precision(torch.bfloat16, torch.bfloat16, bits=4),
}
"""Precision by the name that users give."""

_BLOCK = 64
_SCALES = 256  # of blocks, in one group that has a scale itself


def pick_precision(name: str, device: torch.device) -> Precision:
    """Return a precision by name; "auto" is bfloat16 on GPUs and float32 elsewhere.

    Raises:
        ValueError: there is none of this name.
    """
    if name == "auto":
        name = "bfloat16" if device.type == "cuda" else "float32"
    if name not in PRECISIONS:
        raise ValueError(f"expected a precision of auto, {', '.join(PRECISIONS)}; got {name!r}")
    return PRECISIONS[name]


def quantised_linear(weight: Tensor, bits: int, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """Return a linear layer without bias whose (out, in) weight is held in 8 or 4 bits.

    Eight are a scale per row (LLM.int8 without outliers), four are NF4 in blocks of 64.

    Raises:
        ImportError: bitsandbytes is not installed.
    """
    bnb = _bitsandbytes(bits)
    rows, columns = weight.shape
    layer: nn.Module
    if bits == 8:
        layer = bnb.nn.Linear8bitLt(columns, rows, bias=False, has_fp16_weights=False, device="meta")
        layer.weight = bnb.nn.Int8Params(weight.to(dtype), requires_grad=False, has_fp16_weights=False)
    else:
        layer = bnb.nn.Linear4bit(
            columns, rows, bias=False, compute_dtype=dtype, quant_type="nf4", device="meta"
        )
        layer.weight = bnb.nn.Params4bit(
            weight.to(dtype), requires_grad=False, quant_type="nf4", blocksize=_BLOCK, module=layer
        )
    return layer.to(device)  # this is when the weight is quantised


def _bitsandbytes(bits: int) -> ModuleType:
    """Import bitsandbytes, without the code that it would fetch from the network and run on some CPUs."""
    before = sys.modules.get("kernels")
    sys.modules["kernels"] = None  # type: ignore[assignment]  # importing it fails
    log = logging.getLogger("bitsandbytes.backends.cpu.ops")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns of that
    try:
        return importlib.import_module("bitsandbytes")
    except ImportError as error:
        raise ImportError(
            f"expected bitsandbytes for weights in {bits} bits: pip install 'ivm-ros[quantised]'"
        ) from error
    finally:
        log.setLevel(level)
        if before is None:
            del sys.modules["kernels"]
        else:
            sys.modules["kernels"] = before
