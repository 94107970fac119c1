"""Scenes in the folder format: pictures with depth, and what is asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np

from ..folder import INDEX
from ..folder_writer import Answer, write_index, write_picture
from .generate import STORE_SIZE
from .instructions import Question, questions
from .paraphrases import wordings
from .processes import in_processes
from .scene import Scene
from .seeds import TEST_SEEDS
from .visible import MIN_PIXELS

INSTANCES = ("known", "new")
"""Worlds that scenes can be made from: that of training, and `held_out`, which it never draws from."""

WORDINGS = ("usual", "paraphrased")
"""Ways to ask: as validation does; or in plain words and then in words that training never uses."""

_CHUNK = 25  # scenes that a process renders at a time


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
            range(start, min(start + _CHUNK, seed + scenes)),
            size,
            questions_per_view,
            instances,
            wording,
        )
        for start in range(seed, seed + scenes, _CHUNK)
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
