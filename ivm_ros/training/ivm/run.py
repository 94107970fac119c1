"""IVM's training from files to files: both stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ivm_ros.models.ivm.precision import pick_precision
from ivm_ros.training.batches import Batches, Items
from ivm_ros.training.ivm.data import Labels, open_labels
from ivm_ros.training.ivm.dwsl import VARIANTS
from ivm_ros.training.ivm.export import read_discriminator, write_discriminator, write_trained, write_whole
from ivm_ros.training.ivm.samples import Labelled, Preparation, collator
from ivm_ros.training.ivm.scores import HeldOut, judge_scores, mask_scores, mask_sheet
from ivm_ros.training.ivm.start import Start, prepare_discriminator, prepare_generator, read_start
from ivm_ros.training.ivm.tasks import DiscriminatorTask, GeneratorTask
from ivm_ros.training.loop import Hooks, LoopSettings, cosine, train

STAGES = ("discriminator", "generator")


@dataclass(frozen=True)
class IvmTraining:
    """One run of one stage.

    Attributes:
        stage: of `STAGES`.
        checkpoint: folder to start from: SAM's and LLaVA's released files, perhaps with IVM's own, or one
            that `convert` made.
        output: folder of the run.
        human: folders in the folder format whose labels people made.
        machine: folders in the folder format whose labels machines made.
        mix: IVM-Mix-1M, unzipped, which has both; None without.
        validation: folder in the folder format to score on, of people's labels; None without scores.
        validation_machine: the same of machines' labels; the discriminator's scores need both.
        weights: how labels are weighed, a name of `dwsl.VARIANTS`; of the generator.
        discriminator: a trained discriminator's file, for weights that need one.
        trust_humans: people's labels count 1, whatever the discriminator says.
        trainable: "adapters", as published, or "all", for small models.
        steps: of the optimizer.
        batch: labels a batch of one process.
        accumulate: batches a step.
        rate: highest learning rate.
        decay: weight decay.
        bf16: compute in bfloat16.
        precision: of what is not trained, as in `load`; what is trained is float32.
        device: "cpu", or "auto" for a GPU for each process, where there are any.
        workers: processes that read data.
        seed: of all chance.
        save_every: steps between checkpoints.
        score_every: steps between scores.
        reading: of a small discriminator, see `DiscriminatorTask`.
        mismatched: of a small discriminator, see `DiscriminatorTask`.
        resume: go on from the run's checkpoint.
    """

    stage: str
    checkpoint: Path
    output: Path
    human: Sequence[Path] = ()
    machine: Sequence[Path] = ()
    mix: Path | None = None
    validation: Path | None = None
    validation_machine: Path | None = None
    weights: str = "two-stage"
    discriminator: Path | None = None
    trust_humans: bool = False
    trainable: str = "adapters"
    steps: int = 100_000
    batch: int = 8
    accumulate: int = 1
    rate: float = 1e-4
    decay: float = 0.01
    bf16: bool = False
    precision: str = "auto"
    device: str = "auto"
    workers: int = 2
    seed: int = 0
    save_every: int = 500
    score_every: int = 1000
    reading: float = 0.0
    mismatched: float = 0.0
    resume: bool = False


def run_training(wanted: IvmTraining) -> dict[str, float]:
    """Train one stage of IVM; return its last scores.

    Raises:
        ValueError: an option is not one of those allowed, or data or a discriminator is missing.
        CheckpointError: a file is missing, unreadable, or does not fit.
    """
    if wanted.stage not in STAGES:
        raise ValueError(f"expected a stage of {', '.join(STAGES)}, got {wanted.stage!r}")
    if wanted.weights not in VARIANTS:
        raise ValueError(f"expected weights of {', '.join(VARIANTS)}, got {wanted.weights!r}")
    sources = _sources(wanted, open_labels(wanted.human, wanted.machine, wanted.mix))
    torch.manual_seed(wanted.seed)
    device = _device(wanted.device)
    start = read_start(wanted.checkpoint, pick_precision(_precision(wanted), device), device)
    prepare = partial(Preparation, config=start.ivm.config, tokenizer=start.tokenizer)
    batches = Batches(
        [prepare(source) for source in sources],
        collator(start.tokenizer),
        wanted.batch,
        wanted.seed,
        wanted.workers,
    )
    make = {"discriminator": _discriminator_stage, "generator": _generator_stage}[wanted.stage]
    held_out = _held_out(wanted, prepare)
    task, hooks, best = make(wanted, start, held_out)
    trained = [weight for weight in task.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=wanted.rate, weight_decay=wanted.decay, betas=(0.9, 0.98))
    settings = LoopSettings(
        output=wanted.output,
        steps=wanted.steps,
        accumulate=wanted.accumulate,
        bf16=wanted.bf16,
        device="cpu" if device.type == "cpu" else "auto",
        save_every=wanted.save_every,
        score_every=wanted.score_every,
        best=best if held_out is not None else "",
        title=wanted.stage,
    )
    about = {
        name: str(getattr(wanted, name))
        for name in (
            "stage",
            "weights",
            "trust_humans",
            "trainable",
            "rate",
            "decay",
            "reading",
            "mismatched",
        )
    }
    schedule = cosine(optimizer, wanted.steps)
    return train(task, batches, optimizer, schedule, settings, hooks, about, wanted.resume)


def _sources(wanted: IvmTraining, labels: Labels) -> list[Items[Labelled]]:
    """Return what batches are drawn from: people's and machines' labels half and half to learn to judge."""
    if wanted.stage == "generator" and VARIANTS[wanted.weights].discriminator != "joint":
        return [labels.all]
    if labels.human is None or labels.machine is None:
        absent = "people" if labels.human is None else "machines"
        raise ValueError(f"expected labels of people and of machines to tell apart, got none of {absent}")
    return [labels.human, labels.machine]


def _device(name: str) -> torch.device:
    """Return where this process's network goes: the same place that the loop finds."""
    if name not in ("auto", "cpu"):
        raise ValueError(f"expected auto or cpu, got {name!r}; choose GPUs by CUDA_VISIBLE_DEVICES")
    from accelerate import PartialState

    device: torch.device = PartialState(cpu=name == "cpu").device
    return device


def _precision(wanted: IvmTraining) -> str:
    return "float32" if wanted.trainable == "all" else wanted.precision


def _held_out(wanted: IvmTraining, prepare: Any) -> HeldOut | None:
    """Return the labels to score with: people's for masks; people's and machines' for the discriminator."""
    wants_both = wanted.stage == "discriminator"
    human, machine = wanted.validation, wanted.validation_machine if wants_both else None
    if human is None or (wants_both and machine is None):
        return None
    labels = open_labels([human], [machine] if machine is not None else [])
    return HeldOut(prepare(labels.all, crop=False))


def _discriminator_stage(
    wanted: IvmTraining, start: Start, held_out: HeldOut | None
) -> tuple[nn.Module, Hooks, str]:
    start.ivm.requires_grad_(False)
    discriminator = prepare_discriminator(start, wanted.trainable)
    discriminator.text_proj.requires_grad_(False)  # its condition is in no term of the loss
    task = DiscriminatorTask(discriminator, wanted.reading, wanted.mismatched)

    def export(module: nn.Module, path: Path) -> None:
        write_discriminator(discriminator, path)

    score = None if held_out is None else lambda module: judge_scores(task, held_out)
    return task, Hooks(score=score, export=export), "auc"


def _generator_stage(
    wanted: IvmTraining, start: Start, held_out: HeldOut | None
) -> tuple[nn.Module, Hooks, str]:
    discriminator = None
    if VARIANTS[wanted.weights].discriminator is not None:
        discriminator = prepare_discriminator(start, wanted.trainable)
        discriminator.text_proj.requires_grad_(False)
        if wanted.discriminator is not None:
            read_discriminator(discriminator, wanted.discriminator)
        elif VARIANTS[wanted.weights].discriminator == "frozen":
            raise ValueError(f'expected a discriminator\'s file for the weights "{wanted.weights}", got none')
    ivm = prepare_generator(start, wanted.trainable)  # last: its adapters are at work
    task = GeneratorTask(ivm, wanted.weights, discriminator, wanted.trust_humans)

    def export(module: nn.Module, path: Path) -> None:
        if wanted.trainable == "all":
            write_whole(ivm, start.tokenizer_file, path)
        else:
            write_trained(ivm, path)

    if held_out is None:
        return task, Hooks(export=export), ""
    return (
        task,
        Hooks(
            score=lambda module: mask_scores(task, held_out),
            draw=lambda module: mask_sheet(task, held_out),
            export=export,
        ),
        "giou",
    )
