"""Several results of `ivm-ros eval --json` on one dataset in one table, as Markdown.

python benchmarks/compare_scores.py "ivm-tiny=tiny.json" "InstanceVG, small=small.json"
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ivm_ros.evaluation.report import COLUMNS, shown


def read(result: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the content of NAME=FILE.

    Raises:
        ValueError: it is not of this form, or no result of `ivm-ros eval`.
        OSError: the file cannot be read.
    """
    name, equals, file = result.rpartition("=")
    if not (name and equals):
        raise ValueError(f"expected NAME=FILE, got {result!r}")
    content = json.loads(Path(file).read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not {"dataset", "samples", "metrics"} <= content.keys():
        raise ValueError(f"expected {file} to be written by ivm-ros eval --json; it has no scores")
    return name, content


def table(results: list[tuple[str, dict[str, Any]]]) -> str:
    """Return a Markdown table, a row for each result.

    Raises:
        ValueError: the results are of different samples.
    """
    measured = {(content["dataset"], content["samples"]) for _, content in results}
    if len(measured) != 1:
        raise ValueError(f"expected results on the same samples, got {sorted(measured)}")
    lines = [
        f"| model | samples | {' | '.join(COLUMNS.values())} |",
        "|---|" + "---:|" * (1 + len(COLUMNS)),
    ]
    for name, content in results:
        cells = (shown(content["metrics"][column]) for column in COLUMNS)
        lines.append(f"| {name} | {content['samples']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(
    results: Annotated[list[str], typer.Argument(metavar="NAME=FILE...", help="Name of a row, its JSON.")],
) -> None:
    """Print results of `ivm-ros eval --json` beside each other."""
    typer.echo(table([read(result) for result in results]))


if __name__ == "__main__":
    typer.run(main)
