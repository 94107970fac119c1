"""What the node tells of its memory."""

import ctypes

import pytest

from ivm_ros.nodes.memory import memory

SIZE = 48 * 2**20

pytestmark = pytest.mark.skipif(memory() is None, reason="needs glibc 2.33 or newer")


def test_memory_in_use_is_told_and_given_back():
    malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
    malloc.argtypes, malloc.restype, free.argtypes = (ctypes.c_size_t,), ctypes.c_void_p, (ctypes.c_void_p,)
    before = memory().used
    block = malloc(SIZE)
    during = memory().used
    free(block)
    assert during - before >= SIZE * 0.99 and memory().used - before < SIZE / 2
