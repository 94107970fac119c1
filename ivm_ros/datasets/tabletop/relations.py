"""Which objects stand in a relation: clearly, clearly not, or neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ivm_ros.datasets.tabletop.visible import Seen

_MARGIN = 0.05  # of the picture's side: nearer than this, left and right are not clear


def _gap(a: Seen, b: Seen) -> float:
    return float(np.linalg.norm(np.subtract(a.item.position, b.item.position)))


def _sideways(seen: Seen, anchor: Seen, sign: int) -> bool | None:
    dx, dy = sign * (seen.x - anchor.x), abs(seen.y - anchor.y)
    if dx < 0:
        return False
    return True if dx > _MARGIN and dx > 0.5 * dy else None


def _depthwise(seen: Seen, anchor: Seen, sign: int) -> bool | None:
    """Sign 1: in front of, that is nearer to the camera and lower in the picture."""
    dy, dx = sign * (seen.y - anchor.y), abs(seen.x - anchor.x)
    nearer = sign * (anchor.item.distance - seen.item.distance)
    if dy < 0 and nearer < 0:
        return False
    return True if dy > _MARGIN and nearer > 0.02 and dy > 0.5 * dx else None


_TESTS: dict[str, Callable[[Seen, Seen], bool | None]] = {
    "left": lambda seen, anchor: _sideways(seen, anchor, -1),
    "right": lambda seen, anchor: _sideways(seen, anchor, 1),
    "front": lambda seen, anchor: _depthwise(seen, anchor, 1),
    "behind": lambda seen, anchor: _depthwise(seen, anchor, -1),
    "on": lambda seen, anchor: seen.item.on == anchor.item.instance,
}

_ORDER: dict[str, tuple[Callable[[Seen], float], float]] = {
    "leftmost": (lambda seen: seen.x, _MARGIN),
    "rightmost": (lambda seen: -seen.x, _MARGIN),
    "nearest": (lambda seen: seen.item.distance - 0.2 * seen.y, 0.04),
    "farthest": (lambda seen: 0.2 * seen.y - seen.item.distance, 0.04),
}  # where to sort by, and by how much the first must lead


def judge(relation: str, candidates: Sequence[Seen], anchor: Seen) -> tuple[list[Seen], list[Seen]] | None:
    """Return who stands in the relation, and for whom it is unclear; None if it cannot be asked.

    Args:
        relation: a name of `phrases.RELATIONS`.
        candidates: visible objects that fit the target's description.
        anchor: what they are left of, on, and so on.
    """
    if relation == "near":
        ranked = sorted(candidates, key=lambda seen: _gap(seen, anchor))
        clear = len(ranked) == 1 or _gap(ranked[0], anchor) < 0.75 * _gap(ranked[1], anchor)
        return (ranked[:1], []) if ranked and clear else None
    verdicts = [(seen, _TESTS[relation](seen, anchor)) for seen in candidates]
    return [seen for seen, yes in verdicts if yes], [seen for seen, yes in verdicts if yes is None]


def foremost(name: str, candidates: Sequence[Seen]) -> Seen | None:
    """Return the candidate that a superlative means, such as "leftmost"; None where none leads clearly.

    Args:
        name: a name of `phrases.SUPERLATIVES`.
        candidates: at least two.
    """
    key, margin = _ORDER[name]
    first, second = sorted(candidates, key=key)[:2]
    return first if key(second) - key(first) >= margin else None
