"""How well a model answers each instruction of the recorded clip, over all its frames.

python benchmarks/clip_instructions.py --checkpoint WEIGHTS --json FILE
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

import ivm_ros
from ivm_ros.clip import Clip, load_clip
from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.grounding import Grounder


def measure(grounder: Grounder, clip: Clip, every: int) -> dict[str, list[float]]:
    """Return the mask IoU of each instruction on every so-manieth frame; 1 where nothing is rightly said."""
    scores: dict[str, list[float]] = {text: [] for text in clip.instructions}
    for frame, image in track(enumerate(clip.frames()), "asking", total=len(clip)):
        if frame % every:
            continue
        answers = grounder.ground_many(grounder.encode(image), list(scores))
        for text, answer in zip(scores, answers, strict=True):
            intersection, union = mask_overlap(answer.mask, clip.truth(frame, text))
            scores[text].append(intersection / union if union else 1.0)
    return scores


def main(
    model: Annotated[str, typer.Option(help="As in `ivm-ros ground`.")] = "ivm-tiny",
    checkpoint: Annotated[Optional[Path], typer.Option(help="Other weights.")] = None,  # noqa: UP045
    every: Annotated[int, typer.Option(min=1, help="Ask on each so-manieth frame.")] = 1,
    json_file: Annotated[Optional[Path], typer.Option("--json", help="For the numbers.")] = None,  # noqa: UP045
) -> None:
    """Ask all instructions of the clip."""
    scores = measure(ivm_ros.load(model, checkpoint=checkpoint, device="cpu"), load_clip(), every)
    table = Table("instruction", "frames", "mean IoU", "frames over 0.5")
    for text, values in scores.items():
        over = float(np.mean(np.array(values) > 0.5))
        table.add_row(text, str(len(values)), f"{np.mean(values):.3f}", f"{over:.2f}")
    Console().print(table)
    if json_file is not None:
        means = {text: float(np.mean(values)) for text, values in scores.items()}
        json_file.write_text(json.dumps(means, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
