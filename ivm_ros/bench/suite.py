"""What a suite is made of: comparisons of alternatives, checked before they are timed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ivm_ros.bench.timing import Clock, Elapsed, Plan, Seconds, interleave

SIZES = ("small", "published")


class DisagreementError(ValueError):
    """Alternatives that do not give the same answer, so that their times say nothing."""


@dataclass(frozen=True)
class Options:
    """What a suite may be asked.

    Attributes:
        device: as torch names it, or "auto".
        size: of models that have no weights in the package: "small" keeps the proportions at a fraction of
            the cost, "published" is the real thing, with random weights.
        checkpoint: folder of IVM's weights, to measure those instead; None for none.
        brief: of models that are large even when small, the first table alone, and nothing that takes long to
            prepare.

    Raises:
        ValueError: no such size.
    """

    device: str = "auto"
    size: str = "small"
    checkpoint: Path | None = None
    brief: bool = False

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"expected a size of {', '.join(SIZES)}, got {self.size!r}")


@dataclass(frozen=True)
class Alternative:
    """One way to do a thing.

    Attributes:
        name: in a few words, such as "second instruction".
        what: what it does, for the table; may be empty.
        run: does it once, and returns only when it is done, on a GPU too; None where the comparison measures.
        against: name of the alternative that its ratio is to; the comparison's first if empty.
        key: of its numbers in the JSON after the suite's name, may be ""; None for the name with underscores.
        numbers: what else is known of it, such as its largest difference to the plain way.
    """

    name: str
    what: str
    run: Callable[[], object] | None = None
    against: str = ""
    key: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def json_key(self) -> str:
        """The key, or what the name gives where there is none."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_") if self.key is None else self.key


@dataclass(frozen=True)
class Comparison:
    """Alternatives that are timed in turns; the first is the plain one.

    What is not a function that can be called, such as a process, is measured by the suite itself.

    Attributes:
        title: what is compared, and at which sizes.
        alternatives: at least two, of different names.
        share: of the time that a comparison gets; below 1 for what is quickly known.
        measure: takes a plan, and what to tell how many seconds have gone; returns (rounds,) seconds by name,
            whose rounds took turns. None: the alternatives' `run` is timed.
        percentiles: of the times that are numbers of each row too, such as 99 for `p99_ms`.

    Raises:
        ValueError: there are fewer than two, two have one name, one is compared with none of them, or it is
            not clear how they are timed.
    """

    title: str
    alternatives: tuple[Alternative, ...]
    share: float = 1.0
    measure: Callable[[Plan, Elapsed], Mapping[str, Seconds]] | None = None
    percentiles: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        names = [alternative.name for alternative in self.alternatives]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"expected at least two alternatives of different names, got {names}")
        unknown = {alternative.against for alternative in self.alternatives} - {"", *names}
        if unknown:
            raise ValueError(f"expected alternatives against one of {names}, got {sorted(unknown)}")
        if {alternative.run is None for alternative in self.alternatives} != {self.measure is not None}:
            raise ValueError(
                "expected a `run` of every alternative, or of none and a `measure`, got a mixture"
            )

    def times(self, plan: Plan, clock: Clock, elapsed: Elapsed) -> Mapping[str, Seconds]:
        """Return (rounds,) seconds by name."""
        if self.measure is not None:
            return self.measure(plan, elapsed)
        runs = {each.name: each.run for each in self.alternatives if each.run is not None}
        return interleave(runs, plan, clock, elapsed)


def require_agreement(what: str, difference: float, limit: float) -> float:
    """Return `difference` if it is within `limit`.

    Raises:
        DisagreementError: it is not, or it is NaN.
    """
    if not difference <= limit:
        raise DisagreementError(
            f"not timed: expected {what} to differ by at most {limit:g}, got {difference:g}"
        )
    return difference


def finished(result: object) -> object:
    """Return `result` once every GPU has done what it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result
