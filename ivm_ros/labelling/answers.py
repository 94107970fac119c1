"""What the page asks of the server, and what it is told: values in, values out, no HTTP."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ivm_ros.datasets.records import is_finite
from ivm_ros.grounding import check_instruction
from ivm_ros.labelling.items import Item
from ivm_ros.labelling.maps import MOST_TARGETS, LabelError, cut_out, encode, label_map
from ivm_ros.labelling.session import Ask, Session

Answer = Callable[[Session, Ask, Mapping[str, Any]], dict[str, Any]]


def state(session: Session) -> dict[str, Any]:
    """Return all items with what was decided about them."""
    with session.lock:
        return {"items": [_item(session, item) for item in session.items], "most_targets": MOST_TARGETS}


def _item(session: Session, item: Item) -> dict[str, Any]:
    decided = session.decision(item.number)
    return {
        "frame": item.frame,
        "position": item.position,
        "instruction": item.instruction if decided is None else decided.instruction,
        "existence": item.existence,
        "found": item.found,
        "decision": None if decided is None else decided.decision,
    }


def _decide(session: Session, ask: Ask, values: Mapping[str, Any]) -> dict[str, Any]:
    number = _number(values)
    png = None
    if values.get("mask") is not None:
        try:
            png = base64.b64decode(_text(values, "mask"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise LabelError(f"expected a mask in base64: {error}") from error
    session.item(number)
    session.decide(number, _text(values, "decision"), _text(values, "instruction"), png)
    return _item(session, session.item(number))


def _undo(session: Session, ask: Ask, values: Mapping[str, Any]) -> dict[str, Any]:
    number = session.undo()
    if number is None:
        return {"number": None}
    return {"number": number, **_item(session, session.item(number))}


def _cut(session: Session, ask: Ask, values: Mapping[str, Any]) -> dict[str, Any]:
    image = session.image(_number(values))
    box, point = values.get("box"), values.get("point")
    corners = None
    if box is not None:
        corners = dict(zip(("x_min", "y_min", "x_max", "y_max"), _numbers("box", box, 4), strict=True))
    place = None if point is None else _numbers("point", point, 2)
    mask = cut_out(image, corners, None if place is None else (place[0], place[1]))
    return {"mask": _base64(encode(mask.astype(np.uint8))), "pixels": int(mask.sum())}


def _ask(session: Session, ask: Ask, values: Mapping[str, Any]) -> dict[str, Any]:
    words = check_instruction(values.get("instruction"))
    grounding = ask(session.image(_number(values)), words)
    return {
        "existence": round(grounding.existence, 4),
        "found": grounding.found,
        "mask": _base64(encode(label_map(grounding))),
    }


POSTS: dict[str, Answer] = {
    "decide": _decide,
    "undo": _undo,
    "cut": _cut,
    "ask": _ask,
}
"""Last part of the address -> what answers it; raises `LabelError` where the request cannot be."""


def _number(values: Mapping[str, Any]) -> int:
    number = values.get("item")
    if type(number) is not int:
        raise LabelError(f"expected the number of an item, got {number!r:.40}")
    return number


def _text(values: Mapping[str, Any], name: str) -> str:
    text = values.get(name)
    if not isinstance(text, str):
        raise LabelError(f"expected text for {name!r}, got {type(text).__name__}")
    return text


def _numbers(name: str, values: Any, count: int) -> list[float]:
    given = values if isinstance(values, list) else []
    if len(given) != count or not all(map(is_finite, given)):
        raise LabelError(f"expected {count} numbers for {name!r}, got {values!r:.60}")
    return [float(value) for value in given]


def encoded(values: Any) -> bytes:
    """Return values as JSON."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
