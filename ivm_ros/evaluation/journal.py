"""Results on disk as they come, one JSON line each, so that a run that was killed can go on.

The first line says which run it is, as values by name. A kill can cut off the last line alone; it goes, and
its sample is measured again.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ivm_ros.evaluation.results import Result, Skipped

_FORMAT = "ivm-ros eval 1"


class JournalError(ValueError):
    """A journal that is of another run, is in use, or is damaged."""


class Journal:
    """The results of one run, in the order of the dataset; use it in a `with` block.

    Args:
        path: of the file; it is made where there is none, or none that got as far as its first line.
        run: what the results depend on, by name: model, dataset, options.
        samples: numbers in the dataset of the samples that this process measures, in their order.

    Attributes:
        done: how many of them it holds.

    Raises:
        JournalError: it is of another run, another process writes it, or it is damaged.
    """

    def __init__(self, path: Path, run: Mapping[str, str], samples: Sequence[int]) -> None:
        self.path = path
        self.samples = samples
        self._file = path.open("a+b")
        try:
            self._lock()
            self._cut_off()
            self.done = self._check(run)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        """Return the journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def entries(self) -> Iterator[Result | Skipped]:
        """Yield what is in it; read one line at a time."""
        with self.path.open("rb") as lines:
            next(lines)
            for number, (index, line) in enumerate(zip(self.samples, lines, strict=False), start=2):
                yield self._entry(number, index, line)

    def add(self, entry: Result | Skipped) -> None:
        """Append what became of the next sample; it is with the operating system on return."""
        value = entry.state() if isinstance(entry, Result) else vars(entry)
        self._write(value)
        self.done += 1

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(f"expected to write {self.path} alone, but another run does") from None

    def _cut_off(self) -> None:
        """Drop a last line without its end."""
        self._file.seek(0)
        whole = 0
        for line in self._file:
            whole += len(line) if line.endswith(b"\n") else 0
        self._file.truncate(whole)

    def _check(self, run: Mapping[str, str]) -> int:
        """Return the number of entries of a journal of this run; begin one in an empty file."""
        self._file.seek(0)
        first = self._file.readline()
        if not first:
            self._write({"format": _FORMAT, "run": dict(run)})
            return 0
        header = self._parsed(1, first)
        if header.get("format") != _FORMAT or not isinstance(header.get("run"), dict):
            raise JournalError(f"expected {self.path} to be of format {_FORMAT!r}, got {first[:60]!r}")
        there = header["run"]
        names = [name for name in {**there, **run} if there.get(name) != run.get(name)]
        if names:
            differences = "; ".join(
                f"{name}: {there.get(name)} there, {run.get(name)} here" for name in names
            )
            raise JournalError(
                f"{self.path} is of another run: {differences}; choose another folder, or delete that file"
            )
        return min(sum(1 for _ in self._file), len(self.samples))

    def _entry(self, number: int, index: int, line: bytes) -> Result | Skipped:
        value = self._parsed(number, line)
        try:
            entry = Skipped(**value) if "problem" in value else Result.restore(value)
        except (KeyError, TypeError) as error:
            raise self._damaged(number, repr(error)) from error
        if entry.index != index:
            raise self._damaged(number, f"expected sample {index}, got {entry.index}")
        return entry

    def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except ValueError as error:
            raise self._damaged(number, str(error)) from error
        if not isinstance(value, dict):
            raise self._damaged(number, f"expected an object, got {line[:60]!r}")
        return value

    def _damaged(self, number: int, problem: str) -> JournalError:
        return JournalError(f"{self.path}:{number}: {problem}; delete the file to measure again")

    def _write(self, value: Mapping[str, object]) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
