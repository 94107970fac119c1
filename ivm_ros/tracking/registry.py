"""Every tracker by name, and how to load it; nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivm_ros.models.options import read_options
from ivm_ros.tracking.tracker import Tracker


class UnknownTrackerError(ValueError):
    """A tracker name that is not in the registry."""


@dataclass(frozen=True)
class TrackerEntry:
    """A tracker that can be loaded.

    Attributes:
        name: what users call it.
        description: a few words for lists.
        loader: "module:function", the module relative to this package. The function takes the path of a
            checkpoint or None, the name of a device, and the tracker's own options by keyword; it returns
            what makes trackers, one for each camera, of one model.
        extra: of this package that its libraries are in, if any.
    """

    name: str
    description: str
    loader: str
    extra: str = ""


_ENTRIES = (
    TrackerEntry("flow", "optical flow, made for CPUs", ".flow:load"),
    TrackerEntry(
        "video", "SAM 2 or EdgeTAM through transformers, from your weights", ".video:load", "transformers"
    ),
)
_BY_NAME = {entry.name: entry for entry in _ENTRIES}


def available() -> tuple[TrackerEntry, ...]:
    """Return all trackers that can be loaded."""
    return _ENTRIES


def load_tracker(
    name: str, checkpoint: str | Path | None = None, device: str = "auto", **options: Any
) -> Callable[[], Tracker]:
    """Load a tracker; return what makes one for each camera.

    Args:
        name: of the registry, such as "flow".
        checkpoint: folder of its weights; None where it has none.
        device: as torch names it, or "auto": CUDA where there is one, else the CPU.
        options: the tracker's own, by name; text is read as what the option wants.

    Raises:
        UnknownTrackerError: no tracker has this name.
        CheckpointError: the weights are missing, unreadable or do not fit.
        ValueError: the device is not usable here, the tracker has no such option, or not such a value.
        ImportError: a library is missing; names the extra that has it.
    """
    if name not in _BY_NAME:
        raise UnknownTrackerError(f"expected a tracker of {', '.join(sorted(_BY_NAME))}; got {name!r}")
    entry = _BY_NAME[name]
    module, _, function = entry.loader.partition(":")
    try:
        loader = getattr(importlib.import_module(module, __package__), function)
    except ModuleNotFoundError as error:
        if not entry.extra:
            raise
        raise ImportError(
            f"tracker {name!r} needs {error.name}: pip install 'ivm-ros[{entry.extra}]'"
        ) from error
    path = None if checkpoint is None or str(checkpoint) == "" else Path(checkpoint).expanduser()
    make: Callable[[], Tracker] = loader(path, device, **read_options(name, loader, options))
    return make
