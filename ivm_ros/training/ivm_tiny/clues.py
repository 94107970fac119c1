"""What ivm-tiny says to samples before any calibration, and what is true of the objects that it finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.progress import track

from ivm_ros.datasets.samples import Dataset, Sample
from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.grounding import Image
from ivm_ros.models.ivm_tiny.files import Logits
from ivm_ros.models.ivm_tiny.grounder import TinyGrounder

MASK_THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
"""Thresholds of an object's pixels that are tried."""

UNCLEAR = -1
"""Label of an object of which nobody knows whether it is a target."""

SAME, OTHER = 0.5, 0.1
"""IoU with a true target above which an object is that one, and up to which it is another."""

_FAINT = -4.0
"""Logit under which an object is not tried as a target; the strongest always is."""


@dataclass(frozen=True, eq=False)
class Clues:
    """What the network says to one sample with N objects, and what is true.

    Attributes:
        present: whether anything matches.
        head: the existence head's logit.
        objects: (N,) float32 logits that each object is meant.
        meant: (N,) int64: 1 for a target, 0 for another object, or `UNCLEAR`.
        overlap: (K, 7) float64: the K strongest objects' common mask's IoU with the truth, the strongest
            alone first, at each of `MASK_THRESHOLDS`; (0, 7) where nothing matches.
    """

    present: bool
    head: float
    objects: Logits
    meant: npt.NDArray[np.int64]
    overlap: npt.NDArray[np.float64]

    @property
    def peak(self) -> float:
        """The highest logit of an object."""
        return float(self.objects.max())


def gather(grounder: TinyGrounder, dataset: Dataset[Sample]) -> list[Clues]:
    """Ask the network about every usable sample of a dataset, without any threshold.

    Raises:
        RecordError: a sample is unusable, and the dataset does not skip such.
        ValueError: a sample has boxes alone.
    """
    clues: list[Clues] = []
    image: Image | None = None
    heats = np.zeros((0, 1, 1), np.float32)
    for sample in track(dataset, "asking", len(dataset)):
        changed = image is None or not np.array_equal(image, sample.image)
        if changed:  # questions about one picture follow each other
            image, features = sample.image, grounder.encode(sample.image)
        said = grounder.look(features, [sample.instruction])[0]
        if changed:
            masks = grounder.masks(features, range(len(said.objects)))
            heats = np.stack([masks[number] for number in sorted(masks)])
        clues.append(
            Clues(
                bool(sample.masks),
                said.existence,
                said.objects,
                object_labels(heats > 0.5, sample),
                _overlaps(heats, said.objects, sample),
            )
        )
    return clues


def object_labels(found: npt.NDArray[np.bool_], sample: Sample) -> npt.NDArray[np.int64]:
    """Return which of (N, H, W) masks are targets of a sample: (N,) 1, 0, or `UNCLEAR`.

    A mask that covers a part of a target counts as wrong, since that is what scores promise: an IoU above
    `SAME`. One is unclear where it is empty, and where less than half of it are pixels that count.
    """
    counted = np.ones(found.shape[1:], np.bool_) if sample.ignored is None else ~sample.ignored
    area = found[:, counted].sum(axis=1)
    best = np.zeros(len(found))
    for true in sample.masks:
        common = found[:, true & counted].sum(axis=1)
        union = area + np.count_nonzero(true & counted) - common
        best = np.maximum(best, common / np.maximum(union, 1))
    labels = np.where(best > SAME, 1, 0)
    labels[2 * area < np.maximum(found.sum(axis=(1, 2)), 1)] = UNCLEAR
    return labels


def _overlaps(heats: npt.NDArray[np.float32], objects: Logits, sample: Sample) -> npt.NDArray[np.float64]:
    if not sample.masks:
        return np.zeros((0, len(MASK_THRESHOLDS)))
    order = np.argsort(-objects)
    tried = order[: max(1, int((objects > _FAINT).sum()))]
    truth = np.logical_or.reduce(list(sample.masks))
    together = np.zeros(truth.shape, np.float32)
    rows = []
    for number in tried:
        np.maximum(together, heats[number], out=together)
        rows.append([mask_overlap(together > cut, truth, sample.ignored).iou for cut in MASK_THRESHOLDS])
    return np.array(rows)
