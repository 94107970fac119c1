"""`ivm-ros train`: models on data, in the shared loop; each model's own options are named apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.console import Console

_Folders = Optional[list[Path]]  # noqa: UP045 - typer reads these at run time, on Python 3.10 too
_Texts = Optional[list[str]]  # noqa: UP045
_File = Optional[Path]  # noqa: UP045
_Whole = Optional[int]  # noqa: UP045
_Number = Optional[float]  # noqa: UP045
_IVM, _INSTANCEVG, _TINY = "Of ivm alone", "Of instancevg alone", "Of ivm-tiny alone"
_STORES = "Of instancevg and ivm-tiny"
_OWNERS = {
    _IVM: ("ivm",),
    _INSTANCEVG: ("instancevg",),
    _TINY: ("ivm-tiny",),
    _STORES: ("instancevg", "ivm-tiny"),
}


def train(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="Folder of the run.")],
    model: Annotated[str, typer.Option(help="ivm, instancevg or ivm-tiny.")] = "ivm",
    checkpoint: Annotated[
        _File,
        typer.Option(help="Where to start: a model's files or folder; of ivm, SAM's and LLaVA's are enough."),
    ] = None,
    data: Annotated[
        _Texts,
        typer.Option(help="Folder with an index.jsonl (of ivm: people's labels); may be repeated."),
    ] = None,
    validation: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Folder with an index.jsonl to score on (of ivm: people's labels)."),
    ] = None,
    steps: Annotated[_Whole, typer.Option(min=1, help="Of the optimizer; else the model's own.")] = None,
    batch: Annotated[
        _Whole, typer.Option(min=1, help="Samples a batch of one process; else the model's own.")
    ] = None,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches a step.")] = 1,
    rate: Annotated[
        _Number, typer.Option(min=0.0, help="Highest learning rate; else the model's own.")
    ] = None,
    bf16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = False,
    device: Annotated[str, typer.Option(help="auto, or cpu.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read data.")] = 2,
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 0,
    save_every: Annotated[
        _Whole, typer.Option(min=1, help="Steps between checkpoints; else the model's own.")
    ] = None,
    score_every: Annotated[
        _Whole, typer.Option(min=1, help="Steps between scores and pictures; else the model's own.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the run's checkpoint.")] = False,
    stage: Annotated[
        str, typer.Option(help="discriminator, or generator: what finds masks.", rich_help_panel=_IVM)
    ] = "generator",
    mix: Annotated[
        _File, typer.Option(help="IVM-Mix-1M, unzipped (docs/datasets.md).", rich_help_panel=_IVM)
    ] = None,
    machine_data: Annotated[
        _Folders, typer.Option(help="As --data, of machines' labels.", rich_help_panel=_IVM)
    ] = None,
    validation_machine: Annotated[
        _File,
        typer.Option(
            help="As --validation, of machines' labels; for the discriminator.", rich_help_panel=_IVM
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(help="How much labels count: two-stage, joint, label or none.", rich_help_panel=_IVM),
    ] = "two-stage",
    discriminator: Annotated[
        _File, typer.Option(help="A discriminator.safetensors of the first stage.", rich_help_panel=_IVM)
    ] = None,
    trust_humans: Annotated[
        bool, typer.Option(help="People's labels count 1.", rich_help_panel=_IVM)
    ] = False,
    trainable: Annotated[
        str,
        typer.Option("--train", help="adapters, as published; all, for small models.", rich_help_panel=_IVM),
    ] = "adapters",
    precision: Annotated[
        str,
        typer.Option(
            help="Of what rests: auto, float32, bfloat16, float16, 8bit or 4bit.", rich_help_panel=_IVM
        ),
    ] = "auto",
    root: Annotated[
        _File,
        typer.Option(
            help="Folder that published datasets lie in; --data and --validation then are NAME:SPLIT.",
            rich_help_panel=_INSTANCEVG,
        ),
    ] = None,
    store: Annotated[
        _File,
        typer.Option(
            help="Rendered views to train on as well; instancevg's scores without --validation are of them.",
            rich_help_panel=_STORES,
        ),
    ] = None,
    held_out: Annotated[
        int, typer.Option(min=1, help="Most samples to score on.", rich_help_panel=_INSTANCEVG)
    ] = 200,
    size: Annotated[
        str,
        typer.Option(
            help="Without --checkpoint: base, large, or small, from chance.", rich_help_panel=_INSTANCEVG
        ),
    ] = "base",
    encoder: Annotated[
        _File,
        typer.Option(
            help="BEiT-3's file, beit3.spm beside it, to start base or large from.",
            rich_help_panel=_INSTANCEVG,
        ),
    ] = None,
    encoder_rate: Annotated[
        _Number,
        typer.Option(
            min=0.0,
            help="Of the encoder; else --rate, a tenth of it where it is pretrained.",
            rich_help_panel=_INSTANCEVG,
        ),
    ] = None,
    layer_decay: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="A layer's rate, as a share of the next one's.",
            rich_help_panel=_INSTANCEVG,
        ),
    ] = 1.0,
    schedule: Annotated[
        str, typer.Option(help="stairs, as published, or cosine.", rich_help_panel=_INSTANCEVG)
    ] = "stairs",
    clip: Annotated[
        float, typer.Option(min=0.0, help="Highest norm of the gradient.", rich_help_panel=_INSTANCEVG)
    ] = 0.15,
    average: Annotated[
        float,
        typer.Option(
            min=0.0, help="Decay of the weights' moving average; 0: none.", rich_help_panel=_INSTANCEVG
        ),
    ] = 0.0,
    equal_layers: Annotated[
        bool,
        typer.Option(help="Repair: all decoder layers' boxes count alike.", rich_help_panel=_INSTANCEVG),
    ] = False,
    amsgrad: Annotated[
        bool,
        typer.Option(help="Adam's steps only ever shrink, as published.", rich_help_panel=_INSTANCEVG),
    ] = True,
    concepts: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Weight of learning each patch's kind and colour too; with --store alone.",
            rich_help_panel=_INSTANCEVG,
        ),
    ] = 0.0,
    concepts_first: Annotated[
        int,
        typer.Option(
            min=0, help="Steps at the beginning that learn those alone.", rich_help_panel=_INSTANCEVG
        ),
    ] = 0,
    best: Annotated[
        str,
        typer.Option(help="Score that the best weights are kept by.", rich_help_panel=_INSTANCEVG),
    ] = "giou",
    pull: Annotated[
        float,
        typer.Option(min=0.0, help="Of the weights to where they started.", rich_help_panel=_TINY),
    ] = 1e-3,
    negatives: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of the questions that are other pictures' words, taken as not there.",
            rich_help_panel=_TINY,
        ),
    ] = 0.0,
    flips: Annotated[
        bool,
        typer.Option(help="Mirror pictures; left and right are swapped in the words.", rich_help_panel=_TINY),
    ] = True,
    also: Annotated[
        _Folders,
        typer.Option(
            help="Folder that is scored before and after as well; may be repeated.", rich_help_panel=_TINY
        ),
    ] = None,
) -> None:
    """Train a model: docs/training_ivm.md, _instancevg.md, _ivm_tiny.md; needs the extra "train"."""
    if model not in _TRAINERS:
        raise ValueError(
            f"expected a model that this trains, {', '.join(_TRAINERS)}; got {model!r} (docs/models.md)"
        )
    wanted = {name: value for name, value in context.params.items() if name not in _others(context, model)}
    scores = _TRAINERS[model](wanted)
    console = Console()
    shown = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    console.print(f"trained{': ' + shown if shown else ''}", highlight=False, soft_wrap=True)
    console.print(f"written to {output / _RESULT.get(model, 'last')}", highlight=False, soft_wrap=True)


def _others(context: typer.Context, model: str) -> set[str]:
    """Return the options of other models; raise `ValueError` where one of them was given."""
    names = set()
    for option in context.command.params:
        owners = _OWNERS.get(getattr(option, "rich_help_panel", None) or "", (model,))
        name = option.name or ""
        if model in owners:
            continue
        names.add(name)
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":  # typer's own click is not click's
            raise ValueError(
                f"expected options of {model}, got {option.opts[0]}, which is of {owners[0]} alone"
            )
    return names


def _given(wanted: Mapping[str, Any], without: tuple[str, ...]) -> dict[str, Any]:
    """Return the options that are not left to the model, but for those named."""
    return {name: value for name, value in wanted.items() if value is not None and name not in without}


def _train_ivm(wanted: Mapping[str, Any]) -> dict[str, float]:
    from ivm_ros.training.ivm.run import IvmTraining, run_training

    if wanted["checkpoint"] is None:
        raise ValueError("expected --checkpoint with SAM's and LLaVA's files or a converted folder, got none")
    own = _given(wanted, ("model", "data", "machine_data", "validation"))
    validation = wanted["validation"]
    return run_training(
        IvmTraining(
            **own,
            human=[Path(folder) for folder in wanted["data"] or ()],
            machine=wanted["machine_data"] or (),
            validation=None if validation is None else Path(validation),
        )
    )


def _train_instancevg(wanted: Mapping[str, Any]) -> dict[str, float]:
    from ivm_ros.training.instancevg.run import InstanceVgTraining, run_training
    from ivm_ros.training.samples import HeldOut, open_held_out, open_sources

    data, root, store = wanted["data"] or (), wanted["root"], wanted["store"]
    sources = open_sources(data, root, store)
    judged = open_held_out(wanted["validation"], root, store)
    own = _given(wanted, ("model", "data", "validation", "root", "store", "held_out"))
    held_out = None if judged is None else HeldOut(judged, wanted["held_out"])
    return run_training(InstanceVgTraining(**own), sources, held_out)


def _train_tiny(wanted: Mapping[str, Any]) -> dict[str, float]:
    from ivm_ros.training.ivm_tiny.finetune import TinyTuning, run_tuning

    folders = list(wanted["data"] or ())
    if len(folders) != 1:
        raise ValueError(
            f"expected one --data with your own pictures (docs/labelling.md), got {len(folders)}; from "
            "chance, ivm-tiny is trained by python -m ivm_ros.training.ivm_tiny.train (docs/models.md)"
        )
    validation = wanted["validation"]
    own = _given(wanted, ("model", "data", "validation"))
    return run_tuning(TinyTuning(**own), Path(folders[0]), None if validation is None else Path(validation))


_TRAINERS: dict[str, Callable[[Mapping[str, Any]], dict[str, float]]] = {
    "ivm": _train_ivm,
    "instancevg": _train_instancevg,
    "ivm-tiny": _train_tiny,
}

_RESULT = {"ivm-tiny": "best.safetensors, report.html"}
"""What a run's output is, where it is not the folder `last`."""
