"""Run suites: time their comparisons, with a progress bar, and collect the rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ivm_ros.bench.registry import SuiteEntry, comparisons
from ivm_ros.bench.results import Report, Row, machine
from ivm_ros.bench.suite import Comparison, Options
from ivm_ros.bench.timing import Clock, Plan, Seconds, measured, ratio


def run(suites: Sequence[SuiteEntry], options: Options, plan: Plan, console: Console) -> Report:
    """Run suites one after the other; one that cannot run is a failure of the report, and the rest go on."""
    report = Report(machine(options.device))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for entry in suites:
            try:
                for row in measure(entry.name, comparisons(entry, options), plan, progress):
                    report.add(row)
            except (ValueError, OSError, ImportError) as error:
                report.failures[entry.name] = str(error)
    return report


def measure(
    suite: str,
    suite_comparisons: Iterable[Comparison],
    plan: Plan,
    progress: Progress,
    clock: Clock = time.perf_counter,
) -> Iterator[Row]:
    """Time each comparison and yield its rows."""
    preparing = progress.add_task(f"{suite}: preparing", total=None)
    for comparison in suite_comparisons:
        progress.update(preparing, visible=False)
        seconds = plan.seconds * comparison.share
        task = progress.add_task(escape(f"{suite}: {comparison.title}"), total=seconds)
        times = comparison.times(
            replace(plan, seconds=seconds),
            clock,
            lambda elapsed, task=task: progress.update(task, completed=elapsed),  # type: ignore[misc]
        )
        progress.remove_task(task)
        progress.update(preparing, visible=True)
        plain = comparison.alternatives[0].name
        for alternative in comparison.alternatives:
            own = times[alternative.name]
            against = alternative.against or ("" if alternative.name == plain else plain)
            yield Row(
                suite=suite,
                group=comparison.title,
                name=alternative.name,
                what=alternative.what,
                key=alternative.json_key,
                rounds=len(own),
                time=measured(own),
                speedup=ratio(times[plain], own) if against else None,
                against=against,
                ratio=ratio(own, times[against]) if against else None,
                numbers={**alternative.numbers, **_percentiles(own, comparison.percentiles)},
            )
    progress.remove_task(preparing)


def _percentiles(times: Seconds, percentiles: Sequence[int]) -> dict[str, float]:
    """Return percentiles of (rounds,) seconds in milliseconds, by name."""
    return {f"p{each}_ms": float(np.percentile(times, each) * 1000.0) for each in percentiles}
