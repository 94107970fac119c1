"""A tiny training run, for tests of the loop; as a program, one that can be killed in the middle.

python toy_training.py OUTPUT [--resume] [--kill-at BATCH] [--size N]
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import nn

from ivm_ros.checkpoints import write_state_dict
from ivm_ros.training.batches import Batches
from ivm_ros.training.loop import Hooks, LoopSettings, cosine, train

STEPS = 12


class Lines:
    """Points near the line y = 2 x + 1; every seventh is unusable."""

    def __init__(self, count: int = 40, bad: bool = True) -> None:
        self.count, self.bad = count, bad

    def __len__(self) -> int:
        return self.count

    def item(self, index: int, random: Random) -> tuple[float, float]:
        if self.bad and index % 7 == 3:
            raise ValueError(f"point {index}: expected a number, got none")
        x = index / self.count + random.gauss(0, 0.1)
        return x, 2 * x + 1


def collate(points: list[tuple[float, float]]) -> dict[str, torch.Tensor]:
    return {"x": torch.tensor([[x] for x, _ in points]), "y": torch.tensor([[y] for _, y in points])}


class Toy(nn.Module):
    """A line with dropout, a buffer that moves, and a part that is not trained."""

    def __init__(self, kill_at: int = -1, dropout: float = 0.2) -> None:
        super().__init__()
        self.line, self.drop = nn.Linear(1, 1), nn.Dropout(dropout)
        self.frozen = nn.Linear(1, 1).requires_grad_(False)
        self.register_buffer("seen", torch.zeros(()))
        self.kill_at, self.calls = kill_at, 0

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.calls += 1
        if self.calls == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen += batch["x"].sum()
        error = (self.line(self.drop(batch["x"])) - batch["y"]).square().mean()
        return {"loss": error, "bias": self.line.bias.mean()}


def run(
    output: Path,
    resume: bool = False,
    size: int = 4,
    seed: int = 0,
    make: Callable[[], Toy] = Toy,
    **changes: object,
) -> tuple[Toy, dict[str, float]]:
    torch.manual_seed(seed)
    toy = make()
    optimizer = torch.optim.AdamW([w for w in toy.parameters() if w.requires_grad], lr=0.05)
    settings = LoopSettings(
        **{
            "output": output, "steps": STEPS, "accumulate": 2, "device": "cpu", "log_every": 3,
            "save_every": 5, "score_every": 4, "best": "error", "lowest": True, **changes,
        }
    )  # fmt: skip
    hooks = Hooks(
        score=lambda module: {"error": float((module.line.weight - 2).abs().sum())},
        draw=lambda module: {"line": np.full((4, 5, 3), 200, np.uint8)},
        export=lambda module, path: write_state_dict(
            module.state_dict(), path.with_suffix(".safetensors"), {}
        ),
    )
    batches = Batches([Lines(), Lines(11, bad=False)], collate, size, seed)
    schedule = cosine(optimizer, settings.steps)
    return toy, train(toy, batches, optimizer, schedule, settings, hooks, {"toy": "line"}, resume)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--kill-at", type=int, default=-1)
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0.2)
    asked = parser.parse_args()
    run(asked.output, asked.resume, asked.size, make=lambda: Toy(asked.kill_at, asked.dropout))


if __name__ == "__main__":
    main()
