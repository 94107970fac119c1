"""Wrong labels on purpose, and a scaled-down IVM that learns from them; on drawn scenes, without OpenGL."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import cv2
import numpy as np
import pytest

import ivm_ros
from ivm_ros.datasets.tabletop.mislabelled import FAULTS, Label, label_store
from ivm_ros.datasets.tabletop.scene import SceneObject
from ivm_ros.datasets.tabletop.store import Store, ViewRecord

pytest.importorskip("accelerate", reason="needs the extra train")
from ivm_ros.training.ivm.tabletop import SIDE, Effort, Small

COLORS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 230), "yellow": (230, 220, 40)}


def drawn_store(count: int, seed: int) -> Store:
    """Draw pictures of three to five discs of four colours."""
    random = Random(seed)
    images, maps, records = [], [], []
    for number in range(count):
        image, instances = (
            np.full((192, 256, 3), random.randint(126, 130), np.uint8),
            np.zeros((192, 256), np.uint8),
        )
        objects = []
        for instance in range(1, random.randint(3, 5) + 1):
            color = random.choice(sorted(COLORS))
            centre, radius = (random.randint(20, 235), random.randint(20, 170)), random.randint(14, 28)
            cv2.circle(instances, centre, radius, instance, -1)
            cv2.circle(image, centre, radius, COLORS[color], -1)
            objects.append(SceneObject(instance, "ball", color, None, None, 1.0, (0.0, 0.0, 1.0)))
        images.append(image)
        maps.append(instances)
        records.append(ViewRecord(number + 10_000 * seed, 0, (200.0, 200.0, 128.0, 96.0), tuple(objects)))
    return Store(np.stack(images), np.stack(maps), tuple(records))


@pytest.fixture(scope="module")
def labels() -> list[Label]:
    return label_store(drawn_store(1500, 0), SIDE, seed=0, human=0.3, wrong=0.3)


def test_as_many_labels_are_wrong_as_wanted_and_none_of_peoples(labels):
    assert np.mean([label.human for label in labels]) == pytest.approx(0.3, abs=0.04)
    assert np.mean([bool(label.fault) for label in labels]) == pytest.approx(0.3, abs=0.04)
    assert not any(label.human and label.fault for label in labels)
    assert set(Counter(label.fault for label in labels)) == {"", *FAULTS}


def test_right_labels_are_the_colour_and_wrong_ones_are_not(labels):
    for label in labels:
        color = np.array(COLORS[label.instruction.split()[1]])
        near = np.abs(label.image.astype(int) - color).max(axis=-1) < 90
        overlap = (near & (label.heatmap > 0)).sum() / (near | (label.heatmap > 0)).sum()
        assert (overlap > 0.55) == (not label.fault), (label.fault, overlap)


def test_labels_are_the_same_again_and_other_seeds_give_others():
    store = drawn_store(20, 1)
    first, again, other = (label_store(store, SIDE, seed, 0.3, 0.3) for seed in (0, 0, 1))
    assert all(np.array_equal(a.heatmap, b.heatmap) for a, b in zip(first, again, strict=True))
    assert [label.fault for label in first] != [label.fault for label in other]


def test_more_wrong_labels_than_machines_make_are_refused():
    with pytest.raises(ValueError, match=r"expected wrong <= 1 - human, got 0\.5 wrong labels"):
        label_store(drawn_store(1, 0), SIDE, 0, human=0.6, wrong=0.5)


def test_the_discriminator_knows_wrong_labels_and_weighting_by_it_does_not_hurt(labels, tmp_path):
    """Nobody tells the discriminator which labels are wrong. About a minute on one core."""
    clean = label_store(drawn_store(200, 1), SIDE, seed=0)
    spoilt = label_store(drawn_store(200, 2), SIDE, seed=0, human=0.3, wrong=0.3)
    small = Small(labels, clean, spoilt, tmp_path, effort=Effort(judge_steps=250, judge_batch=16, steps=200))
    judge, scores = small.train_judge()
    assert scores["auc"] > 0.8
    assert scores["auc_machine"] > 0.8
    assert scores["weight_right"] > scores["weight_wrong"] + 0.2
    plain, weighted = (small.train_generator(weights, judge) for weights in ("none", "two-stage"))
    # The gain was 0.16, 0.01 and 0.03 with three seeds; another processor rounds as another seed would.
    assert weighted["giou"] > plain["giou"] - 0.03
    assert weighted["giou"] > 0.4
    lines = (tmp_path / "two-stage" / "log.jsonl").read_text().splitlines()
    losses = [line["loss"] for line in map(json.loads, lines) if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]
    grounder = ivm_ros.load("ivm", checkpoint=tmp_path / "two-stage" / "last", device="cpu")
    heatmap = grounder(clean[0].image, clean[0].instruction).heatmap
    assert heatmap.shape == (SIDE, SIDE) and heatmap.max() > heatmap.min()
