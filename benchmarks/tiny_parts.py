"""What each part of ivm-tiny brings: the held-out sets with one part at a time switched off.

python benchmarks/tiny_parts.py FOLDER --json parts.json

FOLDER is that of `held_out_sets.py`. Nothing is trained again: a part that the rest has learned to lean on
costs more when it goes than it would have brought.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import torch
import typer
from held_out_sets import COLUMNS, measure, paraphrase_scores, scores
from rich.console import Console
from rich.table import Table

import ivm_ros
from ivm_ros.datasets.folder import INDEX
from ivm_ros.evaluation.report import shown
from ivm_ros.grounding import Grounder
from ivm_ros.models.ivm_tiny.glimpses import through
from ivm_ros.models.ivm_tiny.matcher import Wanted
from ivm_ros.models.ivm_tiny.model import IvmTiny

NOTHING = "nothing"
WORDS = ("kind word", "typo")
"""Types of paraphrases whose loss tells what the parts that read words bring."""
READERS = ("other words (lexicon)", "typos mended (spelling)")
"""These parts."""


@contextmanager
def _no_closer_look() -> Iterator[None]:
    def nothing(model: IvmTiny, glimpses: torch.Tensor, where: torch.Tensor, masks: torch.Tensor) -> Any:
        return torch.zeros(len(masks), model.config.channels)

    with patch.object(IvmTiny, "look_closer", nothing):
        yield


@contextmanager
def _coarse_masks() -> Iterator[None]:
    with patch.object(IvmTiny, "outline", lambda model, glimpses, where, masks: through(masks, where)):
        yield


@contextmanager
def _no_relations() -> Iterator[None]:
    from ivm_ros.models.ivm_tiny.matcher import PairAttention

    with patch.object(PairAttention, "forward", lambda layer, x, pairs, words, there: torch.zeros_like(x)):
        yield


@contextmanager
def _no_concepts() -> Iterator[None]:
    read = IvmTiny.read

    def flat(model: IvmTiny, texts: Any) -> Any:
        asked = read(model, texts)
        return asked._replace(target=Wanted(*map(torch.zeros_like, asked.target)))

    with patch.object(IvmTiny, "read", flat):
        yield


@contextmanager
def _words_as_they_are(name: str) -> Iterator[None]:
    with patch(f"ivm_ros.models.ivm_tiny.text.{name}", lambda word: word):
        yield


WITHOUT: dict[str, Callable[[], Any]] = {
    NOTHING: nullcontext,
    "closer look": _no_closer_look,
    "outlines": _coarse_masks,
    "looks at other objects": _no_relations,
    "concepts of the words": _no_concepts,
    READERS[0]: lambda: _words_as_they_are("read_as"),
    READERS[1]: lambda: _words_as_they_are("corrected"),
}
"""What is left out -> how; by PyTorch, whose parts can be taken out one by one."""


def _numbers(folder: Path, grounder: Grounder, console: Console, reworded: bool) -> dict[str, Any]:
    found = scores(measure(grounder, folder / "plain", console))
    if not reworded:
        return {**found, "loss": dict.fromkeys(WORDS)}
    lines = (folder / "paraphrased" / INDEX).read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["question"] for line in lines]
    by_type = paraphrase_scores(measure(grounder, folder / "paraphrased", console), asked)
    return {**found, "loss": {name: by_type[name]["loss"] for name in WORDS}}


def main(
    folder: Annotated[Path, typer.Argument(help="of the held-out sets")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="weights; those of the package if not given")
    ] = None,
    output: Annotated[Path | None, typer.Option("--json", help="file for the numbers")] = None,
) -> None:
    """Measure ivm-tiny without each of its parts."""
    console, rows = Console(stderr=True), {}
    for name, without in WITHOUT.items():
        with without():
            grounder = ivm_ros.load("ivm-tiny", checkpoint=checkpoint, device="cpu", engine="torch")
            rows[name] = _numbers(folder, grounder, console, name in (NOTHING, *READERS))
    table = Table(title="ivm-tiny without its parts", title_justify="left")
    table.add_column("without")
    for heading in (*COLUMNS.values(), *(f"loss: {name}" for name in WORDS)):
        table.add_column(heading, justify="right")
    for name, values in rows.items():
        lost = ["-" if loss is None else f"{100 * loss:.1f}" for loss in values["loss"].values()]
        title = name if name == NOTHING else f"- {name}"
        table.add_row(title, *(shown(values[key]) for key in COLUMNS), *lost)
    Console(width=max(110, Console().width)).print(table)
    if output is not None:
        output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
