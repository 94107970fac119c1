"""A model's own options, from text or values, checked against what its loader takes."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def parse_options(texts: Sequence[str]) -> dict[str, str]:
    """Return name -> value of texts such as "precision=4bit".

    Raises:
        ValueError: a text is of another form, or names an option twice.
    """
    options: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ValueError(f"expected a model's option as NAME=VALUE, got {text!r}")
        if name in options:
            raise ValueError(f"expected the option {name!r} once, got it twice")
        options[name] = value
    return options


def read_options(model: str, loader: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options in the types that a loader's keyword parameters are annotated with.

    Args:
        model: its name, for the error.
        loader: takes its options by keyword alone, as str, int, float or bool.
        options: values of those types, or texts of them.

    Raises:
        ValueError: an option is unknown, or no such value.
    """
    hints = typing.get_type_hints(loader)
    known = {
        name: hints[name]
        for name, parameter in inspect.signature(loader).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    unknown = [name for name in options if name not in known]
    if unknown:
        choice = f"one of {', '.join(known)}" if known else "none"
        raise ValueError(f"expected options of model {model!r}: {choice}; got {unknown[0]!r}")
    return {name: _read(model, name, known[name], value) for name, value in options.items()}


def _read(model: str, name: str, kind: type, value: Any) -> Any:
    words = {"true": True, "false": False}
    try:
        if kind is bool:
            return value if isinstance(value, bool) else words[value.lower()]
        return kind(value)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"expected the option {name!r} of model {model!r} as {kind.__name__}, got {value!r}"
        ) from error
