"""The HTML report: one file that needs nothing else, no network and no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ivm_ros.evaluation.curves import Curve
from ivm_ros.evaluation.page.chart import chart
from ivm_ros.evaluation.page.picture import ANSWER, TRUTH
from ivm_ros.evaluation.reliability import Reliability
from ivm_ros.evaluation.report import COLUMNS, Report, shown
from ivm_ros.evaluation.results import Result

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; margin: 2em auto; padding: 0 1em;
  max-width: 1180px; }
h1 { font-size: 1.6em; margin-bottom: .2em; } h2 { font-size: 1.2em; margin: 2em 0 .5em; }
p.note, figcaption, dt { color: #555; }
table { border-collapse: collapse; } .wide { overflow-x: auto; }
th, td { padding: .3em .8em; text-align: right; border-bottom: 1px solid #ddd;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } tr.all { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; } dd { margin: 0; }
dd, li { overflow-wrap: anywhere; }
.charts, .cases { display: flex; flex-wrap: wrap; gap: 1.2em; }
.cases figure { margin: 0; width: 270px; } .cases img { width: 100%; height: auto; display: block; }
figcaption { font-size: .87em; margin-top: .3em; overflow-wrap: anywhere; } figcaption b { color: #222; }
.key { display: inline-block; width: 1.6em; height: .7em; border: 2px solid; margin: 0 .3em 0 .8em; }
"""


def document(
    title: str,
    run: Mapping[str, str],
    report: Report,
    pictures: Mapping[int, str],
) -> str:
    """Return the report as HTML.

    Args:
        title: one line.
        run: what the numbers depend on, by name.
        report: of the evaluation.
        pictures: number of a case's sample -> URL of its picture; a case without one is left out.
    """
    body = [
        f"<h1>{escape(title)}</h1>",
        _headline(report),
        _table(report),
        _all_metrics(report),
        "<h2>Other thresholds</h2>",
        _charts(report),
        "<h2>Whether its numbers can be believed</h2>",
        _reliabilities(report),
        *_cases(report, pictures),
        skipped_records(report.skipped),
        "<h2>This run</h2>",
        run_facts(run),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _headline(report: Report) -> str:
    skipped = f", {len(report.skipped)} more could not be used" if report.skipped else ""
    return f'<p class="note">{report.overall.samples:,} samples{skipped}.</p>'


def _table(report: Report) -> str:
    heads = "".join(f"<th>{escape(heading)}</th>" for heading in COLUMNS.values())
    rows = []
    for name, metrics in report.rows().items():
        values = metrics.fractions()
        cells = "".join(f"<td>{shown(values[key])}</td>" for key in COLUMNS)
        kind = ' class="all"' if metrics is report.overall else ""
        rows.append(f"<tr{kind}><td>{escape(name)}</td><td>{metrics.samples}</td>{cells}</tr>")
    head = f"<tr><th>questions</th><th>samples</th>{heads}</tr>"
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _all_metrics(report: Report) -> str:
    columns = {name: metrics.fractions() for name, metrics in report.rows().items()}
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = [
        f"<tr><td>{escape(key)}</td>"
        + "".join(f"<td>{shown(v[key])}</td>" for v in columns.values())
        + "</tr>"
        for key, value in report.overall.fractions().items()
        if value is not None
    ]
    table = f"<table><tr><th>metric</th>{heads}</tr>{''.join(rows)}</table>"
    return f'<details><summary>All metrics</summary><div class="wide">{table}</div></details>'


def _charts(report: Report) -> str:
    parts = []
    if report.mask_curve.samples:
        note = "Masks made of the heat above a threshold, wherever the model found something."
        parts.append(_chart("threshold on the heatmap", report.mask_curve.curve(), note))
    note = "Everything answered whose existence reaches a threshold."
    parts.append(_chart("threshold on existence", report.existence_curve.curve(), note))
    return f'<div class="charts">{"".join(parts)}</div>'


def _chart(x_title: str, curve: Curve, note: str) -> str:
    lines = {COLUMNS["giou"]: curve.giou, COLUMNS["n_acc"]: curve.n_acc, COLUMNS["t_acc"]: curve.t_acc}
    return f'<div>{chart(x_title, curve.threshold, lines)}<p class="note">{escape(note)}</p></div>'


def _reliabilities(report: Report) -> str:
    parts = [
        _reliability(
            "existence", report.existence_reliability, "answers for which something is there", "samples"
        )
    ]
    if report.score_reliability.error is not None:
        note = "targets that overlap a true one by an IoU above 0.5"
        parts.append(_reliability("score of a target", report.score_reliability, note, "targets"))
    return f'<div class="charts">{"".join(parts)}</div>'


def _reliability(x_title: str, found: Reliability, note: str, what: str) -> str:
    """Return a reliability diagram; its dots lie on the diagonal where the numbers are honest."""
    bins, total = found.bins(), sum(found.samples)
    lines: dict[str, list[float | None]] = {
        "share right": [None, *(each.right for each in bins), None],
        "as it should be": [0.0, *(each.confidence for each in bins), 1.0],
        f"share of {what}": [None, *(each.samples / total for each in bins), None],
    }
    x = [0.0, *(each.confidence for each in bins), 1.0]
    text = (
        f"The share of {note}, over what the model said. Expected calibration error {shown(found.error)}, "
        f"of {total:,} {what} in {len(found.samples)} bins."
    )
    return f'<div>{chart(x_title, x, lines)}<p class="note">{escape(text)}</p></div>'


def _cases(report: Report, pictures: Mapping[int, str]) -> Iterable[str]:
    lists = {
        title: [r for r in results if r.index in pictures] for title, results in report.cases.lists().items()
    }
    if not any(lists.values()):
        return
    keys = (("truth", TRUTH), ("answer", ANSWER))
    spans = "".join(
        f'<span class="key" style="border-color: rgb{color}"></span>{name}' for name, color in keys
    )
    yield f"<h2>Cases</h2><p>Outlines:{spans}</p>"
    for title, results in lists.items():
        if results:
            figures = "".join(_figure(result, pictures[result.index]) for result in results)
            yield f'<h2>{escape(title)}</h2><div class="cases">{figures}</div>'


def _figure(result: Result, picture: str) -> str:
    facts = [f"IoU {result.score:.3f}"] if result.present else []
    facts.append(f"{'found' if result.found else 'not found'}, existence {result.existence:.2f}")
    facts.append(f"sample {result.index}")
    if result.tag is not None:
        facts.append(result.tag)
    facts += [f"{name} {value}" for name, value in result.ids.items()]
    words = escape(result.instruction)
    return (
        f'<figure><img src="{escape(picture)}" alt="{words}">'
        f"<figcaption><b>{words}</b><br>{escape(' · '.join(facts))}</figcaption></figure>"
    )


def skipped_records(problems: Sequence[str]) -> str:
    """Return the records that were skipped, as a list; nothing where there are none."""
    if not problems:
        return ""
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f"<h2>Not used</h2><details><summary>{len(problems)} samples</summary><ul>{items}</ul></details>"


def run_facts(run: Mapping[str, str]) -> str:
    """Return what a run was, as a table."""
    return "<dl>" + "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in run.items()) + "</dl>"
