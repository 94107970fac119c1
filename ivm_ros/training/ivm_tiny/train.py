"""Train ivm-tiny from scratch on a rendered store; resumable at any time.

python -m ivm_ros.training.ivm_tiny.train --store STORE --looks LOOKS --output RUN --minutes 170 --workers 2

Workers are processes of one thread each that average their gradients: on few cores that gives more views a
second than threads do.
"""

from __future__ import annotations

import copy
import math
import os
import socket
import time
from pathlib import Path
from random import Random
from typing import Annotated, Any

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
import typer
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.files import load_weights
from ivm_ros.training.ivm_tiny.data import make_batch
from ivm_ros.training.ivm_tiny.first_looks import put_into
from ivm_ros.training.ivm_tiny.losses import losses, total
from ivm_ros.training.ivm_tiny.monitor import Monitor
from ivm_ros.training.ivm_tiny.settings import Settings
from ivm_ros.training.ivm_tiny.task import TinyTask
from ivm_ros.training.ivm_tiny.views import ShardPool


class Trainer:
    """The state of one worker; all workers have equal weights."""

    def __init__(self, settings: Settings, rank: int) -> None:
        self.settings, self.rank = settings, rank
        torch.manual_seed(settings.seed)
        self.task = TinyTask(settings.config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if settings.start is not None:
            self.task.model.load_state_dict(load_weights(settings.start)[0].state_dict())
        if settings.looks is not None:
            put_into(self.task.model, settings.looks)
        self.averaged = copy.deepcopy(self.task.model).eval()
        decayed = [weight for weight in self.task.parameters() if weight.ndim > 1]
        others = [weight for weight in self.task.parameters() if weight.ndim <= 1]
        words = [*self.task.model.text.parameters(), *self.task.model.matcher.parameters()]
        mine = set(words)
        self._learning_apart = (words, [w for w in self.task.parameters() if w not in mine])
        groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98), fused=True)
        self.step, self.elapsed = 0, 0.0
        if settings.checkpoint.exists():
            self._restore(torch.load(settings.checkpoint, weights_only=True))
        self.progress = self._done(self.step)
        self.rng = Random(f"{settings.seed} {rank} {self.step}")
        self.pool = ShardPool(settings.store, "train", rank, settings.workers)
        if not len(self.pool):
            raise ValueError(
                f"expected a train shard for each of {settings.workers} workers in {settings.store}"
            )

    def _done(self, steps: int) -> float:
        settings = self.settings
        return steps / settings.steps if settings.steps else self.elapsed / (60 * settings.minutes)

    def _restore(self, state: dict[str, Any]) -> None:
        self.task.load_state_dict(state["task"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed = state["step"], state["elapsed"]

    def save(self) -> None:
        """Write the checkpoint, by rename, so that an interruption leaves the previous one."""
        state = {
            "task": self.task.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
        }
        partial = self.settings.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.settings.checkpoint)

    def train_step(self) -> dict[str, float]:
        """Take one step and return the terms of this worker's loss."""
        settings = self.settings
        scenes = self.pool.draw(settings.batch, self.rng)
        asked = settings.per_view if self.step % settings.ask_every == 0 else 0
        phase = int(self.progress > settings.at_last)
        batch = make_batch(
            scenes,
            self.rng,
            asked,
            settings.config,
            close_ups=self.rng.random() < settings.close_ups[phase],
            whole=settings.whole[phase],
        )
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate * schedule(self.progress)
        perceived, answered = self.task(batch, self.rng)
        terms = losses(perceived, answered, batch)
        self.optimizer.zero_grad()
        total(terms).backward()
        self.progress = average_gradients(self.task, self._done(self.step + 1), settings.workers)
        for weights in self._learning_apart:
            nn.utils.clip_grad_norm_(weights, 2.0)
        self.optimizer.step()
        self.step += 1
        if self.rank == 0:
            update_average(self.averaged, self.task.model, min(settings.ema, 1 - 10 / (10 + self.step)))
        return {name: value.item() for name, value in terms.items()}


def schedule(progress: float) -> float:
    """Return the share of the highest learning rate: a short warm-up, then a cosine to 0."""
    return min(1.0, progress / 0.01 + 0.02) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def average_gradients(model: nn.Module, progress: float, workers: int) -> float:
    """Average all gradients over the workers in one message, and `progress` with them, which is returned.

    The clocks of the workers differ; the average is what they all go by, so that they stay equal.
    """
    if workers == 1:
        return progress
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients] + [torch.tensor([progress])])
    dist.all_reduce(flat)
    flat /= workers
    pieces = flat[:-1].split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view(gradient.shape))
    return float(flat[-1])


@torch.no_grad()
def update_average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the model's; statistics of batch norms are averaged alike."""
    source: dict[str, Tensor] = model.state_dict()
    for name, value in averaged.state_dict().items():
        if value.is_floating_point():
            value.lerp_(source[name], 1 - decay)
        else:
            value.copy_(source[name])


def run_worker(rank: int, settings: Settings, port: int, parent: int | None = None) -> None:
    """Train in this process until the time is used up, or until it is left alone.

    Args:
        rank: of this worker; the first one saves and tells.
        settings: of the run.
        port: of this machine, at which the workers meet; of several workers alone.
        parent: pid of what started it; once that is gone, the worker saves and ends. None not to look.
    """

    def left() -> bool:
        # torch has SIGINT sent to workers then; those of a run in a script's background ignore it
        return parent is not None and os.getppid() != parent

    if left():
        return
    torch.set_num_threads(1)
    if settings.workers > 1:
        rendezvous = f"tcp://127.0.0.1:{port}"
        dist.init_process_group("gloo", rendezvous, rank=rank, world_size=settings.workers)
    trainer = Trainer(settings, rank)
    monitor = Monitor(settings.output, settings.store, trainer.averaged) if rank == 0 else None
    last = saved = scored = rescanned = time.monotonic()
    while trainer.progress < 1 and not left():
        try:
            terms = trainer.train_step()
        except RuntimeError:
            if left():
                break  # another worker noticed first, and gave no gradients
            raise
        now = time.monotonic()
        trainer.elapsed += now - last
        last = now
        if now - rescanned > 60:
            trainer.pool.rescan()
            rescanned = now
        if monitor is None:
            continue
        views = len(trainer.pool) * settings.workers
        monitor.log(trainer.step, trainer.elapsed, trainer.progress, terms, views)
        if now - saved > 60 * settings.save_minutes:
            trainer.save()
            saved = now
        if now - scored > 60 * settings.score_minutes:
            monitor.score(trainer.step)
            scored = now
    if monitor is not None:
        trainer.save()
        if not left():
            monitor.score(trainer.step)
        monitor.close()
    if settings.workers > 1 and not left():
        dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(
    store: Annotated[Path, typer.Option(help="folder with rendered shards")],
    output: Annotated[Path, typer.Option(help="folder of the run")],
    minutes: Annotated[float, typer.Option(min=0.1, help="of training, all sessions together")] = 170,
    steps: Annotated[int | None, typer.Option(min=1, help="of training, instead of minutes")] = None,
    start: Annotated[Path | None, typer.Option(help="weights to go on from, instead of chance")] = None,
    looks: Annotated[Path | None, typer.Option(help="folder of `first_looks` to start with")] = None,
    workers: Annotated[int, typer.Option(min=1, help="processes; one for each core")] = 2,
    seed: Annotated[int, typer.Option(help="of everything random")] = 0,
    rate: Annotated[float, typer.Option(min=0, help="highest learning rate")] = 2e-3,
    resume: Annotated[bool, typer.Option(help="go on from the run's checkpoint")] = False,
    score_minutes: Annotated[float, typer.Option(min=0.1, help="between scores and exports")] = 10,
) -> None:
    """Train ivm-tiny."""
    settings = Settings(
        store=store,
        output=output,
        minutes=minutes,
        steps=steps,
        start=start,
        looks=looks,
        workers=workers,
        seed=seed,
        rate=rate,
        score_minutes=score_minutes,
    )
    if settings.checkpoint.exists() and not resume:
        raise typer.BadParameter(f"{settings.checkpoint} exists; pass --resume to go on, or another --output")
    if resume and not settings.checkpoint.exists():
        raise typer.BadParameter(f"nothing to resume: {settings.checkpoint} does not exist")
    output.mkdir(parents=True, exist_ok=True)
    if workers == 1:
        run_worker(0, settings, 0)
    else:
        multiprocessing.spawn(run_worker, (settings, _free_port(), os.getpid()), nprocs=workers)


if __name__ == "__main__":
    typer.run(main)
