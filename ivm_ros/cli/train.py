"""`ivm-ros train`: the stages of IVM's training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console

TRAINED_HERE = ("ivm",)
"""Models that this command trains."""

_Folders = Optional[list[Path]]  # noqa: UP045 - typer reads it at run time, on Python 3.10 too
_File = Optional[Path]  # noqa: UP045


def train(
    output: Annotated[Path, typer.Option(help="Folder of the run.")],
    checkpoint: Annotated[
        Path,
        typer.Option(help="Where to start: SAM's and LLaVA's files, perhaps IVM's; or a converted folder."),
    ],
    model: Annotated[str, typer.Option(help="Name of the model.")] = "ivm",
    stage: Annotated[str, typer.Option(help="discriminator, or generator: what finds masks.")] = "generator",
    mix: Annotated[_File, typer.Option(help="IVM-Mix-1M, unzipped (docs/datasets.md).")] = None,
    data: Annotated[
        _Folders, typer.Option(help="Folder with an index.jsonl, of people's labels; may be repeated.")
    ] = None,
    machine_data: Annotated[_Folders, typer.Option(help="The same, of machines' labels.")] = None,
    validation: Annotated[
        _File, typer.Option(help="Folder with an index.jsonl to score on, of people's labels.")
    ] = None,
    validation_machine: Annotated[
        _File, typer.Option(help="The same, of machines' labels; for the discriminator.")
    ] = None,
    weights: Annotated[
        str, typer.Option(help="How much labels count: two-stage, joint, label or none.")
    ] = "two-stage",
    discriminator: Annotated[
        _File, typer.Option(help="A discriminator.safetensors of the first stage.")
    ] = None,
    trust_humans: Annotated[bool, typer.Option(help="People's labels count 1.")] = False,
    trainable: Annotated[
        str, typer.Option("--train", help="adapters, as published; all, for small models.")
    ] = "adapters",
    steps: Annotated[int, typer.Option(min=1)] = 100_000,
    batch: Annotated[int, typer.Option(min=1, help="Labels a batch of one process.")] = 8,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches a step.")] = 1,
    rate: Annotated[float, typer.Option(min=0.0, help="Highest learning rate.")] = 1e-4,
    bf16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = False,
    precision: Annotated[
        str, typer.Option(help="Of what rests: auto, float32, bfloat16, float16, 8bit or 4bit.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read data.")] = 2,
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 0,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
    score_every: Annotated[int, typer.Option(min=1, help="Steps between scores and pictures.")] = 1000,
    resume: Annotated[bool, typer.Option(help="Go on from the run's checkpoint.")] = False,
) -> None:
    """Train IVM: first its discriminator, then what finds masks (docs/training_ivm.md; extra "train")."""
    if model not in TRAINED_HERE:
        raise ValueError(
            f"expected a model that this trains, {', '.join(TRAINED_HERE)}; got {model!r} (docs/models.md)"
        )
    from ivm_ros.training.ivm.run import IvmTraining, run_training

    wanted = IvmTraining(
        stage=stage,
        checkpoint=checkpoint,
        output=output,
        human=data or (),
        machine=machine_data or (),
        mix=mix,
        validation=validation,
        validation_machine=validation_machine,
        weights=weights,
        discriminator=discriminator,
        trust_humans=trust_humans,
        trainable=trainable,
        steps=steps,
        batch=batch,
        accumulate=accumulate,
        rate=rate,
        bf16=bf16,
        precision=precision,
        device=device,
        workers=workers,
        seed=seed,
        save_every=save_every,
        score_every=score_every,
        resume=resume,
    )
    scores = run_training(wanted)
    console = Console()
    shown = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    console.print(f"trained{': ' + shown if shown else ''}", highlight=False, soft_wrap=True)
    console.print(f"written to {output / 'last'}", highlight=False, soft_wrap=True)
