from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy_training import STEPS, Lines, Toy, collate, run

from ivm_ros.checkpoints import CheckpointError, read_state_dict
from ivm_ros.training.batches import Batches

pytest.importorskip("accelerate", reason="needs the extra train")
pytest.importorskip("tensorboard", reason="needs the extra train")

PROGRAM = Path(__file__).with_name("toy_training.py")


def start(*arguments: object, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *launcher, str(PROGRAM), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def lines(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def reset() -> None:
    """Let accelerate forget its precision: it keeps one for a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()


def changed(line: torch.nn.Linear) -> Toy:
    toy = Toy()
    toy.line = line
    return toy


def test_a_run_that_was_killed_goes_on_to_the_same_numbers(tmp_path):
    toy, _ = run(tmp_path / "whole")
    killed = start(tmp_path / "killed", "--kill-at", 2 * 8)  # in the middle of step 8, after the save at 5
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = start(tmp_path / "killed", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for name in ("last", "best"):
        first, second = (read_state_dict(tmp_path / d / f"{name}.safetensors") for d in ("whole", "killed"))
        assert_equal(first, second)
    assert_equal(toy.state_dict(), read_state_dict(tmp_path / "whole" / "last.safetensors"))
    assert lines(tmp_path / "whole") == lines(tmp_path / "killed")
    whole, again = (
        torch.load(tmp_path / d / "checkpoint.pt", weights_only=True) for d in ("whole", "killed")
    )
    assert_equal(whole["module"], again["module"])
    assert_equal(whole["each_process"][0]["random"], again["each_process"][0]["random"])
    assert whole["step"] == again["step"] == STEPS


def test_training_teaches_and_tells(tmp_path):
    _, scores = run(tmp_path, steps=150, score_every=30, save_every=150)
    log = lines(tmp_path)
    losses = [line["loss"] for line in log if "loss" in line]
    assert losses[-1] < 0.2 * losses[0]
    assert {"bias", "gradient", "rate", "skipped"} < {*log[0]}
    assert log[-1] == pytest.approx({"step": 150, **scores}, rel=1e-4)
    best = min(line["error"] for line in log if "error" in line)
    kept = read_state_dict(tmp_path / "best.safetensors")["line.weight"]
    assert float((kept - 2).abs().sum()) == pytest.approx(best, rel=1e-4)
    assert (tmp_path / "line_000030.png").exists()
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_unusable_items_are_replaced_named_once_and_counted(tmp_path):
    run(tmp_path, steps=40, save_every=40, score_every=40)
    named = (tmp_path / "skipped.log").read_text().splitlines()
    assert sorted(named) == sorted(f"point {i}: expected a number, got none" for i in range(3, 40, 7))
    assert lines(tmp_path)[-2]["skipped"] == len(named)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(FileExistsError, match="resume the run"):
        run(tmp_path)
    with pytest.raises(CheckpointError, match="batches a step: 2 there, 3 here"):
        run(tmp_path, resume=True, accumulate=3)
    with pytest.raises(CheckpointError, match="seed 0 there"):
        run(tmp_path, resume=True, seed=1)
    with pytest.raises(CheckpointError, match=r"line\.bias: expected \(2,\), got \(1,\)"):
        run(tmp_path, resume=True, make=lambda: changed(torch.nn.Linear(1, 2)))
    with pytest.raises(CheckpointError, match="nothing to resume"):
        run(tmp_path / "new", resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    infinite = torch.nn.Linear(1, 1)
    infinite.weight.data.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="in step 1 of"):
        run(tmp_path, make=lambda: changed(infinite))


def test_bfloat16_computes_coarser_and_keeps_the_weights_fine(tmp_path):
    fine, _ = run(tmp_path / "fine")
    reset()
    coarse, _ = run(tmp_path / "coarse", bf16=True)
    reset()
    assert coarse.line.weight.dtype == torch.float32
    assert not torch.equal(fine.line.weight, coarse.line.weight)
    torch.testing.assert_close(fine.line.weight, coarse.line.weight, rtol=0.05, atol=0.05)


def test_the_best_needs_its_score(tmp_path):
    with pytest.raises(ValueError, match=r"expected the score 'giou' to choose the best by, got \['error'\]"):
        run(tmp_path, best="giou")


def test_an_absent_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match=r"pip install 'ivm-ros\[train\]'"):
        run(tmp_path)


def test_two_processes_train_as_one_with_twice_the_batch(tmp_path):
    one = start(tmp_path / "one", "--size", 8, "--dropout", 0)
    assert one.returncode == 0, one.stderr
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    two = start(tmp_path / "two", "--size", 4, "--dropout", 0, launcher=launcher)
    assert two.returncode == 0, two.stderr
    first, second = (read_state_dict(tmp_path / d / "last.safetensors") for d in ("one", "two"))
    torch.testing.assert_close(first["line.weight"], second["line.weight"])
    torch.testing.assert_close(first["line.bias"], second["line.bias"])


def drawn(batches: Batches, position: int, count: int, rank: int = 0, world: int = 1) -> list[list[float]]:
    stream = batches.start(position, rank, world)
    return [next(stream).batch["x"].flatten().tolist() for _ in range(count)]


def test_batches_depend_on_seed_and_position_alone():
    def batches(seed: int, workers: int = 0) -> Batches:
        return Batches([Lines()], collate, 4, seed, workers)

    whole = drawn(batches(0), 0, 12)
    assert drawn(batches(0), 5, 7) == whole[5:]
    assert drawn(batches(0, workers=2), 0, 12) == whole
    assert drawn(batches(1), 0, 12) != whole
    assert [drawn(batches(0), 0, 6, rank, 2) for rank in range(2)] == [whole[::2], whole[1::2]]


class Named:
    def __init__(self, name: str, count: int) -> None:
        self.name, self.count = name, count

    def __len__(self) -> int:
        return self.count

    def item(self, index, random):
        return f"{self.name}{index}"


def test_every_epoch_has_every_item_once_and_sources_share_batches():
    stream = Batches([Named("a", 6), Named("b", 2)], list, 4).start(0)
    batches = [next(stream).batch for _ in range(6)]
    assert all(sum(name[0] == "a" for name in batch) == 2 for batch in batches)
    firsts = [name for batch in batches for name in batch if name[0] == "a"]
    assert sorted(firsts[:6]) == sorted(firsts[6:]) == [f"a{i}" for i in range(6)]
    assert firsts[:6] != firsts[6:]


@pytest.mark.parametrize(
    ("sources", "size", "message"),
    [
        ([], 4, "expected datasets with items"),
        ([Named("a", 0)], 4, "expected datasets with items"),
        ([Named("a", 1), Named("b", 1)], 3, "a batch size that 2 datasets can share, got 3"),
    ],
)
def test_sources_that_give_no_batch_are_refused(sources, size, message):
    with pytest.raises(ValueError, match=message):
        Batches(sources, list, size)


def test_a_dataset_without_a_usable_item_stops():
    class Bad(Named):
        def item(self, index, random):
            raise ValueError(f"item {index} is bad")

    with pytest.raises(ValueError, match="got 3 bad ones; the first: item"):
        next(Batches([Bad("a", 3)], list, 1).start(0))
