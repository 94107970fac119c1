"""Scenes in bulk: the training store, rendered by several processes and resumable.

python -m ivm_ros.datasets.tabletop.generate STORE --scenes 6000 --apart 5 --scale 2 --workers 2
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any, TypeVar

import cv2
import numpy as np
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..folder import INDEX
from ..folder_writer import Answer, write_index, write_picture
from .instructions import Question, questions
from .paraphrases import wordings
from .scene import Scene
from .store import complete_shards, write_shard
from .visible import MIN_PIXELS

TRAIN_SEEDS = range(0, 1_000_000)
VALIDATION_SEEDS = range(1_000_000, 2_000_000)
TEST_SEEDS = range(2_000_000, 3_000_000)
SPLITS = {"train": TRAIN_SEEDS, "validation": VALIDATION_SEEDS, "test": TEST_SEEDS}
"""Scene seeds of each split; nothing is trained on seeds from 1,000,000 on, nor on their object pools."""

INSTANCES = ("known", "new")
"""Worlds that scenes can be made from: that of training, and `held_out`, which it never draws from."""

WORDINGS = ("usual", "paraphrased")
"""Ways to ask: as validation does; or in plain words and then in words that training never uses."""

SHARD_SCENES = 250
FOLDER_CHUNK = 25
STORE_SIZE = (256, 192)
"""(width, height) of the views of a store, and of those that questions are decided on."""

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


@dataclass(frozen=True)
class _ShardTask:
    stem: Path
    seeds: range
    size: tuple[int, int]


def _render_shard(task: _ShardTask) -> None:
    from .renderer import VIEWS, TabletopRenderer

    seeds = task.seeds
    renderer = TabletopRenderer(task.size)
    try:
        scenes = [scene for seed in seeds for scene in renderer.render(seed)]
    finally:
        renderer.close()
    write_shard(
        task.stem, scenes, [seed for seed in seeds for _ in range(VIEWS)], [*range(VIEWS)] * len(seeds)
    )


def write_store(
    folder: Path, split: str, scenes: int, workers: int = 1, apart: int = 1, scale: int = 1
) -> list[Path]:
    """Render scenes into shards and return the stems of all that the split now has.

    Finished shards are kept, so that an interrupted call can be repeated, and can be read while it goes on.

    Args:
        folder: of the store; made if missing.
        split: "train", "validation" or "test"; each has seeds of its own.
        scenes: how many, rounded up to whole shards; each gives two views.
        workers: processes.
        apart: of a scene's seed from the next. Scenes whose seeds are near share a pool of objects, so that
            5 gives five times the objects.
        scale: of the views, times `STORE_SIZE`.

    Raises:
        ValueError: the split has not so many seeds.
    """
    seeds = SPLITS[split]
    shards = -(-scenes // SHARD_SCENES)
    if shards * SHARD_SCENES * apart > len(seeds):
        raise ValueError(f"expected at most {len(seeds) // apart} scenes {apart} apart, got {scenes}")
    folder.mkdir(parents=True, exist_ok=True)
    step = SHARD_SCENES * apart
    wanted = {
        folder / f"{split}-{shard:05d}": seeds[shard * step : (shard + 1) * step : apart]
        for shard in range(shards)
    }
    finished = set(complete_shards(folder))
    size = STORE_SIZE[0] * scale, STORE_SIZE[1] * scale
    missing = [_ShardTask(stem, seeds, size) for stem, seeds in wanted.items() if stem not in finished]
    for _ in in_processes(_render_shard, missing, workers, f"rendering {split} shards"):
        pass  # each shard is on disk when it is done
    return [stem for stem in complete_shards(folder) if stem.name.startswith(f"{split}-")]


def write_folder(
    output: Path,
    scenes: int,
    seed: int = TEST_SEEDS.start,
    size: tuple[int, int] = (640, 480),
    workers: int = 1,
    questions_per_view: int = 3,
    instances: str = "known",
    wording: str = "usual",
) -> int:
    """Render scenes with depth into the folder format and return the number of entries.

    Args:
        output: folder; made if missing, must not have an index yet.
        scenes: how many; each gives two views.
        seed: of the first scene; see `SPLITS`.
        size: (width, height) of the pictures.
        workers: processes; the result does not depend on it.
        questions_per_view: how many instructions are asked about each view, at most.
        instances: a name of `INSTANCES`.
        wording: a name of `WORDINGS`; the questions are the same.

    Raises:
        FileExistsError: `output` has an index.
        ValueError: there are no such instances or wordings.
    """
    for name, names in ((instances, INSTANCES), (wording, WORDINGS)):
        if name not in names:
            raise ValueError(f"expected one of {', '.join(names)}, got {name!r}")
    start_folder(output)
    tasks = [
        _FolderTask(
            output,
            range(start, min(start + FOLDER_CHUNK, seed + scenes)),
            size,
            questions_per_view,
            instances,
            wording,
        )
        for start in range(seed, seed + scenes, FOLDER_CHUNK)
    ]
    done = dict(in_processes(_render_folder_part, tasks, workers, f"rendering {scenes} scenes"))
    entries = [entry for task in tasks for entry in done[task]]
    write_index(output, entries)
    return len(entries)


def start_folder(output: Path) -> None:
    """Make a folder for `write_view`; raise `FileExistsError` where one with an index is."""
    if (output / INDEX).exists():
        raise FileExistsError(f"{output / INDEX} exists; choose another folder or remove this one")
    output.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class _FolderTask:
    output: Path
    seeds: range
    size: tuple[int, int]
    questions_per_view: int
    instances: str
    wording: str


def _render_folder_part(task: _FolderTask) -> list[dict[str, Any]]:
    from .held_out.world import NEW
    from .renderer import TabletopRenderer
    from .world import KNOWN

    renderer = TabletopRenderer(task.size, world=NEW if task.instances == "new" else KNOWN)
    entries = []
    try:
        for seed in task.seeds:
            for view, scene in enumerate(renderer.render(seed)):
                entries += write_view(task.output, scene, seed, view, task.questions_per_view, task.wording)
    finally:
        renderer.close()
    return entries


def write_view(
    folder: Path, scene: Scene, seed: int, view: int, count: int, wording: str = "usual"
) -> list[dict[str, Any]]:
    """Ask up to `count` questions about view 0 or 1 of scene `seed`; return the entries for `write_index`.

    With the wording "paraphrased" each question has several entries that share their `question`.
    """
    asked = clear_questions(scene, Random(2 * seed + view), count)
    name = f"{seed:07d}_{view}"
    answers = [Answer(question.text, question.targets, question.tag) for question in asked]
    if wording == "paraphrased":
        rng = Random(f"{name} paraphrased")
        said = [wordings(question, rng) for question in asked]
        answers = [
            Answer(each.text, question.targets, each.type)
            for question, texts in zip(asked, said, strict=True)
            for each in texts
        ]
    entries = write_picture(
        folder,
        name,
        scene.image,
        {item.instance: scene.instances == item.instance for item in scene.objects},
        answers,
        scene.depth,
        scene.intrinsics,
    )
    if wording == "paraphrased":
        numbers = [number for number, texts in enumerate(said) for _ in texts]
        for entry, number in zip(entries, numbers, strict=True):
            entry["question"] = f"{name}_{number}"
    return entries


def clear_questions(scene: Scene, random: Random, count: int) -> list[Question]:
    """Return up to `count` questions to which every object in view is clearly a yes or a no.

    What is too small to be asked about is decided at the store's resolution, whatever the picture's.
    """
    instances = cv2.resize(scene.instances, STORE_SIZE, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    asked = questions(scene.objects, instances, random, 4 * count, split="validation")
    visible = {i.instance for i in scene.objects if (instances == i.instance).sum() >= MIN_PIXELS}
    unique = {question.text: question for question in asked if visible.isdisjoint(question.ignored)}
    return list(unique.values())[:count]


def main(
    folder: Annotated[Path, typer.Argument(help="where the shards go")],
    scenes: Annotated[int, typer.Option(min=1, help="scenes; each gives two views")] = 12_000,
    split: Annotated[str, typer.Option(help="train, validation or test")] = "train",
    workers: Annotated[int, typer.Option(min=1, help="processes")] = 1,
    apart: Annotated[int, typer.Option(min=1, help="seeds from scene to scene; more are more objects")] = 1,
    scale: Annotated[int, typer.Option(min=1, max=8, help="of the views, times 256x192")] = 1,
) -> None:
    """Render a training store."""
    if split not in SPLITS:
        raise typer.BadParameter(f"expected one of {', '.join(SPLITS)}, got {split!r}")
    stems = write_store(folder, split, scenes, workers, apart, scale)
    print(f"{len(stems)} shards of {2 * SHARD_SCENES} views in {folder}")


if __name__ == "__main__":
    typer.run(main)
