"""A camera with a slow model, simulated frame by frame: what is published when, and how good it is then.

Nothing is timed here. The model is asked about a frame and answers a fixed number of frames later; it is
asked again at once, about the newest frame then, as a node does. Three ways to publish are compared: the last
answer as it is, the last answer carried on by a tracker, and the same model without any delay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.grounding import Grounding, Image, Mask
from ivm_ros.tracking.tracker import Carried, Tracker

WAYS = ("no tracking", "tracking", "every frame")
MIN_PIXELS = 150
"""A frame where fewer pixels of the target are visible, but some, counts for no way: its IoU is chance."""

Model = Callable[[int, Image], tuple[Grounding, ...]]
"""Number and image of a frame -> one grounding per instruction."""


@dataclass
class Curves:
    """IoU with the truth at publish time.

    Attributes:
        values: way -> for each frame since the first answer, for each instruction, an IoU; NaN where it does
            not count.
        first: number of the first of these frames.
        lost: frames on which the tracker said that a target was newly lost.
    """

    values: dict[str, list[list[float]]] = field(default_factory=lambda: {way: [] for way in WAYS})
    first: int = 0
    lost: list[int] = field(default_factory=list)

    def array(self, way: str) -> npt.NDArray[np.float64]:
        """Return the (frames, instructions) IoUs of a way, NaN where they do not count."""
        return np.array(self.values[way], dtype=np.float64)

    def mean(self, way: str) -> float:
        """Return the mean IoU of a way over all that counts."""
        return float(np.nanmean(self.array(way)))


def simulate(
    frames: Iterable[Image],
    truth: Callable[[int], Sequence[Mask]],
    model: Model,
    tracker: Tracker,
    delay: int,
    watch: Callable[[int, Image, Carried], None] = lambda number, image, carried: None,
) -> Curves:
    """Return how good the three ways are on every frame since the first answer.

    Args:
        frames: (H, W, 3) uint8 RGB, as the camera gives them.
        truth: number of a frame -> one mask per instruction.
        model: asked on every frame, for the third way.
        tracker: fresh.
        delay: frames from asking to the answer, at least 1.
        watch: is shown what the tracker publishes.

    Raises:
        ValueError: the delay is less than a frame.
    """
    if delay < 1:
        raise ValueError(f"expected a delay of at least 1 frame, got {delay}")
    curves, lost = Curves(first=delay), 0
    asked, remembered = 0, -1
    waiting: tuple[Grounding, ...] = ()
    pasted: tuple[Grounding, ...] = ()
    for number, image in enumerate(frames):
        tracker.see(image)
        now = model(number, image)
        if number - asked == delay:
            pasted = waiting
            tracker.adopt(remembered, pasted)
            lost = 0
        if number == 0 or number - asked == delay:
            asked, waiting, remembered = number, now, tracker.remember()
        if not pasted:
            continue
        carried = tracker.carried()
        assert carried is not None
        watch(number, image, carried)
        if carried.lost > lost:
            curves.lost.append(number)
        lost = carried.lost
        truths = truth(number)
        for way, groundings in zip(WAYS, (pasted, carried.groundings, now), strict=True):
            row = [published_iou(one.mask, true) for one, true in zip(groundings, truths, strict=True)]
            curves.values[way].append(row)
    return curves


def published_iou(published: Mask, true: Mask) -> float:
    """Return the IoU of what is published; 1 if rightly nothing is, NaN if too little is visible to count."""
    visible = int(np.count_nonzero(true))
    if 0 < visible < MIN_PIXELS:
        return float("nan")
    overlap = mask_overlap(published, true)
    return overlap.intersection / overlap.union if overlap.union else 1.0


def perfect(truth: Callable[[int], Sequence[Mask]], instructions: Sequence[str]) -> Model:
    """Return a model that answers the true masks, to see what a tracker alone does."""
    from ivm_ros.models.instances import targets_from_heatmap

    def answer(number: int, image: Image) -> tuple[Grounding, ...]:
        groundings = []
        for text, mask in zip(instructions, truth(number), strict=True):
            heatmap = mask.astype(np.float32)
            targets = targets_from_heatmap(heatmap, 0.5, label=text) if mask.any() else ()
            groundings.append(Grounding(text, heatmap, targets, 1.0 if targets else 0.0))
        return tuple(groundings)

    return answer
