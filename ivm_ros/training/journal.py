"""What a run tells about itself: numbers in `log.jsonl` and TensorBoard, pictures, a progress bar."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ivm_ros.grounding import Image


class Journal:
    """Keep the record of one run; TensorBoard's too, where that is installed.

    Args:
        output: the folder of the run; must exist.
        total: of what the progress bar counts: steps, or 1 for the share of the run that is done.
        title: of the bar.
        since: the step that a resumed run goes on from; later lines of the log are of steps that are
            repeated, and go. None keeps all.
    """

    def __init__(self, output: Path, total: float, title: str = "training", since: int | None = None) -> None:
        self.output = output
        path = output / "log.jsonl"
        if since is not None and path.exists():
            _forget(path, since)
        self._log = path.open("a", buffering=1)
        self._board = _tensorboard(output, since)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[shown]}"),
            TimeRemainingColumn(),
        )
        self._bar = self._progress.add_task(title, total=total, shown="")
        self._progress.start()

    def show(self, completed: float, values: Mapping[str, float] | None = None) -> None:
        """Move the progress bar, and show values beside it."""
        if values is not None:
            text = " ".join(f"{name} {value:.3f}" for name, value in values.items())
            self._progress.update(self._bar, shown=text)
        self._progress.update(self._bar, completed=completed)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add numbers of a step to the log and to TensorBoard."""
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        self._log.write(json.dumps({"step": step, **rounded}) + "\n")
        if self._board is not None:
            for name, value in rounded.items():
                self._board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: Image) -> None:
        """Write an (H, W, 3) uint8 RGB picture as `<name>_<step>.png`, and to TensorBoard."""
        cv2.imwrite(str(self.output / f"{name}_{step:06d}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if self._board is not None:
            self._board.add_image(name, picture, step, dataformats="HWC")

    def say(self, text: str) -> None:
        """Print a line above the progress bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Finish the files and the bar."""
        self._progress.stop()
        self._log.close()
        if self._board is not None:
            self._board.close()


def _forget(path: Path, since: int) -> None:
    """Drop the lines of steps after `since`, and one that a kill has cut off."""
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= since:
                kept.append(line + "\n")
        except json.JSONDecodeError:
            continue
    partial = path.with_suffix(".partial")
    partial.write_text("".join(kept))
    os.replace(partial, path)


def _tensorboard(output: Path, since: int | None) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(output), purge_step=None if since is None else since + 1)
