"""The weights' moving average: its numbers, and its place in the loop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_training import STEPS, Toy, run

from ivm_ros.checkpoints import CheckpointError, read_state_dict
from ivm_ros.training.averaging import Average


class BrokenOffError(RuntimeError):
    pass


class Stopping(Toy):
    """A toy that breaks off in the middle."""

    def forward(self, batch):
        if self.calls == 15:  # in step 8, after the save at 5
            raise BrokenOffError
        return super().forward(batch)


def test_the_average_forgets_the_start_and_then_moves_slowly():
    line = torch.nn.Linear(1, 1, bias=False)
    average = Average(line, 0.75)
    expected = start = line.weight.item()
    for step in range(1, 40):
        line.weight.data.fill_(step)
        average.update(step)
        decay = min(0.75, step / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert float(average.state()["weight"]) == pytest.approx(expected, rel=1e-5)
    assert start != expected


def test_a_module_has_the_average_for_a_while_only():
    norm = torch.nn.BatchNorm1d(2)
    average = Average(norm, 0.9)
    norm(torch.randn(8, 2))
    own = {name: value.clone() for name, value in norm.state_dict().items()}
    average.update(1)
    with average.applied():
        assert all(torch.equal(value, average.state()[name]) for name, value in norm.state_dict().items())
        assert not torch.equal(norm.running_mean, own["running_mean"])
        assert int(norm.num_batches_tracked) == 1  # counted, not averaged
    assert all(torch.equal(value, own[name]) for name, value in norm.state_dict().items())


@pytest.mark.parametrize("decay", [1.0, -0.1])
def test_a_decay_that_is_none_is_refused(decay):
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        Average(Toy(), decay)


def exported(output: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return read_state_dict(output / f"{name}.safetensors")


def test_the_loop_scores_and_exports_the_average_and_resumes_it(tmp_path):
    pytest.importorskip("accelerate", reason="needs the extra train")
    toy, scores = run(tmp_path / "whole", average=0.8)
    weights = exported(tmp_path / "whole")
    assert not torch.equal(weights["line.weight"], toy.line.weight)
    assert scores["error"] == pytest.approx(float((weights["line.weight"] - 2).abs().sum()))
    with pytest.raises(BrokenOffError):
        run(tmp_path / "parts", average=0.8, make=Stopping)
    again, _ = run(tmp_path / "parts", average=0.8, resume=True)
    for first, second in ((weights, exported(tmp_path / "parts")), (toy.state_dict(), again.state_dict())):
        assert all(torch.equal(value, second[name]) for name, value in first.items())
    plain, _ = run(tmp_path / "plain")
    assert torch.equal(plain.line.weight, toy.line.weight)  # looking at the average changes nothing
    assert len((tmp_path / "whole" / "log.jsonl").read_text().splitlines()) > STEPS // 4
    with pytest.raises(CheckpointError, match=r"average: 0\.8 there, None here"):
        run(tmp_path / "parts", resume=True)
