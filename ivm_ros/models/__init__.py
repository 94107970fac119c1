"""Models behind one interface: `load(name)` gives a `Grounder`, `available()` says which there are."""

from ivm_ros.models.registry import ModelEntry, UnknownModelError, available, load

__all__ = ["ModelEntry", "UnknownModelError", "available", "load"]
