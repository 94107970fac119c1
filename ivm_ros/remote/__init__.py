"""A model in a Python process of its own, joined by shared memory: `load_remote(python, name)`.

The environment of that Python need not have ROS, nor the version that ROS is built for.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ModelProcessError", "ModelUnavailableError", "ProcessStatus", "RemoteGrounder", "load_remote"]

_ROOMS = {
    "ModelProcessError": "errors",
    "ModelUnavailableError": "errors",
    "ProcessStatus": "keeper",
    "RemoteGrounder": "grounder",
    "load_remote": "grounder",
}


def __getattr__(name: str) -> Any:  # the model's process imports this file too, and needs none of them
    if name in _ROOMS:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
