"""Every tracker by name, and how to load it; nothing is imported before it is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivm_ros.models.options import read_options
from ivm_ros.tracking.tracker import LOST_RULES, Tracker

Factory = Callable[[], Tracker]
"""Makes a fresh tracker for one camera."""


class UnknownTrackerError(ValueError):
    """A tracker name that is not in the registry."""


@dataclass(frozen=True)
class TrackerEntry:
    """A tracker that can be loaded.

    Attributes:
        name: what users call it.
        description: one line for lists.
        extra: of this package that its libraries are in, if any.
        checkpoint: whether it needs weights of the user's.
        maker: returns a factory of a checkpoint or None, the name of a device, a lost rule, and the tracker's
            own options by name.
    """

    name: str
    description: str
    extra: str
    checkpoint: bool
    maker: Callable[[Path | None, str, str, dict[str, Any]], Factory]


def _flow(checkpoint: Path | None, device: str, lost_rule: str, options: dict[str, Any]) -> Factory:
    from ivm_ros.tracking.flow import load

    if checkpoint is not None:
        raise ValueError(f"expected no checkpoint for tracker 'flow', which has no weights; got {checkpoint}")
    make = functools.partial(load, lost_rule, **read_options("flow", load, options))
    make()  # refuses what it cannot do now, not when a camera starts
    return make


def _video(checkpoint: Path | None, device: str, lost_rule: str, options: dict[str, Any]) -> Factory:
    from ivm_ros.models.registry import pick_device, wait_passively

    read_options("video", _video_options, options)
    wait_passively()
    from ivm_ros.tracking.video import VideoTracker, load_model

    return functools.partial(VideoTracker, load_model(checkpoint, pick_device(device)), lost_rule)


def _video_options() -> None:
    """Take no options."""


_ENTRIES = (
    TrackerEntry("flow", "dense optical flow on a CPU, no weights", "", False, _flow),
    TrackerEntry("video", "SAM 2 or EdgeTAM from a folder of the user's", "transformers", True, _video),
)
_BY_NAME = {entry.name: entry for entry in _ENTRIES}


def available() -> tuple[TrackerEntry, ...]:
    """Return all trackers that can be loaded."""
    return _ENTRIES


def load_tracker(
    name: str,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    lost_rule: str = "drop",
    **options: Any,
) -> Factory:
    """Load a tracker.

    Args:
        name: of the registry, such as "flow".
        checkpoint: path of the weights, for those that have any; None or empty for none.
        device: as torch names it, or "auto", for those that run on torch.
        lost_rule: of `LOST_RULES`.
        options: the tracker's own, by name; text is read as what the option wants.

    Returns:
        A function that makes a fresh tracker for each camera; what is heavy is loaded once, now.

    Raises:
        UnknownTrackerError: no tracker has this name.
        CheckpointError: the weights are missing, unreadable or do not fit.
        ValueError: no such rule, device or option, or not such a value.
        ImportError: a library is missing; names the extra that has it.
    """
    if name not in _BY_NAME:
        raise UnknownTrackerError(f"expected a tracker of {', '.join(sorted(_BY_NAME))}; got {name!r}")
    if lost_rule not in LOST_RULES:
        raise ValueError(f"expected a lost rule of {', '.join(LOST_RULES)}; got {lost_rule!r}")
    entry = _BY_NAME[name]
    path = None if checkpoint is None or str(checkpoint) == "" else Path(checkpoint).expanduser()
    try:
        return entry.maker(path, device, lost_rule, dict(options))
    except ModuleNotFoundError as error:
        if not entry.extra:
            raise
        raise ImportError(
            f"tracker {name!r} needs {error.name}: pip install 'ivm-ros[{entry.extra}]'"
        ) from error
