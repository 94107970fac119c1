"""How many bytes tensors take while a model runs, on any device, the meta device included.

On meta tensors nothing is computed and nothing is allocated, so that the memory of a model of any size
is known within seconds on any machine. What a kernel allocates for itself is not seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_WHOLE = {torch.ops.aten.scaled_dot_product_attention.default}
"""Operators that devices have one kernel for, though torch would take meta tensors through its parts."""


class Allocations(TorchDispatchMode):
    """Counts the bytes of all storages that operators make within its context, and forgets freed ones.

    Views take nothing; nor do tensors from outside, such as weights. Enter `torch.inference_mode` outside of
    it: attention is counted as fused, and nothing as kept for gradients.

    Attributes:
        live: bytes now.
        peak: most bytes at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operator, in its parts where it has parts, and count what it makes."""
        return (
            self._parts(func, args, kwargs or {})
            if func not in _WHOLE
            else self._run(func, args, kwargs or {})
        )

    def _parts(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        with self:
            result = func.decompose(*args, **kwargs)
        return self._run(func, args, kwargs) if result is NotImplemented else result

    def _run(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        for tensor in _tensors((args, kwargs)):
            self._see(tensor, 0)  # what is not known by now is from outside
        result = func(*args, **kwargs)
        for tensor in _tensors(result):
            self._see(tensor, tensor.untyped_storage().nbytes())
        return result

    def _see(self, tensor: Tensor, size: int) -> None:
        storage = tensor.untyped_storage()
        identity = storage._cdata
        if identity in self._known:
            return
        self._known.add(identity)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, identity, size).atexit = False

    def _forget(self, identity: int, size: int) -> None:
        self._known.discard(identity)
        self.live -= size


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
