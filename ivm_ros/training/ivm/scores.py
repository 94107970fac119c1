"""How good generator and discriminator are on labels that were held out, and pictures of what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from accelerate.utils import send_to_device

from ivm_ros.evaluation.metrics import area_under_roc
from ivm_ros.grounding import Image
from ivm_ros.models.ivm.preprocess import squash
from ivm_ros.training.ivm.samples import LabelBatch, Labelled, Preparation, collator
from ivm_ros.training.ivm.tasks import DiscriminatorTask, GeneratorTask

_BATCH = 16
_PANELS = 8


class HeldOut:
    """Labels to score with, the same ones each time; unusable ones are left out.

    Args:
        data: prepared without cropping.
        count: how many, spread evenly over the data.
    """

    def __init__(self, data: Preparation, count: int = 200) -> None:
        self.data = data
        self._indices = np.linspace(0, len(data) - 1, min(count, len(data))).astype(int).tolist()

    def batches(self, device: torch.device) -> Iterator[LabelBatch]:
        """Yield them in batches."""
        collate = collator(self.data.tokenizer)
        items = []
        for index in self._indices:
            try:
                items.append(self.data.item(index, Random(index)))
            except ValueError:
                continue
            if len(items) == _BATCH:
                yield send_to_device(collate(items), device)
                items = []
        if items:
            yield send_to_device(collate(items), device)

    def labels(self, count: int) -> list[Labelled]:
        """Return the first few as the dataset has them."""
        found: list[Labelled] = []
        for index in self._indices:
            try:
                found.append(self.data.items.item(index, Random(index)))
            except ValueError:
                continue
            if len(found) == count:
                break
        return found


@torch.inference_mode()
def mask_scores(task: GeneratorTask, held_out: HeldOut, threshold: float = 0.5) -> dict[str, float]:
    """Return gIoU and cIoU at the network's size, of probabilities and labels above `threshold`."""
    ious: list[float] = []
    intersection = union = 0
    limit = float(np.log(threshold / (1 - threshold)))
    for batch in held_out.batches(_device(task)):
        guess, truth = task.logits(batch) > limit, batch.heat > threshold
        both, either = ((a).sum(dim=(1, 2)) for a in (guess & truth, guess | truth))
        ious += torch.where(either > 0, both / either.clamp(min=1), 1.0).tolist()
        intersection, union = intersection + int(both.sum()), union + int(either.sum())
    return {"giou": float(np.mean(ious)), "ciou": intersection / max(1, union)}


@torch.inference_mode()
def judgements(
    task: DiscriminatorTask, held_out: HeldOut
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return the (N,) logits of labels, and whether people made them."""
    logits, human = [], []
    for batch in held_out.batches(_device(task)):
        logits.append(task.judge(batch).float().cpu().numpy())
        human.append(batch.human.cpu().numpy())
    return np.concatenate(logits), np.concatenate(human)


def judge_scores(task: DiscriminatorTask, held_out: HeldOut) -> dict[str, float]:
    """Return how well people's labels are told from machines' (area under the ROC), and mean weights."""
    logits, human = judgements(task, held_out)
    weights = 1 / (1 + np.exp(-logits))
    return {
        "auc": area_under_roc(logits[human], logits[~human]),
        "weight_human": float(weights[human].mean()),
        "weight_machine": float(weights[~human].mean()),
    }


@torch.inference_mode()
def mask_sheet(task: GeneratorTask, held_out: HeldOut) -> Mapping[str, Image]:
    """Return a picture of the first few: heat in red, the label's outline in green, the words above."""
    side = task.ivm.config.vision.image_size
    batch = next(held_out.batches(_device(task)))
    heats = task.logits(batch).sigmoid().float().cpu().numpy()[:_PANELS]
    return {"masks": sheet(held_out.labels(_PANELS), heats, side)}


def sheet(labels: Sequence[Labelled], heats: npt.NDArray[np.float32], side: int) -> Image:
    """Draw labels and (N, S, S) heatmaps side by side, in pictures of at least 128 pixels."""
    shown = max(side, 128)
    panels = [
        _panel(label, cv2.resize(heat, (shown, shown)), shown)
        for label, heat in zip(labels, heats, strict=False)
    ]
    return np.concatenate(panels, axis=1)


def _panel(label: Labelled, heat: npt.NDArray[Any], side: int) -> Image:
    strength = 0.6 * np.asarray(heat, np.float32)[..., None]
    panel = (squash(label.image, side) * (1 - strength) + strength * np.array([255, 0, 0])).astype(np.uint8)
    truth = (cv2.resize(label.heatmap, (side, side)) > 0.5).astype(np.uint8)
    outlines, _ = cv2.findContours(truth, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(panel, outlines, -1, (0, 255, 0), 1)
    caption = np.zeros((16, side, 3), np.uint8)
    cv2.putText(
        caption, label.instruction, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 255), 1, cv2.LINE_AA
    )
    return np.concatenate([caption, panel])


def _device(task: torch.nn.Module) -> torch.device:
    return next(task.parameters()).device
