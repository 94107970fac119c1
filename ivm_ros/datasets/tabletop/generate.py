"""Scenes in bulk: the training store, rendered by several processes and resumable.

python -m ivm_ros.datasets.tabletop.generate STORE --scenes 12000 --workers 2
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .store import complete_shards, write_shard

TRAIN_SEEDS = range(0, 1_000_000)
VALIDATION_SEEDS = range(1_000_000, 2_000_000)
TEST_SEEDS = range(2_000_000, 3_000_000)
SPLITS = {"train": TRAIN_SEEDS, "validation": VALIDATION_SEEDS, "test": TEST_SEEDS}
"""Scene seeds of each split; nothing is trained on seeds from 1,000,000 on, nor on their object pools."""

SHARD_SCENES = 250
STORE_SIZE = (256, 192)

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int, title: str
) -> Iterator[tuple[Task, Result]]:
    """Yield each task and its result as it is done, in any order, under a progress bar.

    Args:
        work: a function at the top of a module, as processes are spawned.
        tasks: what to call it with.
        workers: processes; 1 works in this process.
        title: of the progress bar.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task(title, total=len(tasks))
        for task, result in _results(work, tasks, workers):
            progress.advance(bar)
            yield task, result


def _results(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Result]]:
    if workers == 1:
        yield from ((task, work(task)) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")  # a forked OpenGL context is not usable
    with ProcessPoolExecutor(workers, mp_context=context) as executor:
        pending: dict[Future[Result], Task] = {executor.submit(work, task): task for task in tasks}
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), future.result()


def _render_shard(task: tuple[Path, range]) -> None:
    from .renderer import VIEWS, TabletopRenderer

    stem, seeds = task
    renderer = TabletopRenderer(STORE_SIZE)
    try:
        scenes = [scene for seed in seeds for scene in renderer.render(seed)]
    finally:
        renderer.close()
    write_shard(stem, scenes, [seed for seed in seeds for _ in range(VIEWS)], [*range(VIEWS)] * len(seeds))


def write_store(folder: Path, split: str, scenes: int, workers: int = 1) -> list[Path]:
    """Render scenes into shards and return the stems of all that the split now has.

    Finished shards are kept, so that an interrupted call can be repeated. The list of finished shards is in
    the file READY of the folder, one stem a line, while it goes on.

    Args:
        folder: of the store; made if missing.
        split: "train", "validation" or "test"; each has seeds of its own.
        scenes: how many, rounded up to whole shards; each gives two views.
        workers: processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, scenes, SHARD_SCENES)
    first = SPLITS[split].start
    wanted = {
        folder / f"{split}-{start // SHARD_SCENES:05d}": range(first + start, first + start + SHARD_SCENES)
        for start in starts
    }
    finished = set(complete_shards(folder))
    missing = [(stem, seeds) for stem, seeds in wanted.items() if stem not in finished]
    for _ in in_processes(_render_shard, missing, workers, f"rendering {split} shards"):
        ready = "".join(f"{stem}\n" for stem in complete_shards(folder))
        (folder / "READY").write_text(ready)
    return [stem for stem in complete_shards(folder) if stem.name.startswith(f"{split}-")]


def main(
    folder: Annotated[Path, typer.Argument(help="where the shards go")],
    scenes: Annotated[int, typer.Option(min=1, help="scenes; each gives two views")] = 12_000,
    split: Annotated[str, typer.Option(help="train, validation or test")] = "train",
    workers: Annotated[int, typer.Option(min=1, help="processes")] = 1,
) -> None:
    """Render a training store."""
    if split not in SPLITS:
        raise typer.BadParameter(f"expected one of {', '.join(SPLITS)}, got {split!r}")
    stems = write_store(folder, split, scenes, workers)
    print(f"{len(stems)} shards of {2 * SHARD_SCENES} views in {folder}")


if __name__ == "__main__":
    typer.run(main)
