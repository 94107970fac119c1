"""Memory that is freed: kept for the next frame, given back when a model is released."""

from __future__ import annotations

import ctypes
import sys
from typing import Any, NamedTuple

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_ARENAS = 2
_KEPT = 256 * 2**20
_LARGEST = 32 * 2**20  # the most that glibc takes


def keep_freed_memory() -> bool:
    """Let this process keep up to 256 MB that it has given back, in blocks of up to 32 MB.

    By default, glibc gives the memory of pictures back after each frame, and the system hands it out
    anew, page by page on first use. For a frame of 640x480 that takes longer than all copies of it.
    Threads share what is kept: else each one that was ever started could keep its own.

    Returns:
        Whether the C library knows how; with another one nothing is changed.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    settings = {_M_MMAP_THRESHOLD: _LARGEST, _M_TRIM_THRESHOLD: _KEPT, _M_ARENA_MAX: _ARENAS}
    return all(mallopt(name, value) for name, value in settings.items())


def give_back_memory() -> None:
    """Give the system all that is kept: a model has been released, and others may want its memory."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


class Memory(NamedTuple):
    """What this process has of the C library, in bytes.

    Attributes:
        used: in use.
        kept: given back by the process, and kept for the next frames.
    """

    used: int
    kept: int


def memory() -> Memory | None:
    """Return what is in use and what is kept; None with a C library that does not tell (glibc 2.33 does)."""
    mallinfo = _glibc("mallinfo2")
    if mallinfo is None:
        return None
    mallinfo.restype = _Mallinfo2
    told = mallinfo()
    return Memory(told.uordblks + told.hblkhd, told.fordblks)


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]  # of glibc's malloc.h


def _glibc(name: str) -> Any:
    """Return a function of glibc's own; None on other systems, and where the C library is another one."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
