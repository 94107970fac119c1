"""Labels of the rendered tabletop of which a known share is wrong, as those of people and machines are mixed.

People label a few views and are right. Machines label the others, and some of their labels are wrong in the
ways of real ones: another object, everything at once, a box somewhere, the right shape in the wrong place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop.scene import Scene
from ivm_ros.datasets.tabletop.store import Store
from ivm_ros.datasets.tabletop.visible import View
from ivm_ros.grounding import Heatmap, Image, Mask
from ivm_ros.language.phrases import Description
from ivm_ros.language.vocabulary import COLORS

MIN_SHARE, MAX_SHARE = 0.02, 0.4
"""Least and largest share of the picture that the targets cover."""

_TRIES = 12


@dataclass(frozen=True, eq=False)
class Label:
    """What somebody says that an instruction is about.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        instruction: in words.
        heatmap: (S, S) float32, 0 or 1.
        human: a person's label, else a machine's.
        fault: a name of `FAULTS`, or empty where the label is right.
    """

    image: Image
    instruction: str
    heatmap: Heatmap
    human: bool
    fault: str = ""


Fault = Callable[[Mask, npt.NDArray[np.uint8], Random], "Mask | None"]
"""True mask and instance map to a wrong mask; None where there is none of this sort."""


def _another(truth: Mask, instances: npt.NDArray[np.uint8], random: Random) -> Mask | None:
    others = np.unique(instances[(instances > 0) & ~truth]).tolist()
    large = [i for i in others if (instances == i).mean() >= MIN_SHARE]
    return instances == random.choice(large) if large else None


def _everything(truth: Mask, instances: npt.NDArray[np.uint8], random: Random) -> Mask | None:
    return instances > 0


def _box(truth: Mask, instances: npt.NDArray[np.uint8], random: Random) -> Mask | None:
    height, width = truth.shape
    h, w = (max(2, round(side * random.uniform(0.15, 0.45))) for side in (height, width))
    y, x = random.randint(0, height - h), random.randint(0, width - w)
    box = np.zeros_like(truth)
    box[y : y + h, x : x + w] = True
    return box


def _shifted(truth: Mask, instances: npt.NDArray[np.uint8], random: Random) -> Mask | None:
    """Move the true mask by more than half of its own size, within the picture as far as it goes."""
    ys, xs = np.nonzero(truth)
    sign = random.choice((-1, 1)), random.choice((-1, 1))
    by = [
        s * max(3, round(np.ptp(places) * random.uniform(0.5, 1.0)))
        for s, places in zip(sign, (ys, xs), strict=True)
    ]
    y, x = ys + by[0], xs + by[1]
    inside = (y >= 0) & (x >= 0) & (y < truth.shape[0]) & (x < truth.shape[1])
    moved = np.zeros_like(truth)
    moved[y[inside], x[inside]] = True
    return moved if moved.mean() >= MIN_SHARE / 2 else None


FAULTS: dict[str, Fault] = {
    "another object": _another,
    "all objects": _everything,
    "a box": _box,
    "shifted": _shifted,
}
"""What is wrong with a wrong label; all are equally frequent."""


class Labels:
    """Labels in memory, with random access.

    Args:
        labels: at least one.
    """

    def __init__(self, labels: list[Label]) -> None:
        self.labels = labels

    def __len__(self) -> int:
        """Return how many labels there are."""
        return len(self.labels)

    def item(self, index: int, random: Random) -> Label:
        """Return label `index`; nothing about it is by chance."""
        return self.labels[index]


def label_store(
    store: Store,
    side: int,
    seed: int,
    human: float = 1.0,
    wrong: float = 0.0,
    colors: Sequence[str] = tuple(COLORS),
    with_kind: bool = False,
) -> list[Label]:
    """Label views, one instruction about each where a clear one is found.

    Args:
        store: the views.
        side: of the square pictures that come out.
        seed: of instructions and faults.
        human: share of the labels that people make, all right.
        wrong: share of all labels that are wrong, all of them machines'.
        colors: that are asked for; objects of others are in the pictures all the same.
        with_kind: name colour and kind of the target, not the colour alone.

    Raises:
        ValueError: more labels are to be wrong than machines make.
    """
    if not 0 <= wrong <= 1 - human <= 1:
        raise ValueError(f"expected wrong <= 1 - human, got {wrong} wrong labels and {human} of people")
    labels = []
    for index in range(len(store)):
        record = store.records[index]
        random = Random(f"{seed} {record.seed} {record.view}")
        asked = _ask(store.scene(index), side, random, colors, with_kind)
        if asked is not None:
            image, instances, text, truth = asked
            draw = random.random()
            labels.append(_label(image, instances, text, truth, draw < human, draw >= 1 - wrong, random))
    return labels


def _label(
    image: Image,
    instances: npt.NDArray[np.uint8],
    text: str,
    truth: Mask,
    human: bool,
    wrong: bool,
    random: Random,
) -> Label:
    names = random.sample(sorted(FAULTS), len(FAULTS)) if wrong else []
    for name in names:
        mask = FAULTS[name](truth, instances, random)
        if mask is not None and not _agrees(mask, truth):
            return Label(image, text, mask.astype(np.float32), human, name)
    return Label(image, text, truth.astype(np.float32), human)


def _agrees(mask: Mask, truth: Mask) -> bool:
    """Whether a mask that was meant to be wrong happens to be right."""
    return bool((mask & truth).sum() > 0.5 * (mask | truth).sum())


def _ask(
    scene: Scene, side: int, random: Random, colors: Sequence[str], with_kind: bool
) -> tuple[Image, npt.NDArray[np.uint8], str, Mask] | None:
    """Return a square picture of a part of the scene, its instances, an instruction, and the true mask."""
    clear = [s for s in View(scene.objects, scene.instances).clear if s.item.color in colors]
    for _ in range(_TRIES if clear else 0):
        window = _window(scene.instances == random.choice(clear).item.instance, random)
        view = View(scene.objects, scene.instances[window])
        asked = [seen.item for seen in view.clear if seen.item.color in colors]
        if not asked:
            continue
        item = random.choice(asked)
        wanted = Description(kind=item.kind if with_kind else None, color=item.color)
        sure, perhaps = view.fitting(wanted)
        instances = _resize(scene.instances[window], side, cv2.INTER_NEAREST)
        truth = np.isin(instances, [seen.item.instance for seen in sure])
        if not perhaps and MIN_SHARE <= truth.mean() <= MAX_SHARE:
            image = _resize(scene.image[window], side, cv2.INTER_AREA)
            return image, instances, f"the {item.color} {wanted.kind or 'object'}", truth
    return None


def _window(shape: Mask, random: Random) -> tuple[slice, slice]:
    """Return a square round an object, not in its middle, of half to four fifths of the picture's height."""
    height, width = shape.shape
    size = round(height * random.uniform(0.5, 0.8))
    corner = []
    for places, length in zip(np.nonzero(shape), (height, width), strict=True):
        start = round(float(places.mean()) - size * random.uniform(0.25, 0.75))
        corner.append(min(max(start, 0), length - size))
    return slice(corner[0], corner[0] + size), slice(corner[1], corner[1] + size)


def _resize(picture: npt.NDArray[np.uint8], side: int, how: int) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)
