"""All of ivm-tiny's training from chance, in one command: scenes, crops, views, pieces, calibration.

python -m ivm_ros.training.ivm_tiny.recipe OUT --workers 2

Each stage is a command of its own, shown before it runs, and is not repeated once it is done: the same call
goes on after an interruption, and another one in the same folder is refused. On two cores four hours for the
stage `views` alone, five in all or so; not run from the start as a whole.
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

from ivm_ros.datasets.folder import INDEX

_SCENES, _VIEWS, _ROOM = "ivm_ros.datasets.tabletop.generate", "ivm_ros.training.ivm_tiny", "ivm_ros.cli"
_OUTLINES = 0.2  # steps for outlines, of those for closer looks: they are learned sooner, and cost more
WEIGHTS = "ivm_tiny.safetensors"
"""What comes out, in the recipe's folder."""


@dataclass(frozen=True)
class Stage:
    """One command of the recipe.

    Attributes:
        name: for people, and of the file that says that it is done.
        arguments: of Python.
        resumes: what it leaves on the way; where that is, the command goes on with `--resume`.
        proof: what it writes last, of a command that refuses to run again once that is there.
    """

    name: str
    arguments: tuple[str, ...]
    resumes: Path | None = None
    proof: Path | None = None

    def command(self) -> list[str]:
        """Return the command line as it has to be now."""
        again = ["--resume"] if self.resumes is not None and self.resumes.exists() else []
        return [sys.executable, *self.arguments, *again]


def stages(
    folder: Path, scenes: int, crops: int, minutes: float, workers: int, seed: int
) -> tuple[Stage, ...]:
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
        command = ("-m", _ROOM, "render", str(folder / name), *options)
        return Stage(f"scenes for {name}", command, proof=folder / name / INDEX)

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
        teach("closer", crops),
        teach("outliner", max(1, round(_OUTLINES * crops))),
        Stage("views", ("-m", f"{_VIEWS}.train", *train), resumes=Path(run) / "checkpoint.pt"),
        Stage("pieces", ("-m", f"{_VIEWS}.joining", *join)),
        examine("validation", 120, 1_500_000),
        examine("test", 200, 2_000_000),
        Stage("calibration", ("-m", f"{_VIEWS}.calibrate", *calibrate)),
    )


def follow(recipe: Sequence[Stage], folder: Path, console: Console) -> None:
    """Run the stages that are not done yet.

    The folder keeps the arguments of each, in `<number> <name>.begun` and then `.done`.

    Raises:
        ValueError: the folder has a stage that was called with other arguments.
        subprocess.CalledProcessError: one failed; what it printed says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(recipe, start=1):
        name = f"{number:02d} {stage.name}"
        begun, done = folder / f"{name}.begun", folder / f"{name}.done"
        known = [file for file in (done, begun) if file.exists()]
        for file in known:
            _expect_same(stage, file)
        # it may have been killed after its end, before that was noted
        if begun in known and stage.proof is not None and stage.proof.exists():
            begun.replace(done)
        if done.exists():
            console.print(f"{number}/{len(recipe)} {stage.name}: done before")
            continue
        begun.write_text(shlex.join(stage.arguments) + "\n", encoding="utf-8")
        command = stage.command()
        console.print(f"{number}/{len(recipe)} {stage.name}: {shlex.join(command)}", soft_wrap=True)
        started = time.monotonic()
        subprocess.run(command, check=True)
        console.print(f"took {time.monotonic() - started:.0f} s")
        begun.replace(done)


def _expect_same(stage: Stage, file: Path) -> None:
    wanted, had = shlex.join(stage.arguments), file.read_text(encoding="utf-8").strip()
    if wanted != had:
        raise ValueError(
            f"expected that the stage {stage.name!r} is\n  {wanted}\ngot, in {file},\n  {had}\n"
            "choose another folder, or remove this file and what the stage wrote to do it anew"
        )


def main(
    folder: Annotated[Path, typer.Argument(help="where all of it goes; 30 GB as it comes")],
    scenes: Annotated[int, typer.Option(min=1, help="of each of the two worlds")] = 8000,
    crops: Annotated[int, typer.Option(min=1, help="steps of the stage `crops, closer`")] = 18_000,
    minutes: Annotated[float, typer.Option(min=0.1, help="of the stage `views`")] = 215,
    workers: Annotated[int, typer.Option(min=1, help="processes; one for each core")] = 2,
    seed: Annotated[int, typer.Option(help="of the training")] = 0,
) -> None:
    """Train ivm-tiny from chance."""
    console = Console()
    folder = folder.resolve()  # the stages are compared as they were called, from wherever that was
    try:
        follow(stages(folder, scenes, crops, minutes, workers, seed), folder, console)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except subprocess.CalledProcessError as error:
        console.print("[red]this stage failed; mend what it says, and call again to go on[/red]")
        raise SystemExit(error.returncode) from None
    console.print(f"{folder / WEIGHTS}: load it with `--checkpoint`")


if __name__ == "__main__":
    typer.run(main)
