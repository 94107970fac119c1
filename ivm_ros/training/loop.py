"""The training loop of every model: several GPUs, bf16, accumulation, checkpoints to resume from.

What is trained is a module whose forward takes a batch and returns the terms of its loss; the loop knows
nothing else about it. A resumed run goes on to the same numbers as one that was never interrupted: weights,
optimizer, learning rate, torch's random state and the position in the data are all in the checkpoint.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.grounding import Image
from ivm_ros.training.averaging import Average
from ivm_ros.training.batches import Batches, Drawn
from ivm_ros.training.journal import Journal
from ivm_ros.training.state import load_trained, random_state, set_random_state, trained_state

CHECKPOINT = "checkpoint.pt"
SKIPPED = "skipped.log"
TOTAL = "loss"
"""The term that is minimised; the others are shown."""

Score: TypeAlias = Callable[[nn.Module], Mapping[str, float]]
Draw: TypeAlias = Callable[[nn.Module], Mapping[str, Image]]
Export: TypeAlias = Callable[[nn.Module, Path], None]


@dataclass(frozen=True)
class LoopSettings:
    """Of one run.

    Attributes:
        output: folder of the run: checkpoint, log, pictures, exported weights.
        steps: of the optimizer.
        accumulate: batches a step.
        clip: highest norm of the gradient.
        bf16: compute in bfloat16 where that is safe; weights stay as they are.
        average: decay of the weights' moving average, which then is what is scored and exported; 0 is none.
        device: "cpu", or "auto" for all that there is.
        log_every: steps between lines of the log.
        save_every: steps between checkpoints.
        score_every: steps between scores, with a picture.
        best: name of the score by which the best weights are kept; empty keeps the last alone.
        lowest: the best is the lowest, not the highest.
        title: of the progress bar.
    """

    output: Path
    steps: int
    accumulate: int = 1
    clip: float = 1.0
    bf16: bool = False
    average: float = 0.0
    device: str = "auto"
    log_every: int = 20
    save_every: int = 500
    score_every: int = 500
    best: str = ""
    lowest: bool = False
    title: str = "training"


@dataclass(frozen=True)
class Hooks:
    """What a model adds to the loop; all of it runs in the first process alone.

    Attributes:
        score: the module, in eval mode, to numbers by name.
        draw: the module, in eval mode, to pictures by name.
        export: write the module's weights for use under a path without suffix: `best` or `last`.
    """

    score: Score | None = None
    draw: Draw | None = None
    export: Export | None = None


@dataclass
class _Progress:
    step: int = 0
    best: float | None = None
    skipped: dict[str, None] = field(default_factory=dict)  # an ordered set


def cosine(optimizer: Optimizer, steps: int, warmup: float = 0.03) -> LambdaLR:
    """Return a schedule: a linear warm-up over a share of the steps, then a cosine to 0."""
    rising = max(1, round(steps * warmup))

    def factor(step: int) -> float:
        progress = min(1.0, step / max(1, steps))
        return min(1.0, (step + 1) / rising) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, factor)


def train(
    module: nn.Module,
    batches: Batches[Any, Any],
    optimizer: Optimizer,
    schedule: LambdaLR,
    settings: LoopSettings,
    hooks: Hooks = Hooks(),
    about: Mapping[str, str] | None = None,
    resume: bool = False,
) -> dict[str, float]:
    """Train `module` and return its last scores.

    Args:
        module: `forward(batch)` returns scalars by name, of which "loss" is minimised. What requires a
            gradient is trained; chance in it comes from torch's generators alone.
        batches: the data; tensors in a batch (in tuples, lists, dicts, or behind `.to`) go to the device.
        optimizer: of the module's trained parameters.
        schedule: of its learning rates; moves once a step.
        settings: of the run.
        hooks: what the model adds.
        about: what else makes this run what it is; a checkpoint with anything else of it is refused.
        resume: go on from the checkpoint of `settings.output`.

    Raises:
        ImportError: the extra "train" is not installed.
        FileExistsError: the output has a checkpoint, and it is not to be resumed.
        CheckpointError: nothing to resume, or the checkpoint is of another run.
        FloatingPointError: the loss is no longer finite.
    """
    run = _Run(module, batches, optimizer, schedule, settings, hooks, about or {})
    if resume:
        run.restore()
    elif run.checkpoint.exists():
        raise FileExistsError(f"{run.checkpoint} exists; resume the run, or choose another output folder")
    return run.go(resume)


class _Run:
    def __init__(
        self,
        module: nn.Module,
        batches: Batches[Any, Any],
        optimizer: Optimizer,
        schedule: LambdaLR,
        settings: LoopSettings,
        hooks: Hooks,
        about: Mapping[str, str],
    ) -> None:
        self.settings, self.hooks, self.batches = settings, hooks, batches
        self.module, self.optimizer, self.schedule = module, optimizer, schedule
        self.accelerator = _accelerator(settings)
        self.wrapped, self.stepper = self.accelerator.prepare(module, optimizer)
        self.average = Average(module, settings.average) if settings.average else None
        self.progress = _Progress()
        self.means = _Means({}, 0)
        self._skipped: list[str] = []
        self.checkpoint = settings.output / CHECKPOINT
        self.about = {
            **about,
            **batches.about,
            "processes": str(self.accelerator.num_processes),
            "steps": str(settings.steps),
            "batches a step": str(settings.accumulate),
            "bf16": str(settings.bf16),
            **({"average": str(settings.average)} if settings.average else {}),
        }
        settings.output.mkdir(parents=True, exist_ok=True)

    def go(self, resumed: bool) -> dict[str, float]:
        """Take the steps that are left."""
        settings, progress = self.settings, self.progress
        journal = self._journal(progress.step if resumed else None)
        data = self.batches.start(
            progress.step * settings.accumulate,
            self.accelerator.process_index,
            self.accelerator.num_processes,
        )
        scores: dict[str, float] = {}
        try:
            while progress.step < settings.steps:
                self.means.add(self._step(data))
                progress.step += 1
                if self.average is not None:
                    self.average.update(progress.step)
                if journal is not None:
                    journal.show(progress.step)
                if self._due(settings.log_every):
                    self._log(journal, self.means.take())
                if self._due(settings.score_every):
                    scores = self._score(journal)
                if self._due(settings.save_every):
                    self._save(journal)
            with self._averaged():
                self._export("last")
        finally:
            data.close()  # type: ignore[attr-defined]  # ends the reading processes
            if journal is not None:
                journal.close()
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()  # leaves the group: threads of one that is left at exit may abort it
        return scores

    def _step(self, data: Iterator[Drawn[Any]]) -> dict[str, Tensor]:
        from accelerate.utils import send_to_device

        self.wrapped.train()
        terms: dict[str, Tensor] = {}
        for micro in range(self.settings.accumulate):
            drawn = next(data)
            self._skipped.extend(drawn.skipped)
            last = micro == self.settings.accumulate - 1
            with nullcontext() if last else self.accelerator.no_sync(self.wrapped):
                found = self.wrapped(send_to_device(drawn.batch, self.accelerator.device))
                self.accelerator.backward(found[TOTAL] / self.settings.accumulate)
            for name, value in found.items():
                terms[name] = terms.get(name, 0) + value.detach().float() / self.settings.accumulate
        if not bool(torch.isfinite(terms[TOTAL])):
            raise FloatingPointError(
                f"expected a finite loss, got {float(terms[TOTAL])} in step {self.progress.step + 1} of "
                f"{self.settings.output}; lower the learning rate and resume from the checkpoint"
            )
        trained = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        terms["gradient"] = torch.as_tensor(self.accelerator.clip_grad_norm_(trained, self.settings.clip))
        self.stepper.step()
        self.schedule.step()
        self.stepper.zero_grad()
        return terms

    def _due(self, every: int) -> bool:
        return self.progress.step % every == 0 or self.progress.step == self.settings.steps

    def _log(self, journal: Journal | None, means: dict[str, Tensor]) -> None:
        self._name_skipped(journal)
        names = sorted(means)
        values = self.accelerator.reduce(torch.stack([means[name] for name in names]), "mean").tolist()
        if journal is not None:
            shown = dict(zip(names, values, strict=True))
            shown["rate"] = self.schedule.get_last_lr()[0]
            shown["skipped"] = len(self.progress.skipped)
            journal.write(self.progress.step, shown)
            journal.show(self.progress.step, {TOTAL: shown[TOTAL]})

    def _name_skipped(self, journal: Journal | None) -> None:
        """Name each unusable item once, those of all processes."""
        from accelerate.utils import gather_object

        new = [e for e in dict.fromkeys(gather_object(self._skipped)) if e not in self.progress.skipped]
        self._skipped = []
        self.progress.skipped.update(dict.fromkeys(new))
        if journal is not None and new:
            (self.settings.output / SKIPPED).write_text("".join(f"{e}\n" for e in self.progress.skipped))
            for error in new:
                journal.say(f"skipped: {error}")

    def _score(self, journal: Journal | None) -> dict[str, float]:
        scores: dict[str, float] = {}
        if journal is not None:
            self.module.eval()
            with torch.no_grad(), self._averaged():
                if self.hooks.score is not None:
                    scores = dict(self.hooks.score(self.module))
                    journal.write(self.progress.step, scores)
                    journal.say(f"step {self.progress.step}: " + _listed(scores))
                if self.hooks.draw is not None:
                    for name, picture in self.hooks.draw(self.module).items():
                        journal.picture(self.progress.step, name, picture)
                self._keep_best(scores)
        self.accelerator.wait_for_everyone()
        return scores

    def _keep_best(self, scores: Mapping[str, float]) -> None:
        rule, before = self.settings.best, self.progress.best
        if not rule:
            return
        if rule not in scores:
            raise ValueError(f"expected the score {rule!r} to choose the best by, got {sorted(scores)}")
        value = scores[rule]
        better = before is None or (value < before if self.settings.lowest else value > before)
        if better and math.isfinite(value):
            self.progress.best = value
            self._export("best")

    def _averaged(self) -> AbstractContextManager[None]:
        """Let the module have the averaged weights for a while, where there are any."""
        return nullcontext() if self.average is None else self.average.applied()

    def _export(self, name: str) -> None:
        if self.hooks.export is not None and self.accelerator.is_main_process:
            self.hooks.export(self.module, self.settings.output / name)

    def _journal(self, since: int | None) -> Journal | None:
        if not self.accelerator.is_main_process:
            return None
        return Journal(self.settings.output, self.settings.steps, self.settings.title, since)

    def _save(self, journal: Journal | None) -> None:
        """Write the checkpoint, by rename, so that an interruption leaves the previous one."""
        from accelerate.utils import gather_object

        self._name_skipped(journal)
        own = {"random": random_state(self.accelerator.device), "means": self.means.state()}
        each_process = gather_object([own])
        if self.accelerator.is_main_process:
            state = {
                "about": self.about,
                "step": self.progress.step,
                "best": self.progress.best,
                "skipped": list(self.progress.skipped),
                "module": trained_state(self.module),
                "average": {} if self.average is None else self.average.state(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "each_process": each_process,
            }
            partial = self.checkpoint.with_suffix(".partial")
            torch.save(state, partial)
            os.replace(partial, self.checkpoint)
        self.accelerator.wait_for_everyone()

    def restore(self) -> None:
        """Take over the checkpoint's state."""
        if not self.checkpoint.exists():
            raise CheckpointError(f"nothing to resume: {self.checkpoint} does not exist")
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        differ = [
            f"{name}: {state['about'].get(name)} there, {self.about.get(name)} here"
            for name in sorted({*state["about"], *self.about})
            if state["about"].get(name) != self.about.get(name)
        ]
        if differ:
            raise CheckpointError(f"{self.checkpoint} is of another run: " + "; ".join(differ))
        load_trained(self.module, state["module"], self.checkpoint)
        if self.average is not None:
            self.average.load(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        own = state["each_process"][self.accelerator.process_index]
        set_random_state(own["random"], self.accelerator.device)
        self.means = _Means(*own["means"])
        self.progress = _Progress(state["step"], state["best"], dict.fromkeys(state["skipped"]))


class _Means:
    """Means of the terms since they were last taken."""

    def __init__(self, sums: dict[str, Tensor], count: int) -> None:
        self._sums, self._count = sums, count

    def state(self) -> tuple[dict[str, Tensor], int]:
        return {name: value.cpu() for name, value in self._sums.items()}, self._count

    def add(self, terms: Mapping[str, Tensor]) -> None:
        for name, value in terms.items():
            self._sums[name] = value + self._sums.get(name, torch.zeros(())).to(value.device)
        self._count += 1

    def take(self) -> dict[str, Tensor]:
        means = {name: value / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


def _accelerator(settings: LoopSettings) -> Any:
    try:
        import tensorboard  # noqa: F401 - the journal uses it where it is; a training run needs it
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise ImportError(f"training needs the extra: pip install 'ivm-ros[train]' ({error})") from error
    AcceleratorState._reset_state()  # of a run before in this process, perhaps in another precision
    return Accelerator(cpu=settings.device == "cpu", mixed_precision="bf16" if settings.bf16 else "no")


def _listed(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
