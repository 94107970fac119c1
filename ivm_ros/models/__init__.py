"""Models behind one interface: `load(name)` gives a `Grounder`, `available()` says which there are."""

from .registry import ModelEntry, UnknownModelError, available, load

__all__ = ["ModelEntry", "UnknownModelError", "available", "load"]
