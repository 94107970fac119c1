"""The samples worth looking at: the worst and the best, a few of each, whatever the dataset's size."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field

from ivm_ros.evaluation.results import Result

CASES_OF_A_KIND = 12


@dataclass(frozen=True)
class Kind:
    """One list of cases.

    Attributes:
        title: of the list.
        order: sorts a result into the list, lowest first; None: it does not belong there.
    """

    title: str
    order: Callable[[Result], tuple[float, ...] | None]


def _worst(result: Result) -> tuple[float, ...] | None:
    return (result.score, -result.confidence) if result.present else None


def _false_alarm(result: Result) -> tuple[float, ...] | None:
    return (-result.existence,) if result.found and not result.present else None


def _best(result: Result) -> tuple[float, ...] | None:
    return (-result.score, -result.confidence) if result.present and result.found else None


def _rejection(result: Result) -> tuple[float, ...] | None:
    return None if result.found or result.present else (result.existence,)


KINDS = (
    Kind("Worst where something is there", _worst),
    Kind("Found something where nothing matches", _false_alarm),
    Kind("Best where something is there", _best),
    Kind("Rightly found nothing", _rejection),
)


@dataclass
class Cases:
    """The first few results of each kind; among equals, those that come first in the dataset."""

    limit: int = CASES_OF_A_KIND
    _lists: tuple[list[tuple[tuple[float, ...], int, Result]], ...] = field(
        default_factory=lambda: tuple([] for _ in KINDS)
    )

    def add(self, result: Result) -> None:
        """Look at one result."""
        for kind, ranked in zip(KINDS, self._lists, strict=True):
            order = kind.order(result)
            if order is not None:
                insort(ranked, (order, result.index, result), key=lambda entry: entry[:2])
                del ranked[self.limit :]

    def lists(self) -> dict[str, list[Result]]:
        """Return the results of each kind by its title, most telling first."""
        return {
            kind.title: [result for _, _, result in ranked]
            for kind, ranked in zip(KINDS, self._lists, strict=True)
        }
