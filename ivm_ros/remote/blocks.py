"""Memory for arrays, used again when the last array in it is gone.

Fresh memory costs a page fault for every 4 KiB, which for a picture takes longer than to copy it.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

_MAX_FREE_BYTES = 128 * 2**20


class Blocks:
    """Gives arrays out, and takes their memory back by itself; any thread may use it.

    Args:
        limit: bytes of free memory that are kept at most.
    """

    def __init__(self, limit: int = _MAX_FREE_BYTES) -> None:
        self._limit = limit
        self._free: dict[int, list[np.ndarray]] = {}  # by size: frames of a camera all have the same
        self._free_bytes = 0
        # One that its owner can take again: the collector may give memory back in the middle of `take`.
        self._lock = threading.RLock()

    @property
    def free_bytes(self) -> int:
        """Bytes that wait to be used again."""
        return self._free_bytes

    def take(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array of any content, whose memory is kept as long as it or a view of it is there."""
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        with self._lock:
            blocks = self._free.get(size)
            block = blocks.pop() if blocks else None
            if block is not None:
                self._free_bytes -= size
        if block is None:
            block = np.empty(size, np.uint8)
        lease = _Lease(block)
        weakref.finalize(lease, self._give_back, block).atexit = False
        return np.asarray(lease).view(dtype).reshape(shape)

    def _give_back(self, block: np.ndarray) -> None:
        with self._lock:
            if self._free_bytes + block.nbytes > self._limit:  # other sizes than are used now, or too much
                self._free.clear()
                self._free_bytes = 0
            if block.nbytes <= self._limit:
                self._free.setdefault(block.nbytes, []).append(block)
                self._free_bytes += block.nbytes


class _Lease:
    """What an array names as the owner of its memory, and every view of the array with it."""

    def __init__(self, block: np.ndarray) -> None:
        self.__array_interface__ = block.__array_interface__
