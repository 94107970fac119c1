"""Work for several processes, as it is done, under a progress bar."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
