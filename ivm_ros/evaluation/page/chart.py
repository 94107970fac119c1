"""Curves as a chart in SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 520, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 44
_COLORS = ("#1f6fb4", "#c9540a", "#2a8a4a")
_DASHES = ("", "7 3", "2 3")


def chart(x_title: str, x: Sequence[float], lines: Mapping[str, Sequence[float | None]]) -> str:
    """Return an SVG element of lines over one x, both axes from 0 to 1.

    Args:
        x_title: what x is.
        x: positions in [0, 1], ascending.
        lines: name -> values in [0, 1] at these; up to three, None where there is no value.
    """
    shown = {name: values for name, values in lines.items() if any(value is not None for value in values)}
    parts = [_axes(x_title)]
    styles = dict(zip(lines, zip(_COLORS, _DASHES, strict=True), strict=False))
    for name, values in shown.items():
        parts.append(_line(name, x, values, *styles[name]))
    parts.append(_legend({name: styles[name] for name in shown}))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" aria-label="{escape(", ".join(shown))} over {escape(x_title)}" '
        f'font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'
    )


def _x(value: float) -> float:
    return round(_LEFT + value * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float) -> float:
    return round(_HEIGHT - _BOTTOM - 20 - value * (_HEIGHT - _TOP - _BOTTOM - 20), 1)


def _axes(x_title: str) -> str:
    parts = []
    for step in range(6):
        value = step / 5
        color = "#888" if step == 0 else "#ddd"
        parts.append(
            f'<path d="M{_x(0)} {_y(value)}H{_x(1)}" stroke="{color}"/>'
            f'<text x="{_LEFT - 8}" y="{_y(value) + 4}" text-anchor="end" fill="#555">{value:.1f}</text>'
            f'<text x="{_x(value)}" y="{_y(0) + 18}" text-anchor="middle" fill="#555">{value:.1f}</text>'
        )
    middle = _x(0.5)
    parts.append(
        f'<text x="{middle}" y="{_y(0) + 36}" text-anchor="middle" fill="#222">{escape(x_title)}</text>'
    )
    return "".join(parts)


def _line(name: str, x: Sequence[float], values: Sequence[float | None], color: str, dashes: str) -> str:
    places = [(place, value) for place, value in zip(x, values, strict=True) if value is not None]
    points = " ".join(f"{_x(place)},{_y(value)}" for place, value in places)
    marks = "".join(
        f'<circle cx="{_x(place)}" cy="{_y(value)}" r="5" fill="{color}" fill-opacity="0">'
        f"<title>{escape(name)} {value:.3f} at {place:.2f}</title></circle>"
        for place, value in places
    )
    return (
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2" '
        f'stroke-dasharray="{dashes or "none"}"/>{marks}'
    )


def _legend(styles: Mapping[str, tuple[str, str]]) -> str:
    parts, x, y = [], _LEFT, _HEIGHT - 6
    for name, (color, dashes) in styles.items():
        parts.append(
            f'<path d="M{x} {y - 4}h26" stroke="{color}" stroke-width="2" '
            f'stroke-dasharray="{dashes or "none"}"/>'
            f'<text x="{x + 32}" y="{y}" fill="#222">{escape(name)}</text>'
        )
        x += 54 + 7 * len(name)
    return "".join(parts)
