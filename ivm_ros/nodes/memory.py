"""Keep memory that is given back, for the next frame."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT = 256 * 2**20
_LARGEST = 32 * 2**20  # the most that glibc takes


def keep_freed_memory() -> bool:
    """Let this process keep up to 256 MB that it has given back, in blocks of up to 32 MB.

    By default, glibc gives the memory of pictures back after each frame, and the system hands it out
    anew, page by page on first use. For a frame of 640x480 that takes longer than all copies of it.

    Returns:
        Whether the C library knows how; with another one nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST) and mallopt(_M_TRIM_THRESHOLD, _KEPT))
