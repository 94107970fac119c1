"""A model on the held-out sets: new layouts, new instances, a second renderer, and paraphrases.

python benchmarks/held_out_sets.py FOLDER --checkpoint ivm_tiny.safetensors --json scores.json

Sets that FOLDER does not have are rendered into it first, those that it has are used again. The paraphrased
set asks each question in plain words and then in others: its rows say how much is lost against the same
questions in plain words, in points, with the standard error of that difference.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import ivm_ros
from ivm_ros.datasets.folder import INDEX, Folder
from ivm_ros.datasets.tabletop.paraphrases import PLAIN, TYPES
from ivm_ros.datasets.tabletop.seeds import TEST_SEEDS
from ivm_ros.datasets.tabletop.write_folder import write_folder
from ivm_ros.evaluation.journal import Journal
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.evaluation.report import shown
from ivm_ros.evaluation.results import Result
from ivm_ros.evaluation.runner import evaluate
from ivm_ros.grounding import Grounder

COLUMNS = {
    "giou": "gIoU",
    "acc_50": "box Acc@0.5",
    "n_acc": "no-target acc",
    "t_acc": "kept",
    "relation": "relation Acc",
}
"""What is measured -> its heading. The last: the share of relations whose mask has an IoU of 0.5 or more."""

MADE = "made.json"
"""File in a set that says how it was made."""


@dataclass(frozen=True)
class Size:
    """How large a set is.

    Attributes:
        scenes: how many; each gives two views.
        questions: about each view, at most.
        workers: processes that render.
    """

    scenes: int
    questions: int
    workers: int


def _ours(instances: str, wording: str) -> Callable[[Path, Size], None]:
    def write(folder: Path, size: Size) -> None:
        write_folder(
            folder,
            size.scenes,
            TEST_SEEDS.start,
            workers=size.workers,
            questions_per_view=size.questions,
            instances=instances,
            wording=wording,
        )

    return write


def _second(folder: Path, size: Size) -> None:
    from pybullet_tabletop import main as draw  # asks for PyBullet, which nothing else needs

    draw(folder, size.scenes, 0, size.questions)


SETS: dict[str, Callable[[Path, Size], None]] = {
    "plain": _ours("known", "usual"),
    "instances": _ours("new", "usual"),
    "second": _second,
    "paraphrased": _ours("known", "paraphrased"),
}
"""Name of a set, and of its folder -> what makes it."""


def prepare(folder: Path, name: str, size: Size) -> Path:
    """Return the folder of a set; render it where there is none.

    Raises:
        ValueError: there is one of another size.
    """
    path = folder / name
    made = {"scenes": size.scenes, "questions": size.questions}
    if (path / INDEX).exists():
        file = path / MADE
        there = json.loads(file.read_text(encoding="utf-8")) if file.exists() else "unknown options"
        if there != made:
            raise ValueError(f"expected {path} to be made with {made}, got {there}; choose another folder")
        return path
    path.mkdir(parents=True, exist_ok=True)
    SETS[name](path, size)
    (path / MADE).write_text(json.dumps(made) + "\n", encoding="utf-8")
    return path


def measure(grounder: Grounder, path: Path, console: Console) -> list[Result]:
    """Return the result of every question of a set, in its order."""
    dataset = Folder(path)
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder) / "samples.jsonl", {"dataset": str(path)}, range(len(dataset))) as journal,
    ):
        evaluate(grounder, dataset, console, journal)
        return [entry for entry in journal.entries() if isinstance(entry, Result)]


def scores(results: Iterable[Result]) -> dict[str, Any]:
    """Return the number of results and `COLUMNS` of them; None where no result defines one."""
    together, relations = Metrics(), Metrics()
    for result in results:
        together.merge_state(result.metrics)
        if result.tag == "relation":
            relations.merge_state(result.metrics)
    fractions = {**together.fractions(), "relation": relations.fractions()["pr_50"]}
    return {"samples": together.samples, **{name: fractions[name] for name in COLUMNS}}


def paraphrase_scores(results: Sequence[Result], questions: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the scores of each type of paraphrase beside those of the same questions in plain words.

    Args:
        results: of the paraphrased set.
        questions: which question each of them asks.

    Returns:
        Type -> `scores`, and under "plain" those of its questions in plain words; "loss" is how much lower
        gIoU is, "loss_error" the standard error of that.
    """
    plain = {
        question: result for question, result in zip(questions, results, strict=True) if result.tag == PLAIN
    }
    by_type: dict[str, list[tuple[Result, Result]]] = defaultdict(list)
    for question, result in zip(questions, results, strict=True):
        if result.tag in TYPES:
            by_type[result.tag].append((plain[question], result))
    found = {}
    for name in filter(by_type.__contains__, TYPES):
        before, after = zip(*by_type[name], strict=True)
        lost = np.array([one.score - two.score for one, two in by_type[name] if one.present])
        error = float(lost.std(ddof=1) / np.sqrt(len(lost))) if len(lost) > 1 else None
        loss = float(lost.mean()) if len(lost) else None
        found[name] = {**scores(after), "plain": scores(before), "loss": loss, "loss_error": error}
    return found


def table(found: dict[str, Any], title: str) -> Table:
    """Return all scores as one table; `found` is what `main` writes as JSON."""
    result = Table(title=title, title_justify="left")
    for heading in ("set", "questions", *COLUMNS.values(), "loss of gIoU"):
        result.add_column(heading, justify="left" if heading == "set" else "right")

    def row(name: str, values: dict[str, Any], loss: str = "") -> None:
        result.add_row(name, str(values["samples"]), *(shown(values[key]) for key in COLUMNS), loss)

    for name, values in found["sets"].items():
        row(name, values)
    result.add_section()
    for name, values in found["paraphrases"].items():
        points = "-"
        if values["loss"] is not None:
            points = f"{100 * values['loss']:.1f}"
            points += "" if values["loss_error"] is None else f" ± {100 * values['loss_error']:.1f}"
        row(f"{name}, plain", values["plain"])
        row(name, values, points)
    return result


def main(
    folder: Annotated[Path, typer.Argument(help="of the sets; what is missing is rendered")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="weights; those of the package if not given")
    ] = None,
    model: Annotated[str, typer.Option(help="name of the model")] = "ivm-tiny",
    device: Annotated[str, typer.Option(help="auto, cpu or as torch names it")] = "auto",
    engine: Annotated[str | None, typer.Option(help="of a model that has several: torch or onnx")] = None,
    scenes: Annotated[int, typer.Option(min=1, help="of each set; each gives two views")] = 200,
    questions: Annotated[int, typer.Option(min=1, help="about each view, at most")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="processes that render")] = 1,
    sets: Annotated[str, typer.Option(help="names with commas between them")] = ",".join(SETS),
    output: Annotated[Path | None, typer.Option("--json", help="file for the numbers")] = None,
) -> None:
    """Measure a model on the held-out sets."""
    names = sets.split(",")
    unknown = [name for name in names if name not in SETS]
    if unknown:
        raise typer.BadParameter(f"expected sets of {', '.join(SETS)}, got {', '.join(unknown)}")
    size, console = Size(scenes, questions, workers), Console(stderr=True)
    paths = {name: prepare(folder, name, size) for name in names}
    options = {} if engine is None else {"engine": engine}
    grounder = ivm_ros.load(model, checkpoint=checkpoint, device=device, **options)
    found: dict[str, Any] = {"model": model, "sets": {}, "paraphrases": {}}
    for name, path in paths.items():
        results = measure(grounder, path, console)
        if name == "paraphrased":
            lines = (path / INDEX).read_text(encoding="utf-8").splitlines()
            found["paraphrases"] = paraphrase_scores(
                results, [json.loads(line)["question"] for line in lines]
            )
        else:
            found["sets"][name] = scores(results)
    wide = Console(width=max(110, Console().width))  # a pipe would cut headings
    wide.print(table(found, f"{model} on held-out sets"))
    if output is not None:
        output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
