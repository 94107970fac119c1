"""Sums that can be split and put together again: over samples, over processes, over a kill and a restart.

Every metric is a `Tally`: a dataclass whose sums are integers (alone, in lists, in dicts, or in tallies), so
that adding in any order, on any number of processes, gives the same result to the last bit. Fields of other
types are settings: they say what is measured, and tallies that differ in them cannot be put together.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

_UNIT = 64
"""A mean is summed in units of 2**-64: adding is exact, and each value is rounded once, by at most 2**-65."""


@dataclass
class Tally:
    """The base of all sums."""

    def state(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold; `merge_state` of an empty tally restores it."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    def merge(self, other: Tally) -> None:
        """Add what another tally of the same kind and settings has counted.

        Raises:
            ValueError: the settings differ.
        """
        self.merge_state(other.state())

    def merge_state(self, state: dict[str, Any]) -> None:
        """Add what `state` of another tally says.

        Raises:
            ValueError: it is of another kind, or its settings differ.
        """
        names = [field.name for field in fields(self)]
        if set(names) != set(state):
            raise ValueError(f"expected the sums {', '.join(names)}, got {', '.join(state)}")
        for name in names:
            setattr(self, name, _added(name, getattr(self, name), state[name]))


def _plain(value: Any) -> Any:
    if isinstance(value, Tally):
        return value.state()
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return list(value) if isinstance(value, (list, tuple)) else value


def _added(name: str, mine: Any, theirs: Any) -> Any:
    if isinstance(mine, Tally):
        mine.merge_state(theirs)
        return mine
    if type(mine) is int:  # not bool, which is a setting
        return mine + theirs
    if isinstance(mine, list):
        return [first + second for first, second in zip(mine, theirs, strict=True)]
    if isinstance(mine, dict):
        return mine | {
            key: _added(f"{name}.{key}", mine[key], part) if key in mine else part
            for key, part in theirs.items()
        }
    if _plain(mine) != theirs:
        raise ValueError(f"expected {name} {_plain(mine)!r} on both sides, got {theirs!r}")
    return mine


@dataclass
class Share(Tally):
    """How many of how many."""

    hits: int = 0
    samples: int = 0

    def add(self, hit: bool) -> None:
        """Count one sample."""
        self.hits += bool(hit)
        self.samples += 1

    @property
    def value(self) -> float | None:
        """Return the share in [0, 1], None without a sample."""
        return ratio(self.hits, self.samples)


@dataclass
class Mean(Tally):
    """The mean of ratios, the same in whatever order they come.

    Attributes:
        total: in units of 2**-64.
        samples: how many.
    """

    total: int = 0
    samples: int = 0

    def add(self, part: int, whole: int = 1) -> None:
        """Count one value, part / whole; whole > 0."""
        self.total += fixed(part, whole)
        self.samples += 1

    def add_float(self, value: float) -> None:
        """Count one finite value."""
        self.add(*value.as_integer_ratio())

    def add_mean(self, total: int, samples: int) -> None:
        """Count the mean of values that `fixed` made and that are summed already; samples > 0."""
        self.add(total, samples << _UNIT)

    @property
    def value(self) -> float | None:
        """Return the mean, None without a sample; the error is at most 2**-65 before the last rounding."""
        return float(Fraction(self.total, self.samples << _UNIT)) if self.samples else None


def fixed(part: int, whole: int) -> int:
    """Return part / whole in units of 2**-64, rounded to the nearest."""
    return ((part << (_UNIT + 1)) // whole + 1) >> 1


def ratio(part: int, whole: int) -> float | None:
    """Return part / whole rounded once, None where whole is 0."""
    return part / whole if whole else None
