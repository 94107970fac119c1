"""Fine-tuning of ivm-tiny on a user's own pictures, from data to weights and a before/after report."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.fingerprint import fingerprint
from ivm_ros.evaluation.page.picture import draw_case
from ivm_ros.evaluation.report import Report
from ivm_ros.evaluation.results import measure
from ivm_ros.grounding import Grounder, Image
from ivm_ros.models.ivm_tiny.grounder import WEIGHTS, Calibration, TinyGrounder, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.registry import pick_device
from ivm_ros.training.batches import Batches
from ivm_ros.training.ivm_tiny.before_after import SHOWN, finish
from ivm_ros.training.ivm_tiny.folder_parts import open_folder, split
from ivm_ros.training.ivm_tiny.own_batch import Collate, RenderedViews
from ivm_ros.training.ivm_tiny.own_pictures import OwnPictures
from ivm_ros.training.ivm_tiny.tuning import TuningTask
from ivm_ros.training.loop import Hooks, LoopSettings, cosine, train
from ivm_ros.training.rates import rate_groups

EPOCHS = 8
"""How often each picture is seen, where no steps are given."""

_FEWEST_STEPS = 100
_SCORES = 4  # in a run
_PANELS, _SIDE = 6, 240


@dataclass(frozen=True)
class TinyTuning:
    """One run.

    Attributes:
        output: folder of the run.
        checkpoint: weights of ivm-tiny to start from; None for those of the package.
        steps: of the optimizer; None for `EPOCHS` times all pictures, at least 100 steps.
        batch: pictures a batch of one process; with `store` as many rendered views besides.
        accumulate: batches a step.
        rate: highest learning rate; the image encoder's is `encoder_share` of it.
        encoder_share: see there.
        pull: of the weights to where they started, see `TuningTask`.
        average: decay of the weights' moving average.
        questions: about each picture.
        negatives: share of the questions that are other pictures' words, see `OwnPictures`.
        flips: mirror pictures.
        store: of rendered views that are trained on as well; None: none.
        also: folders that are scored before and after besides, such as what must not be forgotten.
        bf16: compute in bfloat16.
        device: as in `load`.
        workers: processes that read data.
        seed: of all chance.
        save_every: steps between checkpoints; None for a quarter of all.
        score_every: steps between scores; None for a quarter of all.
        resume: go on from the run's checkpoint.
    """

    output: Path
    checkpoint: Path | None = None
    steps: int | None = None
    batch: int = 8
    accumulate: int = 1
    rate: float = 3e-4
    encoder_share: float = 0.3
    pull: float = 1e-3
    average: float = 0.98
    questions: int = 3
    negatives: float = 0.0
    flips: bool = True
    store: Path | None = None
    also: Sequence[Path] = ()
    bf16: bool = False
    device: str = "auto"
    workers: int = 0
    seed: int = 0
    save_every: int | None = None
    score_every: int | None = None
    resume: bool = False


def run_tuning(wanted: TinyTuning, data: Path, validation: Path | None = None) -> dict[str, float]:
    """Fine-tune ivm-tiny, write best and last weights and the report; return the scores of the best.

    Args:
        wanted: the run.
        data: folder in the folder format.
        validation: another one, of other pictures; None holds the last fifth of the pictures out.

    Raises:
        ValueError: the data are not enough.
        CheckpointError: the weights cannot be read, or there is nothing to resume.
    """
    start = wanted.checkpoint or WEIGHTS
    model, calibration = load_weights(start)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device, size = pick_device(wanted.device), (model.config.width, model.config.height)
    folder = open_folder(data)
    pictures, held_out, name = split(folder, validation)
    own = OwnPictures(folder, pictures, size, wanted.questions, wanted.negatives, wanted.flips)
    others = [] if wanted.store is None else [RenderedViews(wanted.store)]
    sources: list[Any] = [own, *others]
    steps = wanted.steps or max(_FEWEST_STEPS, round(EPOCHS * len(own) / wanted.batch / wanted.accumulate))
    torch.manual_seed(wanted.seed)
    task = TuningTask(model, wanted.pull, bool(others))
    batches = Batches(
        sources,
        Collate(model.config, wanted.questions),
        wanted.batch * (1 + len(others)),
        wanted.seed,
        wanted.workers,
    )
    groups = rate_groups(
        task, lambda part: wanted.rate * (wanted.encoder_share if part.startswith("model.image.") else 1.0)
    )
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    settings = LoopSettings(
        output=wanted.output,
        steps=steps,
        accumulate=wanted.accumulate,
        clip=2.0,
        bf16=wanted.bf16,
        average=wanted.average,
        device="cpu" if device.type == "cpu" else "auto",
        save_every=wanted.save_every or max(1, steps // _SCORES),
        score_every=wanted.score_every or max(1, steps // _SCORES),
        best="giou",
        title="ivm-tiny",
    )
    names = ("rate", "encoder_share", "pull", "questions", "negatives", "flips")
    about = {option: str(getattr(wanted, option)) for option in names}
    about |= {"start": fingerprint(start), "pictures": "; ".join(part.identity for part in sources)}
    hooks = _hooks(model, calibration, held_out)
    train(task, batches, optimizer, cosine(optimizer, steps), settings, hooks, about, wanted.resume)
    if os.environ.get("RANK", "0") != "0":  # one process of several tells
        return {}
    about |= {"steps": str(steps), "batch": str(wanted.batch), "seed": str(wanted.seed)}
    return finish(wanted.output, start, device, held_out, name, wanted.also, about)


def _grounder(model: IvmTiny, calibration: Calibration) -> TinyGrounder:
    """Return a grounder of a copy, since a grounder folds its batch norms."""
    device = next(model.parameters()).device
    return TinyGrounder(copy.deepcopy(model).eval(), calibration, device)


def _hooks(model: IvmTiny, calibration: Calibration, held_out: Dataset[Sample]) -> Hooks:
    def score(module: nn.Module) -> dict[str, float]:
        return scores(_grounder(model, calibration), held_out)

    def draw(module: nn.Module) -> dict[str, Image]:
        return {"answers": _sheet(_grounder(model, calibration), held_out)}

    def export(module: nn.Module, path: Path) -> None:
        save_weights(model, path.with_suffix(".safetensors"), {"tuned": "on own pictures"}, calibration)

    return Hooks(score=score, draw=draw, export=export)


def scores(grounder: Grounder, held_out: Dataset[Sample]) -> dict[str, float]:
    """Return gIoU, cIoU, box Acc@0.5, no-target accuracy and targets kept, those that are defined."""
    report, image, features = Report(), None, None
    for index, sample in enumerate(held_out):
        if image is None or not np.array_equal(image, sample.image):
            image, features = sample.image, grounder.encode(sample.image)
        report.add(measure(index, sample, grounder.ground(features, sample.instruction)))
    found = report.overall.fractions()
    return {name: value for name in SHOWN if (value := found[name]) is not None}


def _sheet(grounder: Grounder, held_out: Dataset[Sample]) -> Image:
    panels = []
    for index in np.linspace(0, len(held_out) - 1, min(_PANELS, len(held_out))).astype(int).tolist():
        try:
            sample = held_out.read(index)
        except RecordError:
            continue
        drawn = draw_case(sample, grounder(sample.image, sample.instruction))
        panels.append(cv2.resize(drawn, (_SIDE, _SIDE)))
    return np.concatenate(panels, axis=1) if panels else np.zeros((_SIDE, _SIDE, 3), np.uint8)
