"""The table of all held-out sets, from results that are made up."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from ivm_ros.datasets.folder_writer import Answer, write_index, write_picture
from ivm_ros.grounding import Grounder, Grounding
from ivm_ros.models.instances import target_of_mask

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SIZE = {"scenes": 1, "questions": 3}


@pytest.fixture(scope="module")
def sets():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("held_out_sets")


class Halves(Grounder):
    """Finds the left half where the words have "left", the right one for "right", else nothing."""

    name = "halves"

    def encode(self, image):
        return image.shape[:2]

    def ground(self, features, instruction):
        mask = np.zeros(features, bool)
        half = features[1] // 2
        mask[:, :half], mask[:, half:] = "left" in instruction, "right" in instruction
        target = target_of_mask(mask, 1.0, instruction) if mask.any() else None
        targets = () if target is None else (target,)
        return Grounding(instruction, mask.astype(np.float32), targets, float(bool(targets)))


def write(folder, answers, questions=None):
    folder.mkdir(parents=True)
    masks = {0: np.zeros((8, 8), bool), 1: np.zeros((8, 8), bool)}
    masks[0][:, :4] = masks[1][:, 4:] = True
    entries = write_picture(folder, "a", np.zeros((8, 8, 3), np.uint8), masks, answers)
    for entry, question in zip(entries, questions or [None] * len(entries), strict=True):
        entry |= {} if question is None else {"question": question}
    write_index(folder, entries)
    (folder / "made.json").write_text(json.dumps(SIZE))


def test_all_sets_are_in_one_table(sets, tmp_path, monkeypatch):
    answers = [Answer("left", (0,), "relation"), Answer("up", (1,), "relation"), Answer("no", (), "absent")]
    for name in ("plain", "instances", "second"):
        write(tmp_path / name, answers)
    said = [
        *(Answer(text, (0,), "plain") for text in ("left", "left one")),
        *(Answer(text, (0,), "typo") for text in ("lfet", "left onne")),
        Answer("right", (1,), "plain"),
        Answer("fetch right", (1,), "request"),
    ]
    write(tmp_path / "paraphrased", said, ["1", "2", "1", "2", "3", "3"])
    monkeypatch.setattr(sets.ivm_ros, "load", lambda *_, **__: Halves())
    output = tmp_path / "scores.json"
    sets.main(tmp_path, scenes=1, questions=3, output=output, **dict.fromkeys(("checkpoint", "engine")),
              model="halves", device="cpu", workers=1, sets="plain,instances,second,paraphrased")  # fmt: skip
    found = json.loads(output.read_text())
    assert found["sets"].keys() == {"plain", "instances", "second"}
    expected = {"samples": 3, "giou": 0.5, "acc_50": 0.5, "n_acc": 1.0, "t_acc": 0.5, "relation": 0.5}
    assert found["sets"]["second"] == expected
    typo, request = found["paraphrases"]["typo"], found["paraphrases"]["request"]
    assert (typo["plain"]["giou"], typo["giou"], typo["loss"], typo["loss_error"]) == (1.0, 0.5, 0.5, 0.5)
    assert (request["loss"], request["loss_error"]) == (0.0, None)


def test_a_set_of_another_size_is_refused(sets, tmp_path):
    write(tmp_path / "plain", [Answer("left", (0,))])
    assert sets.prepare(tmp_path, "plain", sets.Size(1, 3, 1)) == tmp_path / "plain"
    with pytest.raises(ValueError, match=r"expected .* to be made with .*'scenes': 2.* got"):
        sets.prepare(tmp_path, "plain", sets.Size(2, 3, 1))


def test_a_missing_set_is_made_once(sets, tmp_path, monkeypatch):
    made = []

    def make(folder, size):
        made.append((folder.name, size.scenes))
        write_index(folder, [])

    monkeypatch.setitem(sets.SETS, "plain", make)
    for _ in range(2):
        sets.prepare(tmp_path, "plain", sets.Size(4, 3, 1))
    assert made == [("plain", 4)]
