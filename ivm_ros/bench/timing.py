"""Time alternatives in turns, so that a machine that slows down slows all of them, and compare medians."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.float64]
Clock = Callable[[], float]
Elapsed = Callable[[float], None]

_RESAMPLES = 400
_FEW = 10  # rounds, of which a bootstrap would say less than it seems


@dataclass(frozen=True)
class Spread:
    """A median or a ratio of medians, with the range around it.

    Raises:
        ValueError: a value is not finite, not positive, or outside of its range.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (0.0 < self.low <= self.value <= self.high and math.isfinite(self.high)):
            raise ValueError(f"expected 0 < low <= value <= high, got {self}")

    @property
    def width(self) -> float:
        """Half of the range, as a share of the value."""
        return (self.high - self.low) / (2.0 * self.value)


@dataclass(frozen=True)
class Plan:
    """How long to measure one comparison.

    Attributes:
        seconds: rounds are added until this much time has gone ...
        rounds: ... and there are this many of them ...
        precision: ... and every ratio's range is at most this share of it on either side; None to not wait.
        limit: seconds after which a round is the last in any case.
    """

    seconds: float = 2.0
    rounds: int = 4
    precision: float | None = None
    limit: float = 8.0


def measured(times: Seconds) -> Spread:
    """Return median, 10th and 90th percentile of (rounds,) seconds, in milliseconds."""
    low, median, high = np.percentile(times, (10, 50, 90)) * 1000.0
    return Spread(float(median), float(low), float(high))


def ratio(times: Seconds, against: Seconds) -> Spread:
    """Return the ratio of the medians of two alternatives, with a range that it is in.

    The range is a bootstrap's 95 % (percentiles over resampled rounds); of few rounds, that of all rounds.
    Rounds stay paired, because what disturbs a round disturbs both.

    Args:
        times: (rounds,) seconds.
        against: (rounds,) seconds, of the same rounds.
    """
    value = float(np.median(times) / np.median(against))
    if len(times) < _FEW:
        ratios = times / against
        low, high = float(ratios.min()), float(ratios.max())
    else:
        picked = np.random.default_rng(0).integers(0, len(times), (_RESAMPLES, len(times)))
        ratios = np.median(times[picked], axis=1) / np.median(against[picked], axis=1)
        low, high = (float(bound) for bound in np.percentile(ratios, (2.5, 97.5)))
    return Spread(value, min(low, value), max(high, value))


def interleave(
    runs: Mapping[str, Callable[[], object]],
    plan: Plan,
    clock: Clock = time.perf_counter,
    elapsed: Elapsed = lambda seconds: None,
) -> dict[str, Seconds]:
    """Time functions in turns, A B C A B C ..., after one round that warms them up and does not count.

    Args:
        runs: the functions by name; the ratios that `plan` waits for are those to the first.
        plan: how long.
        clock: in seconds.
        elapsed: is told after each round how many seconds have gone.

    Returns:
        (rounds,) float64 seconds by name.
    """
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    with _no_garbage_collection():
        started = clock()
        while not _enough(samples, plan, clock() - started):
            for name, run in runs.items():
                before = clock()
                run()
                samples[name].append(clock() - before)
            elapsed(clock() - started)
    return {name: np.array(times) for name, times in samples.items()}


def _enough(samples: Mapping[str, list[float]], plan: Plan, elapsed: float) -> bool:
    first, *others = (np.array(times) for times in samples.values())
    if elapsed >= plan.limit and len(first) > 0:
        return True
    if len(first) < plan.rounds or elapsed < plan.seconds:
        return False
    return plan.precision is None or all(ratio(times, first).width <= plan.precision for times in others)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from stopping one alternative for what another has left."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
