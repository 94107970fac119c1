"""Learning rates by weight and by step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ivm_ros.training.rates import layer_rate, rate_groups, stair, stairs


def test_weights_are_grouped_by_rate_and_frozen_ones_left_out():
    module = nn.ModuleDict({"low": nn.Linear(2, 2), "high": nn.Linear(2, 2), "frozen": nn.Linear(2, 2)})
    module["frozen"].requires_grad_(False)
    groups = rate_groups(module, lambda name: 0.1 if name.startswith("low") else 1.0)
    assert [group["lr"] for group in groups] == [1.0, 0.1]
    assert [[id(w) for w in group["params"]] for group in groups] == [
        [id(w) for w in module[name].parameters()] for name in ("high", "low")
    ]


def test_layers_further_down_learn_more_slowly():
    assert [layer_rate(1.0, 0.5, above) for above in range(4)] == [1.0, 0.5, 0.25, 0.125]
    assert layer_rate(3.0, 1.0, 7) == 3.0


@pytest.mark.parametrize(
    ("epochs", "warmup", "drop", "expected"),
    [
        (10, 1, 7, [0.5] + [1.0] * 5 + [0.1] * 4),  # any number of targets, as published
        (20, 3, 15, [0.25, 0.5, 0.75] + [1.0] * 11 + [0.1] * 6),  # exactly one target, as published
        (3, 0, 9, [1.0] * 3),
    ],
)
def test_stairs(epochs, warmup, drop, expected):
    assert [stair(epoch, warmup, drop) for epoch in range(epochs)] == pytest.approx(expected)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = stairs(optimizer, 4 * epochs, epochs, warmup, drop)
    seen = []
    for _ in range(4 * epochs):
        seen.append(schedule.get_last_lr()[0] / 2)
        optimizer.step()
        schedule.step()
    assert seen == pytest.approx([value for value in expected for _ in range(4)])
