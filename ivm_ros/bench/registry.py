"""Every suite by name; nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ivm_ros.bench.suite import Comparison, Options

Suite = Callable[[Options], Iterable[Comparison]]


@dataclass(frozen=True)
class SuiteEntry:
    """A suite that can be run.

    Attributes:
        name: what users call it, and the first part of its keys in the JSON.
        description: one line.
        maker: "module:function", the module relative to this package. The function takes `Options` and yields
            comparisons, each checked; it raises ValueError, OSError or ImportError where it cannot.
        by_name: it takes long, and is run only where it is named.
    """

    name: str
    description: str
    maker: str
    by_name: bool = False


_ENTRIES = (
    SuiteEntry("tiny", "ivm-tiny: what one frame, and one more instruction on it, cost", ".tiny:suite"),
    SuiteEntry("rendering", "IVM's highlight at 640x480, against its published formula", ".rendering:suite"),
    SuiteEntry(
        "overhead", "the node without its model, against a node as usually written", ".overhead:suite"
    ),
    SuiteEntry(
        "tracking", "masks at the camera's rate of a model at 1 Hz, and a frame's cost", ".tracking:suite"
    ),
    SuiteEntry("live", "ivm-tiny in the node: age and rate of masks by engine", ".live:suite", by_name=True),
    SuiteEntry("ivm", "IVM, against the same weights run as its reference runs them", ".ivm:suite"),
    SuiteEntry(
        "instancevg",
        "InstanceVG by PyTorch and by ONNX Runtime, against its plain network",
        ".instancevg:suite",
    ),
)


def available() -> tuple[SuiteEntry, ...]:
    """Return all suites."""
    return _ENTRIES


def chosen(names: Sequence[str]) -> tuple[SuiteEntry, ...]:
    """Return the suites of these names, in the registry's order; for no names, those that do not take long.

    Raises:
        ValueError: no suite has such a name.
    """
    known = {entry.name for entry in _ENTRIES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"expected suites of {', '.join(sorted(known))}; got {', '.join(unknown)}")
    return tuple(entry for entry in _ENTRIES if entry.name in names or not (names or entry.by_name))


def comparisons(entry: SuiteEntry, options: Options) -> Iterator[Comparison]:
    """Import a suite and yield its comparisons, each made when it is asked for."""
    module, function = entry.maker.split(":")
    suite: Suite = getattr(importlib.import_module(module, __package__), function)
    yield from suite(options)
