"""All of ivm-tiny's training from chance, in one command: scenes, crops, views, pieces, calibration.

python -m ivm_ros.training.ivm_tiny.recipe OUT --workers 2

Each stage is a command of its own, shown before it runs, and is not repeated once it is done: the same call
goes on after an interruption. About four hours on two cores, most of it the stage `views`.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

_SCENES, _VIEWS, _ROOM = "ivm_ros.datasets.tabletop.generate", "ivm_ros.training.ivm_tiny", "ivm_ros.cli"
WEIGHTS = "ivm_tiny.safetensors"
"""What comes out, in the recipe's folder."""


@dataclass(frozen=True)
class Stage:
    """One command of the recipe.

    Attributes:
        name: for people, and of the file that says that it is done.
        arguments: of Python.
        resumes: what it wants besides where it was interrupted: it has left this file.
    """

    name: str
    arguments: tuple[str, ...]
    resumes: Path | None = None

    def command(self) -> list[str]:
        """Return the command line as it has to be now."""
        again = ["--resume"] if self.resumes is not None and self.resumes.exists() else []
        return [sys.executable, *self.arguments, *again]


def stages(folder: Path, scenes: int, minutes: float, workers: int, seed: int) -> tuple[Stage, ...]:
    """Return the stages, in order; arguments as of `main`."""
    store, looks, run = (str(folder / name) for name in ("store", "looks", "run"))
    validation, test = str(folder / "validation"), str(folder / "test")

    def render(name: str, *arguments: str) -> Stage:
        common = ("--apart", "5", "--scale", "2", "--workers", str(workers))
        return Stage(name, ("-m", _SCENES, store, *arguments, *common))

    def teach(part: str, steps: int) -> Stage:
        options = ("--store", store, "--output", looks, "--part", part, "--steps", str(steps))
        return Stage(f"crops, {part}", ("-m", f"{_VIEWS}.first_looks", *options, "--seed", str(seed)))

    def examine(name: str, count: int, first: int) -> Stage:
        options = ("--scenes", str(count), "--seed", str(first), "--workers", str(workers))
        return Stage(f"scenes for {name}", ("-m", _ROOM, "render", str(folder / name), *options))

    train = ["--store", store, "--looks", looks, "--output", run, "--minutes", f"{minutes:g}"]
    train += ["--workers", str(workers), "--seed", str(seed)]
    joined = str(folder / "joined.safetensors")
    join = ("--store", store, "--weights", str(Path(run) / WEIGHTS), "--output", joined, "--seed", str(seed))
    calibrate = ["--weights", joined, "--validation", validation, "--test", test]
    calibrate += ["--output", str(folder / WEIGHTS), "--keep", "0.985"]
    return (
        render("scenes", "--scenes", str(scenes)),
        render("scenes, varied", "--scenes", str(scenes), "--world", "varied"),
        render("scenes to validate", "--split", "validation", "--scenes", "250"),
        teach("closer", 9000),
        teach("outliner", 3500),
        Stage("views", ("-m", f"{_VIEWS}.train", *train), resumes=Path(run) / "checkpoint.pt"),
        Stage("pieces", ("-m", f"{_VIEWS}.joining", *join)),
        examine("validation", 120, 1_500_000),
        examine("test", 200, 2_000_000),
        Stage("calibration", ("-m", f"{_VIEWS}.calibrate", *calibrate)),
    )


def follow(recipe: Sequence[Stage], folder: Path, console: Console) -> None:
    """Run the stages that are not done yet.

    Raises:
        subprocess.CalledProcessError: one failed; what it printed says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(recipe, start=1):
        done = folder / f"{number:02d} {stage.name}.done"
        if done.exists():
            console.print(f"{number}/{len(recipe)} {stage.name}: done before")
            continue
        command = stage.command()
        console.print(f"{number}/{len(recipe)} {stage.name}: {shlex.join(command)}", soft_wrap=True)
        started = time.monotonic()
        subprocess.run(command, check=True)
        done.write_text(f"{time.monotonic() - started:.0f} s\n", encoding="utf-8")


def main(
    folder: Annotated[Path, typer.Argument(help="where all of it goes; 30 GB as it comes")],
    scenes: Annotated[int, typer.Option(min=1, help="of each of the two worlds")] = 8000,
    minutes: Annotated[float, typer.Option(min=0.1, help="of the stage `views`")] = 215,
    workers: Annotated[int, typer.Option(min=1, help="processes; one for each core")] = 2,
    seed: Annotated[int, typer.Option(help="of the training")] = 0,
) -> None:
    """Train ivm-tiny from chance."""
    console = Console()
    try:
        follow(stages(folder, scenes, minutes, workers, seed), folder, console)
    except subprocess.CalledProcessError as error:
        console.print("[red]this stage failed; mend what it says, and call again to go on[/red]")
        raise SystemExit(error.returncode) from None
    console.print(f"{folder / WEIGHTS}: load it with `--checkpoint`")


if __name__ == "__main__":
    typer.run(main)
