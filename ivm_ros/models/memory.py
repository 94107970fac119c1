"""What models need in memory, and what of it a machine has room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RESERVE = 2_500_000_000
"""Bytes left to system, camera, Python and CUDA where a model shares its memory with them; an assumption."""

GPU_RESERVE = 1_000_000_000
"""Bytes left to CUDA and the screen on a GPU with memory of its own; an assumption."""


@dataclass(frozen=True)
class MemoryNeed:
    """What a model needs in memory to ground instructions, in one precision.

    Attributes:
        precision: its name, as the model's option has it.
        weights: bytes by part of the model.
        kept: bytes that stay of a picture when it is encoded.
        working: most bytes at once, beside the weights, while a picture is encoded and grounded; with `kept`.
        extra: of this package that the precision needs, if any.
        checked: where the total was measured, or empty.
    """

    precision: str
    weights: Mapping[str, int]
    kept: int
    working: int
    extra: str = ""
    checked: str = ""

    @property
    def total(self) -> int:
        """Bytes of everything."""
        return sum(self.weights.values()) + self.working

    def fits(self, memory: int, reserve: int = RESERVE) -> bool:
        """Whether a machine with so many bytes of memory has room for it beside its reserve."""
        return self.total + reserve <= memory


def first_fitting(needs: Iterable[MemoryNeed], memory: int, reserve: int) -> MemoryNeed | None:
    """Return the first of several needs, the best precision first, that a machine has room for."""
    return next((need for need in needs if need.fits(memory, reserve)), None)
