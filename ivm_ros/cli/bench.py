"""`ivm-ros bench`: what each way of doing a thing costs, against a plain way in the same run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ivm_ros.bench.registry import available, chosen
from ivm_ros.bench.results import Report, Row
from ivm_ros.bench.runner import run
from ivm_ros.bench.suite import Options
from ivm_ros.bench.timing import Plan, Spread

_BRIEF, _USUAL = Plan(seconds=1.0, rounds=3, limit=4.0), Plan()
_LONG = Plan(seconds=10.0, rounds=20, precision=0.02, limit=120.0)


def run_bench(suites: Sequence[str], options: Options, long: bool, output: Path | None) -> int:
    """Measure, print tables, write the JSON; return 1 if a suite could not be measured."""
    console = Console()
    entries = chosen(suites)
    options = replace(options, brief=not suites and not long)
    plan = _LONG if long else _BRIEF if options.brief else _USUAL
    report = run(entries, options, plan, Console(stderr=True))
    descriptions = {entry.name: entry.description for entry in available()}
    for suite, rows in groupby(report.rows, key=lambda row: row.suite):
        console.print(f"[bold]{suite}[/]: {escape(descriptions[suite])}\n", highlight=False)
        for table in _tables(list(rows)):
            console.print(table)
    for suite, reason in report.failures.items():
        console.print(
            f"[bold red]{suite} not fully measured:[/] {escape(reason)}", highlight=False, soft_wrap=True
        )
    console.print(_footnote(report), style="dim", highlight=False)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(report.to_json(), indent=2) + "\n")
        console.print(f"written to {output}", highlight=False, soft_wrap=True)
    return 1 if report.failures else 0


def _tables(rows: Sequence[Row]) -> Iterator[Table]:
    """Yield a table for each comparison, all with the same columns."""
    for group, members in groupby(rows, key=lambda row: row.group):
        table = Table(title=escape(group), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("", width=34)
        for heading, width in {"ms": 5, "p10-p90": 11, "speedup (range)": 17}.items():
            table.add_column(heading, justify="right", no_wrap=True, min_width=width)
        table.add_column("", min_width=24)
        plain, *others = members
        table.add_row(*_cells(plain, plain))
        for row in others:
            table.add_row(*_cells(row, plain))
        yield table


def _cells(row: Row, plain: Row) -> list[str]:
    what = f": {row.what}" if row.what else ""
    notes = [f"{name.replace('_', ' ')} {value:.3g}" for name, value in row.numbers.items()]
    if row.ratio is not None and row.against != plain.name:
        notes.insert(0, f"{row.ratio.value:.3f} of the {row.against}")
    speedup = "" if row.speedup is None else f"{row.speedup.value:.2f} ({_range(row.speedup)})"
    cells = [f"{row.name}{what}", _digits(row.time.value), _range(row.time), speedup, "\n".join(notes)]
    return [escape(cell) for cell in cells]


def _range(spread: Spread) -> str:
    return f"{_digits(spread.low)}-{_digits(spread.high)}"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _footnote(report: Report) -> str:
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in report.machine.items())
    busy = float(report.machine["load"]) > 0.5 * float(report.machine["cores"])
    warning = " The machine was busy before: ranges are wide." if busy else ""
    return f"Times are of this machine in this run; compare within a table.{warning} {facts}"
