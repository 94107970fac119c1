"""What goes into a graph and comes out of it, said once for exporting and for running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Size = Literal["low", "typical", "high"]
SIZES: tuple[Size, ...] = ("low", "typical", "high")


@dataclass(frozen=True)
class Axis:
    """A dimension whose size is known when the graph runs.

    Attributes:
        name: the same for dimensions that always have the same size.
        low: smallest size.
        typical: the size that engines which choose are made fastest for.
        high: largest size.

    Raises:
        ValueError: the sizes are not in this order.
    """

    name: str
    low: int
    typical: int
    high: int

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.typical <= self.high:
            raise ValueError(f"expected 0 < low <= typical <= high, got {self}")


@dataclass(frozen=True)
class Port:
    """An input.

    Attributes:
        name: in the graph.
        shape: a number where the size is fixed.
    """

    name: str
    shape: tuple[int | Axis, ...]

    @property
    def dynamic(self) -> bool:
        """Whether any size is known only when the graph runs."""
        return any(isinstance(side, Axis) for side in self.shape)

    def sizes(self, which: Size) -> tuple[int, ...]:
        """Return the shape at the low, typical or high end of its axes."""
        return tuple(getattr(side, which) if isinstance(side, Axis) else side for side in self.shape)


@dataclass(frozen=True)
class GraphSpec:
    """One graph.

    Attributes:
        name: of its file, without ".onnx".
        inputs: in the order of the exported module's arguments.
        outputs: names, in the order of its results.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.name}.onnx"
