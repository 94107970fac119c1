"""Which finds of ivm-tiny are pieces of one object: what is said of pairs, what is joined, what is taught."""

from __future__ import annotations

import pytest
import torch
import typer
from tiny_scenes import SMALL, drawn_scene
from typer.testing import CliRunner

from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.models.ivm_tiny.files import Calibration, load_weights, save_weights
from ivm_ros.models.ivm_tiny.joiner import Joiner, pairs
from ivm_ros.models.ivm_tiny.model import Found, IvmTiny
from ivm_ros.training.ivm_tiny import joining
from ivm_ros.training.ivm_tiny.joining import NOWHERE, UNCLEAR


def strips(*spans: tuple[int, int]) -> torch.Tensor:
    """Return logits of masks of 12x16 cells, each two rows high and from one column to another."""
    masks = torch.full((len(spans), 12, 16), -4.0)
    for mask, (first, last) in zip(masks, spans, strict=True):
        mask[4:6, first:last] = 4.0
    return masks


def test_pairs_say_what_a_mask_thinks_of_the_cells_of_another() -> None:
    masks = strips((0, 4), (4, 8), (12, 16))
    masks[0, 4:6, 4:8] = -1.0  # nearly takes the second for its own
    said = pairs(masks, torch.tensor([0.9, 0.8, 0.7]))
    believed = said[..., 0]
    assert believed[0, 1] == pytest.approx(torch.tensor(-1.0).sigmoid().item())
    assert believed[1, 0] < 0.02 < believed[0, 1]
    torch.testing.assert_close(said[..., 1], believed.T)
    touching = said[..., 6]
    assert touching[0, 1] > 0 and touching[0, 2] == 0
    assert torch.isfinite(said).all()


def test_what_was_not_taught_joins_nothing() -> None:
    masks = strips((0, 4), (4, 8), (12, 16))
    assert Joiner().groups(masks, torch.tensor([0.9, 0.8, 0.7])) == [[0], [1], [2]]


class Told(Joiner):
    """A joiner that joins what it is told."""

    def __init__(self, *joined: tuple[int, int]) -> None:
        super().__init__()
        self.joined = joined

    def forward(self, masks: torch.Tensor, sure: torch.Tensor) -> torch.Tensor:
        logits = torch.full((len(sure), len(sure)), -9.0)
        for one, other in self.joined:
            logits[one, other] = logits[other, one] = 9.0
        return logits


@pytest.mark.parametrize(
    ("joined", "groups"),
    [
        ((), [[0], [1], [2], [3]]),
        (((1, 3),), [[0], [1, 3], [2]]),
        (((0, 2), (0, 3)), [[0, 2, 3], [1]]),
        (((0, 1), (1, 2)), [[0, 1], [2], [3]]),  # a piece joins the surest one, not another piece
    ],
)
def test_pieces_join_the_surest_of_their_object(joined, groups) -> None:
    assert Told(*joined).groups(strips(*[(0, 4)] * 4), torch.ones(4)) == groups


def test_joined_finds_have_all_of_their_cells_and_the_surest_chance() -> None:
    model = IvmTiny(SMALL).eval()
    model.joiner = Told((0, 1))
    masks = strips((0, 4), (5, 9), (12, 16))
    found = model.choose(masks, torch.tensor([0.7, 0.9, 0.8]))  # sure in the order 1, 2, 0
    assert len(found.sure) == 2
    torch.testing.assert_close(found.masks[0], torch.maximum(masks[1], masks[2]))
    assert found.sure[0] == pytest.approx(0.9 * torch.tensor(4.0).sigmoid().item())


def test_logits_are_the_same_in_either_order() -> None:
    joiner = Joiner()
    torch.nn.init.normal_(joiner.judge[4].weight)
    logits = joiner(strips((0, 4), (4, 8), (12, 16)), torch.tensor([0.9, 0.8, 0.7]))
    torch.testing.assert_close(logits, logits.T)
    assert len(logits.unique()) > 3


def test_finds_belong_to_the_object_that_they_lie_in() -> None:
    truth = (strips((0, 4), (8, 16)) > 0).float()
    found = Found(strips((0, 3), (2, 6), (4, 8), (9, 12), (0, 16)), torch.ones(5))
    # of the second and the last about a half is in an object: nobody can tell
    assert joining.owners(found, truth).tolist() == [0, UNCLEAR, NOWHERE, 1, UNCLEAR]
    assert joining.owners(found, truth[:0]).tolist() == [NOWHERE] * 5


def test_pairs_that_nobody_can_tell_teach_nothing() -> None:
    found = Found(strips((0, 2), (2, 4), (8, 10), (5, 7), (6, 8)), torch.ones(5))
    there, back, same = joining.examples(found, torch.tensor([0, 0, 1, NOWHERE, UNCLEAR]))
    # (0, 1), and these and 2 and the one outside; two outside would be no pair
    assert same.tolist() == [1, 0, 0, 0, 0, 0]
    assert there.shape == back.shape and not torch.equal(there, back)


def test_joining_is_learned_from_examples() -> None:
    torch.manual_seed(0)
    parts = []
    for gap in range(4):  # touching strips are one object, others are not
        found = Found(strips((0, 4), (4 + gap, 8 + gap)), torch.tensor([0.9, 0.8]))
        parts.append(joining.examples(found, torch.tensor([0, 0 if gap == 0 else 1])))
    learned = tuple(torch.cat(column) for column in zip(*parts, strict=True))
    joiner = Joiner()
    torch.nn.init.normal_(joiner.judge[4].weight, std=0.1)
    joining.teach(joiner, *learned, steps=600, seed=0)
    assert joining.judged(joiner, *learned) == (1.0, 1.0)
    assert joiner.groups(strips((0, 4), (4, 8)), torch.tensor([0.9, 0.8])) == [[0, 1]]


@pytest.fixture
def command():
    app = typer.Typer()
    app.command()(joining.main)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def asked(tmp_path):
    for split in ("train", "validation"):
        views = [drawn_scene(seed, SMALL) for seed in range(4)]
        write_shard(tmp_path / f"{split}-00000", views, list(range(4)), [0] * 4)
    torch.manual_seed(0)
    save_weights(IvmTiny(SMALL), tmp_path / "before.safetensors", {"step": "7"}, Calibration(target=0.4))
    files = ("--weights", tmp_path / "before.safetensors", "--output", tmp_path / "after.safetensors")
    return ("--store", tmp_path, *files, "--views", 8, "--steps", 3)


def test_a_network_that_finds_nothing_yet_has_nothing_to_join(command, asked) -> None:
    result = command(*asked)
    assert isinstance(result.exception, ValueError) and "train longer first" in str(result.exception)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_both_splits_are_wanted_before_anything_is_looked_at(tmp_path, command, asked, split) -> None:
    (tmp_path / f"{split}-00000.jsonl").unlink()
    result = command(*asked)
    assert result.exit_code == 2 and f"expected finished {split} shards" in " ".join(result.output.split())


def test_the_command_teaches_the_joiner_and_nothing_else(tmp_path, command, asked, monkeypatch) -> None:
    found = Found(strips((0, 4), (4, 8), (10, 14)), torch.tensor([0.9, 0.8, 0.7]))
    monkeypatch.setattr(joining, "seen", lambda model, batch: [(found, torch.tensor([0, 0, 1]))])
    result = command(*asked)
    assert result.exit_code == 0, result.output
    assert "pairs joined on validation views" in result.output
    (before, _), (after, calibration) = (
        load_weights(tmp_path / f"{n}.safetensors") for n in ("before", "after")
    )
    changed = {
        name.split(".")[0]
        for name, value in after.named_parameters()
        if not torch.equal(value, before.get_parameter(name))
    }
    assert changed == {"joiner"} and calibration.target == 0.4
