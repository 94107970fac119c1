"""InstanceVG's training from data to files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import torch
from rich.progress import track
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import write_folder
from ivm_ros.models.instancevg.grounder import InstanceVgGrounder
from ivm_ros.models.registry import pick_device
from ivm_ros.training.batches import Batches
from ivm_ros.training.instancevg.concepts import CELLS
from ivm_ros.training.instancevg.examples import Preparation, collate
from ivm_ros.training.instancevg.losses import LossRules
from ivm_ros.training.instancevg.scores import scores, sheet
from ivm_ros.training.instancevg.start import SIZES, Start, from_chance, from_encoder, go_on_from
from ivm_ros.training.instancevg.task import InstanceVgTask
from ivm_ros.training.loop import CHECKPOINT, Hooks, LoopSettings, cosine, train
from ivm_ros.training.rates import layer_rate, rate_groups, stairs
from ivm_ros.training.samples import Source

SCHEDULES = ("stairs", "cosine")
_STAIRS = {True: (20, 3, 15), False: (10, 1, 7)}
"""Whether there is exactly one target -> published epochs, those of warm-up, and that of the drop."""

_PRETRAINED_SHARE = 0.1
"""Of the rate, for an encoder that knows something already; as published."""

_TEXTS = 1000  # that a small model's words are made of
_LAYER = re.compile(r"model\.backbone\.encoder\.layers\.(\d+)\.")
_LAST_NORM = "model.backbone.encoder.layer_norm."


@dataclass(frozen=True)
class InstanceVgTraining:
    """One run; defaults are the published ones where the authors had such a thing.

    Attributes:
        output: folder of the run.
        size: of `SIZES`, of a model that is started anew.
        checkpoint: an InstanceVG to go on from instead.
        encoder: BEiT-3's released file with `beit3.spm` beside it, for the sizes base and large.
        steps: of the optimizer.
        batch: samples a batch of one process.
        accumulate: batches a step.
        rate: highest learning rate, of the head.
        encoder_rate: of the encoder's last layer; None is `rate`, a tenth of it where that is pretrained.
        layer_decay: rate of each layer of the encoder as a share of that of the layer above.
        schedule: of `SCHEDULES`.
        clip: highest norm of the gradient.
        average: decay of the weights' moving average; 0 is none.
        equal_layers: repair, see `LossRules`.
        amsgrad: the optimizer's steps only ever shrink, as published.
        concepts: weight of the kind and colour of each patch, which rendered views have; 0 is none.
        concepts_first: steps at the beginning that learn those alone.
        best: score by which the best weights are kept.
        bf16: compute in bfloat16.
        device: as in `load`.
        workers: processes that read data.
        seed: of all chance.
        save_every: steps between checkpoints.
        score_every: steps between scores.
        resume: go on from the run's checkpoint.
    """

    output: Path
    size: str = "base"
    checkpoint: Path | None = None
    encoder: Path | None = None
    steps: int = 100_000
    batch: int = 16
    accumulate: int = 1
    rate: float = 5e-4
    encoder_rate: float | None = None
    layer_decay: float = 1.0
    schedule: str = "stairs"
    clip: float = 0.15
    average: float = 0.0
    equal_layers: bool = False
    amsgrad: bool = True
    concepts: float = 0.0
    concepts_first: int = 0
    best: str = "giou"
    bf16: bool = False
    device: str = "auto"
    workers: int = 2
    seed: int = 0
    save_every: int = 500
    score_every: int = 1000
    resume: bool = False


def run_training(
    wanted: InstanceVgTraining, sources: Sequence[Source], held_out: Dataset[Sample] | None = None
) -> dict[str, float]:
    """Train InstanceVG; return its last scores.

    Args:
        wanted: the run.
        sources: datasets with masks; a batch takes from them in turn.
        held_out: to score on; None without scores.

    Raises:
        ValueError: an option is not one of those allowed, or the data are not enough.
        CheckpointError: a file is missing, unreadable, or does not fit.
    """
    if wanted.schedule not in SCHEDULES:
        raise ValueError(f"expected a schedule of {', '.join(SCHEDULES)}; got {wanted.schedule!r}")
    device = pick_device(wanted.device)
    start = _start(wanted, sources)
    config = start.model.config
    single = config.head.queries == 1
    torch.manual_seed(wanted.seed)
    rules = LossRules(unmatched=0.0 if single else 0.2, equal_layers=wanted.equal_layers)
    task = InstanceVgTask(start.model, rules, wanted.concepts, wanted.concepts_first * wanted.accumulate)
    cells = config.grid * CELLS if wanted.concepts else 0
    batches = Batches(
        [Preparation(source, config.image_size, start.tokenizer, cells) for source in sources],
        collate,
        wanted.batch,
        wanted.seed,
        wanted.workers,
    )
    rate_of = partial(_rate_of, wanted, config.backbone.layers, start.pretrained)
    optimizer = Adam(rate_groups(task, rate_of), betas=(0.9, 0.98), eps=1e-9, amsgrad=wanted.amsgrad)
    settings = LoopSettings(
        output=wanted.output,
        steps=wanted.steps,
        accumulate=wanted.accumulate,
        clip=wanted.clip,
        bf16=wanted.bf16,
        average=wanted.average,
        device="cpu" if device.type == "cpu" else "auto",
        save_every=wanted.save_every,
        score_every=wanted.score_every,
        best=wanted.best if held_out is not None else "",
        title="instancevg",
    )
    names = ["rate", "encoder_rate", "layer_decay", "schedule", "clip", "equal_layers", "amsgrad"]
    names += ["concepts", "concepts_first"]
    about = {name: str(getattr(wanted, name)) for name in names}
    about["samples"] = "; ".join(source.identity for source in sources)
    hooks = _hooks(start, config, held_out)
    schedule = _schedule(wanted, optimizer, single)
    return train(task, batches, optimizer, schedule, settings, hooks, about, wanted.resume)


def _start(wanted: InstanceVgTraining, sources: Sequence[Source]) -> Start:
    if wanted.checkpoint is not None:
        return go_on_from(wanted.checkpoint)
    if wanted.size not in SIZES:
        raise ValueError(f"expected a size of {', '.join(SIZES)}; got {wanted.size!r}")
    config = SIZES[wanted.size]()
    if wanted.size == "small":
        return _small(wanted, config, sources)
    if wanted.encoder is None:
        raise ValueError(
            f"expected BEiT-3's file to start the size {wanted.size!r} from, or an InstanceVG to go on from; "
            "docs/training_instancevg.md says where to get them"
        )
    return from_encoder(wanted.encoder, config, wanted.seed)


def _small(wanted: InstanceVgTraining, config: InstanceVgConfig, sources: Sequence[Source]) -> Start:
    from accelerate import PartialState

    if wanted.encoder is not None:
        raise ValueError("expected no encoder for the size 'small', which has one of its own; got one")
    state = PartialState(cpu=pick_device(wanted.device).type == "cpu")
    with state.main_process_first():
        again = (wanted.output / CHECKPOINT).exists() or not state.is_main_process
        return from_chance(wanted.output / "start", config, _texts(sources), wanted.seed, again)


def _texts(sources: Sequence[Source]) -> Iterator[str]:
    """Yield instructions of the data, spread evenly; those of unusable samples are left out."""
    for source in sources:
        stride = max(1, len(source) * len(sources) // _TEXTS)
        for index in track(range(0, len(source), stride), "reading words"):
            try:
                yield source.item(index, Random(index)).instruction
            except ValueError:
                continue


def _rate_of(wanted: InstanceVgTraining, layers: int, pretrained: bool, name: str) -> float:
    """Return the highest rate of a weight by its name in the task."""
    if not name.startswith("model.backbone."):
        return wanted.rate
    rate = wanted.encoder_rate
    if rate is None:
        rate = wanted.rate * (_PRETRAINED_SHARE if pretrained else 1.0)
    if name.startswith(_LAST_NORM):
        return rate
    layer = _LAYER.match(name)
    return layer_rate(rate, wanted.layer_decay, layers if layer is None else layers - 1 - int(layer[1]))


def _schedule(wanted: InstanceVgTraining, optimizer: Optimizer, single: bool) -> LambdaLR:
    if wanted.schedule == "cosine":
        return cosine(optimizer, wanted.steps)
    return stairs(optimizer, wanted.steps, *_STAIRS[single])


def _hooks(start: Start, config: InstanceVgConfig, held_out: Dataset[Sample] | None) -> Hooks:
    def export(module: torch.nn.Module, path: Path) -> None:
        write_folder(path, config, start.model.state_dict(), start.words)

    if held_out is None:
        return Hooks(export=export)

    def grounder() -> InstanceVgGrounder:
        return InstanceVgGrounder(start.model, start.tokenizer)

    return Hooks(
        score=lambda module: scores(grounder(), held_out),
        draw=lambda module: sheet(grounder(), held_out),
        export=export,
    )
