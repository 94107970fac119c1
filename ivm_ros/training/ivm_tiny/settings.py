"""What a training run of ivm-tiny is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ivm_ros.models.ivm_tiny.config import TinyConfig


@dataclass(frozen=True)
class Settings:
    """Of one run.

    Attributes:
        store: folder with the shards; validation shards in it are scored now and then.
        output: folder of the run: checkpoint, log, pictures, exported weights.
        minutes: of training, all sessions together; the learning rate falls to zero over them.
        steps: instead of minutes, so that a run does not depend on how fast it goes; None for minutes.
        start: weights to go on from, of this network's sizes, or None for chance.
        looks: folder of `first_looks` to start with, or None.
        workers: processes.
        seed: of weights, views, augmentation and questions.
        batch: views a process and step.
        per_view: questions about each, in the steps that ask.
        ask_every: in so many steps one asks; in the others the network only looks, which is more to learn.
        close_ups: share of the steps that show parts of views at less resolution, at first and at last.
        whole: share of the views of the other steps that are shown whole, likewise.
        at_last: share of the run from which on views are shown as cameras will show them: a network does best
            on things as large as it saw them last (Touvron et al., 2019).
        rate: highest learning rate.
        ema: decay of the averaged weights, which are the ones that count.
        save_minutes: between checkpoints.
        score_minutes: between scores on validation views, with a picture and exported weights.
        config: of the network; its size is the views'.
    """

    store: Path
    output: Path
    minutes: float
    steps: int | None = None
    start: Path | None = None
    looks: Path | None = None
    workers: int = 2
    seed: int = 0
    batch: int = 8
    per_view: int = 6
    ask_every: int = 2
    close_ups: tuple[float, float] = (0.6, 0.3)
    whole: tuple[float, float] = (0.2, 0.8)
    at_last: float = 0.6
    rate: float = 2e-3
    ema: float = 0.998
    save_minutes: float = 5.0
    score_minutes: float = 10.0
    config: TinyConfig = field(default_factory=TinyConfig)

    @property
    def checkpoint(self) -> Path:
        """Where the state is kept that a run resumes from."""
        return self.output / "checkpoint.pt"
