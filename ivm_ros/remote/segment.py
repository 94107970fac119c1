"""Memory that two processes share by a file descriptor; nothing of it has a name that could be left behind.

A segment is an anonymous file in memory (memfd_create, Linux). It needs no room in /dev/shm, of which a
container often has 64 MB, and the kernel frees it when both processes have let go, however they ended.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import Any

import numpy as np

MAX_SEGMENT_BYTES = 2**31
"""Largest segment; the largest picture has 0.8 GB, a heatmap of it 1.1 GB, a mask 0.3 GB."""

_STEP = 2**20
_ALIGNMENT = 64


class Segment:
    """One process's hold on shared memory, which only ever grows.

    Args:
        descriptor: of the memory; it is owned, and not inherited by what this process starts.
        limit: bytes that it is never grown or mapped beyond.
    """

    def __init__(self, descriptor: int, limit: int = MAX_SEGMENT_BYTES) -> None:
        os.set_inheritable(descriptor, False)
        self.descriptor = descriptor
        self.limit = limit
        self._mapped: mmap.mmap | None = None

    @classmethod
    def create(cls, name: str, limit: int = MAX_SEGMENT_BYTES) -> Segment:
        """Make an empty segment; `name` is what /proc shows.

        It is sealed against shrinking: a process whose mapping is cut off is killed when it reads there.
        """
        segment = cls(os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), limit)
        fcntl.fcntl(segment.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        return segment

    @property
    def size(self) -> int:
        """Bytes that there are."""
        return os.fstat(self.descriptor).st_size

    def reserve(self, size: int) -> None:
        """Grow to at least `size` bytes.

        Raises:
            MemoryError: this is beyond the limit, or the machine has not so much.
        """
        if size > self.limit:
            raise MemoryError(f"expected at most {self.limit} bytes to share at once, got {size}")
        if size <= self.size:
            return
        try:
            # Truncating would give pages that are missing when they are used, which kills the process.
            os.posix_fallocate(self.descriptor, 0, -(-size // _STEP) * _STEP)
        except OSError as error:
            raise MemoryError(f"no room for {size} bytes of shared memory: {error.strerror}") from error

    def array(self, offset: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return a view of a part; it sees what either process writes there.

        Args:
            offset: in bytes.
            shape: of the array.
            dtype: of its elements, without objects.

        Raises:
            ValueError: the part is not inside the segment, or not aligned.
        """
        count = int(np.prod(shape, dtype=np.int64))
        end = offset + count * np.dtype(dtype).itemsize
        if offset < 0 or offset % _ALIGNMENT or count < 1 or end > min(self.size, self.limit):
            raise ValueError(
                f"expected a part inside of {self.size} shared bytes, got bytes {offset} to {end}"
            )
        if self._mapped is None or len(self._mapped) < end:
            self._mapped = mmap.mmap(self.descriptor, self.size)  # the old one ends with its last view
        return np.frombuffer(self._mapped, dtype, count, offset).reshape(shape)

    def close(self) -> None:
        """Let go; the memory stays as long as there are views of it, or the other process holds it."""
        self._mapped = None
        os.close(self.descriptor)


class Layout:
    """Where the parts of a message in a segment go, one after the other."""

    def __init__(self) -> None:
        self.size = 0

    def place(self, size: int) -> int:
        """Return the offset of the next part, which has `size` bytes."""
        offset = -(-self.size // _ALIGNMENT) * _ALIGNMENT
        self.size = offset + size
        return offset
