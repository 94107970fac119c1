"""Metrics whose definitions differ between systems, counted by hand; sums that are split and put together."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest

from ivm_ros.clip import load_clip
from ivm_ros.evaluation.boxes import AveragePrecision, Grec, PointCover, Rec
from ivm_ros.evaluation.groups import PerImage, RRefCoco
from ivm_ros.evaluation.masks import FalsePremise, Gres, RefZom, Res
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.evaluation.muse import Muse, paired
from ivm_ros.evaluation.overlap import Overlap, box_giou, box_iou, mask_overlap, pixel_box
from ivm_ros.evaluation.tally import Mean, Share
from ivm_ros.grounding import Grounding, Target

# (overlap, present, rejected): half right, wholly right, found in vain, rejected rightly, rejected wrongly
PHRASES = [
    (Overlap(1, 2), True, False),
    (Overlap(4, 4), True, False),
    (Overlap(0, 6), False, False),
    (Overlap(0, 3), False, True),
    (Overlap(2, 4), True, True),
]


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (Gres(), {"giou": 2.5 / 5, "ciou": 5 / 16, "n_acc": 1 / 2, "t_acc": 2 / 3, "pr_50": 2 / 3}),
        (
            Gres(rejected="kept"),
            {"giou": 3 / 5, "ciou": 7 / 16, "t_acc": 2 / 3, "pr_50": 1.0, "pr_60": 1 / 3},
        ),
        (Gres(found="ignored"), {"giou": 2.5 / 5, "ciou": 5 / 10, "n_acc": 1 / 2}),
        (RefZom(), {"acc": 1 / 2, "miou": 2 / 3, "oiou": 7 / 10, "pr_50": 1.0, "pr_90": 1 / 3}),
        (FalsePremise(), {"see": 3 / 5, "ciou": 7 / 19}),
    ],
)
def test_phrases_about_something_and_nothing(metrics, expected):
    for phrase in PHRASES:
        metrics.add(*phrase)
    got = metrics.fractions()
    assert {name: got[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("empty", "miou", "left_out"), [("zero", 0.25, 0), ("one", 0.75, 0), ("left_out", 0.5, 1)]
)
def test_two_empty_masks(empty, miou, left_out):
    metrics = Res(empty=empty)
    metrics.add(Overlap(1, 2))
    metrics.add(Overlap(0, 0))
    assert metrics.fractions()["miou"] == miou
    assert metrics.left_out == left_out


def test_thresholds_are_met_without_rounding():
    metrics = Res()
    metrics.add(Overlap(7, 10))
    metrics.add(Overlap(6_999_999, 10_000_000))
    assert metrics.reached.counts == [2, 2, 1, 0, 0]


def test_ignored_pixels_count_for_nothing():
    found, true, ignored = (np.array([row], bool) for row in ([1, 1, 1, 0], [1, 0, 1, 1], [0, 1, 1, 0]))
    assert mask_overlap(found, true) == (2, 4)
    assert mask_overlap(found, true, ignored) == (1, 2)


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r"one size, got \(1, 4\) and \(4, 1\)"):
        mask_overlap(np.zeros((1, 4), bool), np.zeros((4, 1), bool))


def group(metrics, name, *phrases):
    for phrase in phrases:
        metrics.add(name, len(phrases), *phrase)


def test_r_refcoco_takes_groups_together():
    metrics = RRefCoco()
    group(
        metrics, "a", (Overlap(1, 2), True, False), (Overlap(4, 4), True, True), (Overlap(0, 4), False, False)
    )
    group(
        metrics,
        "b",
        (Overlap(3, 4), True, False),
        (Overlap(0, 9), False, True),
        (Overlap(0, 1), False, False),
    )
    group(metrics, "c", (Overlap(1, 1), True, False))
    expected = {
        "riou": (5 / 10 + 3 / 5 + 1) / 3,
        "mrr": (0 + 1 / 2) / 2,
        "miou": (0.75 + 0.75 + 1) / 3,
        "oiou": 9 / 11,
    }
    got = metrics.fractions()
    assert {name: got[name] for name in expected} == pytest.approx(expected)
    metrics.add("d", 2, Overlap(0, 5), True, False)
    assert metrics.incomplete == 1
    assert metrics.fractions()["riou"] == got["riou"]
    with pytest.raises(ValueError, match="expected 2 samples in the group d"):
        metrics.add("d", 3, Overlap(0, 5), True, False)


def test_an_image_weighs_the_same_with_many_phrases():
    metrics = PerImage()
    metrics.add("one", 1, Overlap(1, 2))
    for intersection in (0, 1, 2):
        metrics.add("three", 3, Overlap(intersection, 2))
    metrics.add("empty", 1, Overlap(0, 0))
    assert metrics.fractions() == {"giou_per_image": pytest.approx((0.5 + 0.5 + 1) / 3)}


A, B, NEAR_A, FAR = (0, 0, 4, 4), (10, 0, 14, 4), (0, 0, 4, 3), (30, 30, 31, 31)


@pytest.mark.parametrize(
    ("found", "true", "right"),
    [
        ([A], [A], True),
        ([NEAR_A], [A], True),
        ([A, NEAR_A], [A], False),  # one too many
        ([A], [A, B], False),  # one missing
        ([B, NEAR_A], [A, B], True),
        ([A, NEAR_A], [A, B], False),  # both on the same
        ([FAR], [A], False),
        ([], [A], False),
        ([], [], True),
        ([A], [], False),
    ],
)
def test_f1score_counts_what_is_wholly_right(found, true, right):
    metrics = Grec()
    metrics.add(found, true)
    assert metrics.fractions()["f1score"] == right
    assert metrics.fractions()["t_acc" if true else "n_acc"] == (bool(found) == bool(true))


@pytest.mark.parametrize(
    ("first", "second", "giou"),
    [(A, A, 1.0), (A, (4, 0, 8, 4), 0.0), (A, (8, 0, 12, 4), -1 / 3), ((0, 0, 0, 0), (0, 0, 0, 0), -1.0)],
)
def test_box_giou(first, second, giou):
    assert box_giou(first, second) == pytest.approx(giou)
    assert box_giou(second, first) == pytest.approx(giou)


def test_pairs_are_made_by_giou_not_iou():
    long, wide = (0, 0, 10, 1), (0, 0, 7, 1.5)
    assert box_iou(long, wide) > 0.5 > box_giou(long, wide)
    metrics = Grec()
    metrics.add([long], [wide])
    assert metrics.fractions()["f1score"] == 0.0


def test_best_boxes():
    half = (0, 0, 4, 2)
    loose, strict = Rec(), Rec(strict=True)
    for metrics in (loose, strict):
        metrics.add(half, A)
        metrics.add(None, A)
    assert loose.fractions()["acc_50"] == 0.5
    assert strict.fractions()["acc_50"] == 0.0
    assert loose.fractions()["box_iou"] == 0.25


def test_average_precision_of_a_short_list():
    metrics = AveragePrecision()
    metrics.add([(0.9, A), (0.8, NEAR_A)], [A])  # the second is a duplicate
    metrics.add([(0.7, B)], [B, FAR])
    metrics.add([(0.95, A)], [])  # about nothing
    # right: no, yes, no, yes; of 3. Recalls to 1/3 have precision 1/2, those to 2/3 too, the rest none.
    assert metrics.fractions()["ap_50"] == pytest.approx((34 + 33) / 101 / 2)
    assert metrics.fractions()["ap"] == pytest.approx((34 + 33) / 101 / 2)


def test_average_precision_falls_with_the_iou_wanted():
    metrics = AveragePrecision()
    metrics.add([(0.5, NEAR_A)], [A])  # IoU 0.75: right at six of ten thresholds
    assert metrics.fractions() == {"ap": pytest.approx(0.6), "ap_50": 1.0}
    assert AveragePrecision().fractions() == {"ap": None, "ap_50": None}


def test_points_in_boxes():
    metrics = PointCover()
    metrics.add(np.array([[1.0, 1.0], [20.0, 20.0]]), [A, B])
    metrics.add(np.array([[1.0, 1.0]]), [])
    assert metrics.fractions() == {"cover_acc": 0.5}


def test_pixel_box():
    mask = np.zeros((6, 8), bool)
    assert pixel_box(mask) == (0, 0, 0, 0)
    mask[2:4, 3:7] = True
    assert pixel_box(mask) == (3, 2, 6, 3)


def logits(*masks):
    return np.stack([np.where(mask, 4.0, -4.0) for mask in masks])


def test_muse_pairs_and_counts_what_is_left():
    pytest.importorskip("scipy", reason="needs the extra train")
    left, right, all_of_it = (np.array([row], bool) for row in ([1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]))
    assert paired(logits(right, left), [left, right]) == [(0, 1), (1, 0)]
    assert paired(logits(all_of_it)[:0], [left]) == []
    metrics = Muse()
    metrics.add([(logits(right, left, all_of_it), [left, right]), (logits(left), [all_of_it, right])])
    # 1 + 1 + 0 (one too many) + 1/2 + 0 (one missing), over the larger of 4 masks and 4 true ones
    assert metrics.fractions() == {"giou": 2.5 / 4, "ciou": (2 + 2 + 2) / (2 + 2 + 4 + 4 + 2)}


# Splitting, and putting together again.


def answer(rng, size=(6, 8)):
    height, width = size
    targets = []
    for score in sorted(rng.uniform(0, 1, rng.integers(0, 3)), reverse=True):
        mask = np.zeros(size, bool)
        top, left = rng.integers(0, height - 1), rng.integers(0, width - 1)
        mask[top : rng.integers(top + 1, height + 1), left : rng.integers(left + 1, width + 1)] = True
        targets.append(Target.from_mask(mask, float(score)))
    return Grounding("x", np.zeros(size, np.float32), tuple(targets), 0.5)


def samples(count, seed=0):
    """Make answers and truths, the truths in groups of five."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        truth = answer(rng).targets
        masks, boxes = [target.mask for target in truth], [target.box for target in truth]
        yield answer(rng), masks, boxes, (f"group {index // 5}", 5)


def measured(chosen):
    metrics = Metrics()
    for grounding, masks, boxes, group in chosen:
        metrics.add(grounding, masks, boxes, group=group)
    return metrics


def test_parts_add_up_to_the_whole_in_any_order():
    every = list(samples(60))
    whole = measured(every)
    assert None not in whole.fractions().values()
    random.Random(0).shuffle(every)
    parts = [measured(every[start::3]) for start in range(3)]
    together = Metrics()
    for part in reversed(parts):
        together.merge_state(json.loads(json.dumps(part.state())))
    assert together == whole
    assert together.fractions() == whole.fractions()


def test_memory_does_not_grow_with_the_samples():
    def held(count):
        state = measured(samples(count)).state()
        state["ranked"]["steps"] = {}  # at most one entry for each step of the scores
        return len(json.dumps(state))

    assert held(1000) < held(100) + 100  # longer numbers


def test_sums_of_different_metrics_are_not_added():
    with pytest.raises(ValueError, match="expected rejected 'zero' on both sides, got 'kept'"):
        Gres().merge(Gres(rejected="kept"))
    with pytest.raises(ValueError, match="expected the sums hits, samples, got"):
        Share().merge(Mean())


def test_a_mean_is_rounded_once():
    values = [Fraction(part, whole) for whole in range(1, 300) for part in (0, 1, whole // 2)]
    mean = Mean()
    for value in values:
        mean.add(value.numerator, value.denominator)
    assert mean.value == float(sum(values) / len(values))
    backwards = Mean()
    for value in reversed(values):
        backwards.add(value.numerator, value.denominator)
    assert mean == backwards


def test_boxes_alone_and_ignored_pixels():
    mask = np.zeros((2, 4), bool)
    mask[:, :2] = True
    grounding = Grounding("x", np.zeros((2, 4), np.float32), (Target.from_mask(mask, 0.9),), 0.9)
    metrics = Metrics()
    assert metrics.add(grounding, None, [(0, 0, 4, 2)]) == 0.5
    assert metrics.fractions()["giou"] is None
    assert metrics.fractions()["acc_50"] == 1.0
    assert metrics.add(grounding, [~mask | mask], [(0, 0, 4, 2)], ignored=~mask) == 1.0


def test_two_processes_measure_as_one(tmp_path):
    write_clip(tmp_path / "set", 5)
    one = run_eval([], tmp_path, "one.json")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    assert run_eval([sys.executable, *launcher], tmp_path, "two.json") == one
    assert one["samples"] == 5
    assert "none.png" in one["skipped"][0]
    assert set(one["by_tag"]) == {"odd", "even"}


def write_clip(folder, count):
    """Write frames with answers that the model gets partly right, and a record without a picture."""
    folder.mkdir()
    lines = [json.dumps({"image": "none.png", "instruction": "x", "masks": [], "boxes": []})]
    for index, frame in zip(range(count), load_clip().frames(), strict=False):
        height, width = frame.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        mask[height // 4 : -height // 4, width // 4 : -width // 4] = 255
        cv2.imwrite(str(folder / f"{index}.png"), frame[..., ::-1])
        cv2.imwrite(str(folder / f"{index}_mask.png"), mask)
        box = [width // 4, height // 4, width - width // 4, height - height // 4]
        record = {
            "image": f"{index}.png",
            "instruction": "the red cup",
            "masks": [f"{index}_mask.png"],
            "boxes": [box],
        }
        lines.append(json.dumps(record | {"tag": ("even", "odd")[index % 2]}))
    (folder / "index.jsonl").write_text("\n".join(lines) + "\n")


def run_eval(launcher, folder, output):
    program = [sys.executable, "-c", "from ivm_ros.cli import main; main()", "eval", "--device", "cpu"]
    command = [*launcher, *program, "--dataset", folder / "set", "--json", folder / output]
    # the order in which threads add decides the last digits of a probability
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("written to") == 1  # by one process, for all
    return json.loads((folder / output).read_text())
