"""Bounds on the sizes that a model's configuration may claim, checked before anything is made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAX_TEXT = 2**20
"""Most characters of a configuration; the published ones have about 5000."""

MAX_NUMBER = 2**20
"""Largest whole number, either way, that a configuration may have where no other limit is known."""

_MODULES_OF_CODE = ("auto_map", "attn_implementation", "quantization_config")
"""Keys by which transformers may be told to look for code elsewhere."""


def read_sizes(text: str, limits: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Parse a configuration, and refuse what no model of ours has.

    Args:
        text: JSON, an object.
        limits: key -> smallest and largest whole number under it, however deep in the object it is.

    Raises:
        ValueError: it is no JSON object, too long, too deep, names code, or has a number out of bounds.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"expected a configuration of at most {MAX_TEXT} characters, got {len(text)}")
    try:
        values = json.loads(text)
    except RecursionError:
        raise ValueError("expected a configuration, got JSON that is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected a configuration as a JSON object, got {type(values).__name__}")
    _check(values, "", limits)
    return values


def _check(values: Any, path: str, limits: Mapping[str, tuple[int, int]]) -> None:
    """Walk a tree that `json.loads` made, so not deeper than it can go."""
    if isinstance(values, dict):
        for key, value in values.items():
            if any(name in key for name in _MODULES_OF_CODE) and value is not None:
                raise ValueError(f"expected a configuration without {path}{key}, which may name code")
            if key in limits:
                _check_limit(value, f"{path}{key}", *limits[key])
            else:
                _check(value, f"{path}{key}.", limits)
    elif isinstance(values, list):
        for value in values:
            _check(value, path, limits)
    elif isinstance(values, int) and abs(values) > MAX_NUMBER:
        raise ValueError(f"expected {path.rstrip('.')} of at most {MAX_NUMBER}, got {_shown(values)}")


def _check_limit(value: Any, name: str, low: int, high: int) -> None:
    for number in value if isinstance(value, list) and value else [value]:
        if type(number) is not int or not low <= number <= high:
            raise ValueError(f"expected {name} from {low} to {high}, got {_shown(value)}")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python does not print whole numbers of thousands of digits
        return "a number that is longer than can be shown"
    return text if len(text) <= 60 else f"{text[:60]}..."
