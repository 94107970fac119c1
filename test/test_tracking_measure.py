"""The simulation of a slow model, with things whose place is known on every frame."""

from __future__ import annotations

import numpy as np
import pytest

from ivm_ros.bench.slow_model import MIN_PIXELS, WAYS, perfect, published_iou, simulate
from ivm_ros.tracking.tracker import Carried, Tracker

FRAMES, STEP = 8, 5


def mask_at(number: int) -> np.ndarray:
    mask = np.zeros((40, 120), bool)
    mask[10:30, 10 + STEP * number : 40 + STEP * number] = True
    return mask


def truth(number: int) -> list[np.ndarray]:
    return [mask_at(number)]


class Knowing(Tracker):
    """Knows where everything is, and writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.number, self.calls, self.key = -1, [], None

    def see(self, image):
        self.number += 1
        return self.number

    def remember(self):
        self.calls.append(("remember", self.number))
        return self.number

    def adopt(self, number, groundings):
        self.calls.append(("adopt", number, self.number))
        self.key = number
        np.testing.assert_array_equal(groundings[0].mask, mask_at(number))
        return True

    def carried(self):
        groundings = perfect(truth, ["it"])(self.number, np.empty(0))
        return None if self.key is None else Carried(groundings, ((1.0,),), 0, self.key)

    def forget(self):
        self.key = None


def test_answers_come_late_and_the_model_is_asked_again_at_once() -> None:
    tracker, images = Knowing(), [np.zeros((40, 120, 3), np.uint8)] * FRAMES
    curves = simulate(images, truth, perfect(truth, ["it"]), tracker, delay=3)
    assert tracker.calls == [
        ("remember", 0),
        ("adopt", 0, 3),
        ("remember", 3),
        ("adopt", 3, 6),
        ("remember", 6),
    ]
    assert curves.first == 3 and curves.array("tracking").shape == (FRAMES - 3, 1)
    assert curves.mean("tracking") == curves.mean("every frame") == 1.0
    late = [3, 4, 5, 3, 4]  # frames since the one that was answered
    expected = [max(0, 30 - STEP * age) / (30 + STEP * age) for age in late]
    np.testing.assert_allclose(curves.array("no tracking")[:, 0], expected)
    assert set(curves.values) == set(WAYS)


def test_a_model_that_answers_before_it_is_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        simulate([], truth, perfect(truth, ["it"]), Knowing(), delay=0)


def test_what_counts() -> None:
    nothing, little, much = (np.zeros((40, 120), bool) for _ in range(3))
    little.flat[: MIN_PIXELS - 1] = True
    much.flat[: 2 * MIN_PIXELS] = True
    assert published_iou(nothing, nothing) == 1.0
    assert published_iou(much, nothing) == 0.0 and published_iou(nothing, much) == 0.0
    assert np.isnan(published_iou(much, little))
    assert published_iou(little, much) == pytest.approx((MIN_PIXELS - 1) / (2 * MIN_PIXELS))
