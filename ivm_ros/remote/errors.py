"""What goes wrong in the model's process, as an exception in this one."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

_KEPT = {
    "ivm_ros.grounding.InvalidImageError",
    "ivm_ros.grounding.InvalidInstructionError",
    "ivm_ros.models.registry.UnknownModelError",
    "ivm_ros.checkpoints.CheckpointError",
    "ivm_ros.remote.errors.ModelUnavailableError",
    "builtins.ImportError",
    "builtins.MemoryError",
    "builtins.ValueError",
}
"""Kinds that callers of a model know, and nothing else that a message could name."""

_MAX_TEXT = 4000


class ModelProcessError(RuntimeError):
    """The model's process has ended, for whatever reason."""


class ModelUnavailableError(ModelProcessError):
    """The call did not reach the model: its process starts again, is closed, or has forgotten the image.

    It says nothing new of the model, so who counts a model's failures need not count it.
    """


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as a message has it: the names of its classes, its own first, and its text."""
    names = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    return {"kinds": names, "text": str(error)[:_MAX_TEXT]}


def rebuild(message: Any) -> Exception:
    """Return the exception of a message of `describe`.

    Returns:
        One of the same kind where callers of a model know it; `MemoryError` where torch ran out of a
        device's memory; else a `RuntimeError` that begins with the name of its type.
    """
    if not isinstance(message, Mapping):
        message = {}
    kinds, text = message.get("kinds"), str(message.get("text", ""))
    kinds = [str(kind) for kind in kinds] if isinstance(kinds, list) else []
    own = kinds[0].removeprefix("builtins.") if kinds else "an unknown error"
    if own.endswith("OutOfMemoryError"):
        return MemoryError(f"{own}: {text}")
    for kind in kinds:
        known = _known(kind)
        if known is not None:
            return known(text)
    return RuntimeError(f"{own}: {text}")


def _known(kind: str) -> type[Exception] | None:
    """Return the class of a name; None if callers do not know it, or it needs a library that is not here."""
    if kind not in _KEPT:
        return None
    module, _, name = kind.rpartition(".")
    try:
        found: type[Exception] = getattr(importlib.import_module(module), name)
    except ImportError:  # CheckpointError's module needs torch; that error is a ValueError as well
        return None
    return found
