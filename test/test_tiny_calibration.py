"""Calibration of ivm-tiny from tables of numbers: labels of objects, honest probabilities, thresholds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.folder_writer import Answer, write_index, write_picture
from ivm_ros.datasets.samples import Sample
from ivm_ros.evaluation.reliability import Reliability
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.files import Calibration, sigmoid
from ivm_ros.models.ivm_tiny.grounder import Said, TinyGrounder
from ivm_ros.models.ivm_tiny.model import Found, IvmTiny
from ivm_ros.training.ivm_tiny.calibrate import TARGET_THRESHOLDS, best_thresholds, calibrate
from ivm_ros.training.ivm_tiny.clues import MASK_THRESHOLDS, UNCLEAR, Clues, gather, object_labels

SMALL = TinyConfig(
    width=64, height=48, widths=(8, 8, 12, 16), channels=16, heads=2, text_depth=1, matcher_depth=1,
    buckets=256, embedding=8, pixels=4, hidden=4, pair=4, most=6,
)  # fmt: skip


def strip(*columns: int) -> np.ndarray:
    mask = np.zeros((4, 20), np.bool_)
    mask[:, list(columns)] = True
    return mask


def sample(*masks: np.ndarray, ignored: np.ndarray | None = None) -> Sample:
    return Sample(np.zeros((4, 20, 3), np.uint8), "x", ((0, 0, 1, 1),) * len(masks), masks, ignored)


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (strip(0, 1, 2), 1),
        (strip(0, 1, 2, 3, 4), 1),  # 3 / 5
        (strip(0, 1, 2, 3, 4, 5), 0),  # 0.5 is not above 0.5
        (strip(2), 0),
        (strip(2, 3, 4, 5, 6, 7, 8, 9, 18, 19), 0),  # 1 / 12
        (strip(7, 8), 0),
        (strip(10, 11), 1),
        (strip(), UNCLEAR),
        (strip(14, 15, 16), UNCLEAR),  # more than half of it does not count
        (strip(10, 11, 15), 1),
    ],
)
def test_objects_are_targets_by_overlap(found, label):
    truth = sample(strip(0, 1, 2), strip(10, 11), ignored=strip(15, 16))
    assert object_labels(found[None], truth).tolist() == [label]


def test_nothing_is_meant_where_nothing_matches():
    found = np.stack([strip(1), strip(4, 5)])
    assert object_labels(found, sample()).tolist() == [0, 0]
    assert object_labels(found[:0], sample(strip(1))).tolist() == []


def clue(head: float, objects: list[float], meant: list[int], overlap=None) -> Clues:
    table = np.zeros((0, 7)) if overlap is None else np.array(overlap, float)
    return Clues(overlap is not None, head, np.array(objects, np.float32), np.array(meant, np.int64), table)


def drawn(count: int, seed: int = 0) -> list[Clues]:
    """Draw answers of a network whose logits are twice as far from 0 as they should be, and shifted."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        true = rng.normal(-1, 2, 5)
        meant = (rng.random(5) < sigmoid(true)).astype(int)
        truth = rng.normal(0, 2)
        present = rng.random() < sigmoid(np.float32(truth))
        logits = 2 * true + 1
        found.append(clue(2 * truth - 1, logits.tolist(), meant.tolist(), [[0.5] * 7] if present else None))
    return found


def error(confidences: np.ndarray, right: np.ndarray) -> float:
    found = Reliability()
    for confidence, hit in zip(confidences.tolist(), right.tolist(), strict=True):
        found.add(confidence, hit)
    assert found.error is not None
    return found.error


def test_probabilities_are_honest_on_samples_that_were_not_fitted():
    fitted, fresh = calibrate(drawn(2000), keep=0.9), drawn(2000, seed=1)
    logits, meant = (np.concatenate([getattr(c, part) for c in fresh]) for part in ("objects", "meant"))
    heads, peaks = (np.array([getattr(c, part) for c in fresh], np.float32) for part in ("head", "peak"))
    present = np.array([c.present for c in fresh])
    assert error(fitted.each(logits), meant) < 0.02 < 0.1 < error(sigmoid(logits), meant)
    assert error(fitted.anything(heads, peaks), present) < 0.03 < 0.1 < error(sigmoid(heads), present)
    assert fitted.scale == pytest.approx(0.5, abs=0.05) and fitted.shift == pytest.approx(-0.5, abs=0.1)
    assert fitted.head == pytest.approx(0.5, abs=0.05) and fitted.peak == pytest.approx(0.0, abs=0.05)


def test_unclear_objects_decide_nothing():
    clues = drawn(300)
    confused = [
        Clues(
            c.present,
            c.head,
            np.append(c.objects, c.objects.max() - 1),
            np.append(c.meant, UNCLEAR),
            c.overlap,
        )
        for c in clues
    ]
    assert calibrate(confused, keep=0.9) == calibrate(clues, keep=0.9)


@pytest.mark.parametrize("keep", [1.0, 0.95, 0.8])
def test_the_existence_threshold_keeps_as_many_targets_as_are_wanted(keep):
    clues = drawn(200)
    fitted = calibrate(clues, keep)
    chances = [float(fitted.anything(np.float32(c.head), np.float32(c.peak))) for c in clues if c.present]
    kept = np.mean(np.array(chances) >= fitted.existence)
    assert keep <= kept < keep + 0.03


def test_a_network_that_knows_everything_and_one_that_is_wrong_have_finite_calibrations():
    knows = [clue(5.0, [8.0, -8.0], [1, 0], [[0.9] * 7]), clue(-5.0, [-8.0, -9.0], [0, 0])] * 10
    wrong = [clue(-5.0, [8.0, -8.0], [0, 1], [[0.9] * 7]), clue(5.0, [8.0, -9.0], [0, 0])] * 10
    fitted = calibrate(knows, 1.0)
    assert fitted.each(np.array([8.0, -8.0], np.float32)) == pytest.approx([1, 0], abs=0.05)
    worst = calibrate(wrong, 1.0)
    assert worst.scale > 0  # a higher logit still is never less likely
    assert all(np.isfinite(value) for each in (fitted, worst) for value in vars(each).values())


def test_the_best_thresholds_of_targets_and_pixels():
    one, two = [0.3, 0.3, 0.8, 0.3, 0.3, 0.3, 0.3], [0.1] * 7
    logit = float(np.log(0.42 / 0.58))
    # the second object, of probability 0.42, makes it worse: any threshold above will do, 0.5 is the middle
    alone = [clue(0, [3.0, logit], [1, 0], [one, two])]
    assert best_thresholds(Calibration(), alone) == (0.5, MASK_THRESHOLDS[2])
    # it makes it better: the highest threshold that lets it in
    both = [clue(0, [3.0, logit], [1, 1], [two, one])]
    assert best_thresholds(Calibration(), both) == (0.4, MASK_THRESHOLDS[2])
    # the surest is taken where none is likely; what is not tried is not missed
    assert best_thresholds(Calibration(), [clue(0, [-9.0, -9.0], [1, 0], [one])]) == (0.5, MASK_THRESHOLDS[2])
    assert TARGET_THRESHOLDS[0] == 0.2 and TARGET_THRESHOLDS[-1] == 0.8


class Halves(TinyGrounder):
    """Finds the left and the right half of a picture; counts how often it looks at one."""

    encoded = 0

    def encode(self, image):
        self.encoded += 1
        return super().encode(image)

    def look(self, features, texts):
        return [
            Said(np.array([1.0, 3.0] if "right" in text else [2.0, -9.0], np.float32), 0.5) for text in texts
        ]

    def masks(self, features, objects):
        halves = np.zeros((2, 48, 64), np.float32)
        halves[0, :, :32], halves[1, :, 32:] = 0.7, 0.9
        return {number: halves[number] for number in objects}


def test_clues_are_what_is_said_and_what_is_true(tmp_path):
    left, right = np.zeros((48, 64), np.bool_), np.zeros((48, 64), np.bool_)
    left[:, :32], right[:, 32:] = True, True
    asked = [Answer("left", (0,)), Answer("right and both", (0, 1)), Answer("nothing", ())]
    image = np.zeros((48, 64, 3), np.uint8)
    entries = write_picture(tmp_path, "0", image, {0: left, 1: right}, asked)
    write_index(tmp_path, entries)
    grounder = Halves(IvmTiny(SMALL).eval(), Calibration(), torch.device("cpu"))
    first, second, third = gather(grounder, Folder(tmp_path))
    assert grounder.encoded == 1
    assert (first.present, first.meant.tolist(), first.overlap.tolist()) == (True, [1, 0], [[1.0] * 7])
    assert second.meant.tolist() == [1, 1] and second.peak == 3.0
    assert second.overlap.tolist() == [[0.5] * 7, [1.0] * 7]  # the surer one alone, then both
    assert (third.present, third.meant.tolist(), third.overlap.shape) == (False, [0, 0], (0, 7))
    assert third.head == 0.5


class Finds(IvmTiny):
    """Finds the left and the right half of any picture."""

    def find(self, features):
        masks = torch.full((2, 12, 16), -6.0)
        masks[0, :, :8], masks[1, :, 8:] = 6.0, 6.0
        return Found(masks, torch.tensor([0.9, 0.8]))


def test_clues_of_the_network_itself_are_at_the_pictures_size(tmp_path):
    left = np.zeros((90, 160), np.bool_)
    left[:, :80] = True
    entries = write_picture(
        tmp_path, "0", np.zeros((90, 160, 3), np.uint8), {0: left}, [Answer("left", (0,)), Answer("no", ())]
    )
    write_index(tmp_path, entries)
    torch.manual_seed(0)
    grounder = TinyGrounder(Finds(SMALL).eval(), Calibration(), torch.device("cpu"))
    first, second = gather(grounder, Folder(tmp_path))
    assert first.meant.tolist() == [1, 0] and second.meant.tolist() == [0, 0]
    surest_is_left = first.objects.argmax() == 0
    assert first.overlap[0] == pytest.approx([float(surest_is_left)] * 7, abs=0.05)
