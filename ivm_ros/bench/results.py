"""What a run found: rows, what could not be measured, the machine; and all of it as flat JSON."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from ivm_ros.bench.timing import Spread

Value = float | int | str


@dataclass(frozen=True)
class Row:
    """One alternative's times.

    Attributes:
        suite: that it belongs to.
        group: title of the comparison.
        name: of the alternative.
        what: what it does; may be empty.
        key: of its numbers after the suite's name; may be empty.
        rounds: how often it was timed.
        time: median, 10th and 90th percentile in milliseconds.
        speedup: median of the comparison's plain alternative over this one's; None for the plain one itself.
        against: name of the alternative that `ratio` is to; empty for the plain one itself.
        ratio: median over that one's.
        numbers: what else is known of it.

    Raises:
        ValueError: a name is empty, a number is not finite, or only one of speedup and ratio is there.
    """

    suite: str
    group: str
    name: str
    what: str
    key: str
    rounds: int
    time: Spread
    speedup: Spread | None = None
    against: str = ""
    ratio: Spread | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.suite and self.name and self.rounds > 0):
            raise ValueError(f"expected a suite, a name and at least one round, got {self}")
        if (self.speedup is None) != (self.ratio is None) or bool(self.against) != (self.ratio is not None):
            raise ValueError(f"expected speedup, ratio and what it is to, or none of them, got {self}")
        for name, number in self.numbers.items():
            if not math.isfinite(number):
                raise ValueError(f"expected a finite {name} of {self.name!r}, got {number}")

    def to_json(self) -> dict[str, Value]:
        """Return the numbers under dotted keys, such as "tiny.second_instruction_ratio"."""
        values: dict[str, Value] = {}
        for quantity, spread in {"ms": self.time, "speedup": self.speedup, "ratio": self.ratio}.items():
            if spread is not None:
                values.update({quantity: spread.value})
                values.update({f"{quantity}_low": spread.low, f"{quantity}_high": spread.high})
        values.update({"rounds": self.rounds, **self.numbers})
        return {
            f"{self.suite}.{self.key}_{name}" if self.key else f"{self.suite}.{name}": value
            for name, value in values.items()
        }


@dataclass
class Report:
    """All rows of a run, the suites that could not be measured with their reasons, and the machine."""

    machine: Mapping[str, Value]
    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Add a row.

        Raises:
            ValueError: a key of its numbers is taken.
        """
        taken = self.to_json().keys() & row.to_json().keys()
        if taken:
            raise ValueError(f"expected new keys, got {sorted(taken)} twice")
        self.rows.append(row)

    def to_json(self) -> dict[str, Value]:
        """Return everything, flat: `machine.*`, each suite's numbers, `SUITE.error` where there is one."""
        values: dict[str, Value] = {f"machine.{name}": value for name, value in self.machine.items()}
        for row in self.rows:
            values.update(row.to_json())
        values.update({f"{suite}.error": reason for suite, reason in self.failures.items()})
        return values


def machine(device: str) -> dict[str, Value]:
    """Return what times depend on: processor, cores, other load, versions, device."""
    from ivm_ros.models.registry import pick_device, wait_passively

    wait_passively()  # before torch is imported
    import cv2
    import torch

    picked = pick_device(device)
    return {
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "opencv": cv2.__version__,
        "device": torch.cuda.get_device_name(picked) if picked.type == "cuda" else str(picked),
    }
