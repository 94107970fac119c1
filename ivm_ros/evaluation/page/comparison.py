"""The HTML report of two models on the same samples: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

import numpy as np

from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.comparison import Comparison, Pair
from ivm_ros.evaluation.page.document import STYLE, run_facts, skipped_records
from ivm_ros.evaluation.page.picture import data_url, draw_case
from ivm_ros.evaluation.report import COLUMNS, shown
from ivm_ros.grounding import Grounder, Grounding

_MORE_STYLE = """
.triple { margin: 0 0 1.2em; }
.triple div { display: grid; grid-template-columns: repeat(3, 1fr); gap: .4em; }
.triple img { width: 100%; height: auto; display: block; } .triple span { color: #555; font-size: .87em; }
td span { margin-left: .4em; } .better { color: #2a8a4a; } .worse { color: #b3362b; }
"""
_PICTURES = 8


def comparison_page(
    title: str,
    notes: Sequence[str],
    run: Mapping[str, str],
    comparisons: Sequence[Comparison],
    pictures: Mapping[int, str],
) -> str:
    """Return the report as HTML.

    Args:
        title: one line.
        notes: what a reader must know about the numbers, a paragraph each.
        run: what the numbers depend on, by name.
        comparisons: the first is the one that `pictures` are of.
        pictures: number of a sample -> HTML of `triples`.
    """
    first = comparisons[0]
    body = [f"<h1>{escape(title)}</h1>", *(f'<p class="note">{escape(note)}</p>' for note in notes)]
    for comparison in comparisons:
        body += [f"<h2>{escape(comparison.name)}</h2>", _table(comparison)]
    for heading, pairs in first.telling(_PICTURES).items():
        figures = [pictures[pair.after.index] for pair in pairs if pair.after.index in pictures]
        if figures:
            body += [f"<h2>{escape(heading)}</h2>", *figures]
    body += [skipped_records(first.after.skipped), "<h2>This run</h2>", run_facts(run)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{_MORE_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def triples(
    comparison: Comparison, before: Grounder, after: Grounder, dataset: Dataset[Sample]
) -> dict[int, str]:
    """Ask both models about the telling samples again, and return number -> HTML of three pictures."""
    figures = {}
    for pairs in comparison.telling(_PICTURES).values():
        for pair in pairs:
            sample = dataset.read(pair.after.index)
            answers = [grounder(sample.image, sample.instruction) for grounder in (before, after)]
            figures[pair.after.index] = _triple(sample, pair, answers)
    return figures


def _triple(sample: Sample, pair: Pair, answers: Sequence[Grounding]) -> str:
    untold = replace(sample, boxes=(), annotated=())
    nothing = Grounding(sample.instruction, np.zeros(sample.image.shape[:2], np.float32), (), 0.0)
    drawn = {
        f"before: {_said(pair.before.present, pair.before.score, pair.before.found)}": draw_case(
            untold, answers[0]
        ),
        f"after: {_said(pair.after.present, pair.after.score, pair.after.found)}": draw_case(
            untold, answers[1]
        ),
        f"truth{'' if sample.present else ': nothing matches'}": draw_case(sample, nothing),
    }
    words = escape(sample.instruction)
    cells = "".join(
        f'<span><img src="{data_url(picture)}" alt="{words}, {escape(name)}">{escape(name)}</span>'
        for name, picture in drawn.items()
    )
    tag = "" if sample.tag is None else f" · {escape(sample.tag)}"
    return (
        f'<figure class="triple"><div>{cells}</div>'
        f"<figcaption><b>{words}</b> · sample {pair.after.index}{tag}</figcaption></figure>"
    )


def _said(present: bool, score: float, found: bool) -> str:
    if present:
        return f"IoU {score:.3f}" if found else "not found"
    return "found something" if found else "rightly not found"


def _table(comparison: Comparison) -> str:
    heads = "".join(f"<th>{escape(title)}</th>" for title in COLUMNS.values())
    rows = []
    before_rows = comparison.before.rows()
    for name, metrics in comparison.after.rows().items():
        before, after = before_rows[name].fractions(), metrics.fractions()
        cells = "".join(_cell(before[key], after[key]) for key in COLUMNS)
        kind = ' class="all"' if metrics is comparison.after.overall else ""
        rows.append(f"<tr{kind}><td>{escape(name)}</td><td>{metrics.samples}</td>{cells}</tr>")
    head = f"<tr><th>questions</th><th>samples</th>{heads}</tr>"
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _cell(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "<td>-</td>"
    change = after - before
    kind = "better" if change > 0.0005 else "worse" if change < -0.0005 else "same"
    return f'<td>{shown(before)} → {shown(after)} <span class="{kind}">{change:+.3f}</span></td>'
