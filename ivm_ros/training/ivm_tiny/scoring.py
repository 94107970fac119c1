"""Scores of ivm-tiny on stored views: masks, boxes and existence, by tag."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt
import torch

from ivm_ros.datasets.tabletop.instructions import Question
from ivm_ros.evaluation.metrics import area_under_roc
from ivm_ros.grounding import Heatmap, Image
from ivm_ros.models.ivm_tiny.files import sigmoid
from ivm_ros.models.ivm_tiny.grounder import Calibration, TinyGrounder
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.training.ivm_tiny.data import Batch, make_batch
from ivm_ros.training.ivm_tiny.views import ShardPool


@dataclass(frozen=True, eq=False)
class Case:
    """One question and the network's raw answer.

    Attributes:
        question: what was asked.
        truths: (H, W) bool masks, one for each target.
        counted: (H, W) bool, false on ignored pixels.
        probability: (H, W) float32 at the view's size.
        existence: logit of the existence head.
    """

    question: Question
    truths: tuple[npt.NDArray[np.bool_], ...]
    counted: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.float32]
    existence: float

    @property
    def present(self) -> bool:
        """Whether anything matches."""
        return bool(self.question.targets)

    @property
    def truth(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool: all targets together."""
        nothing = np.zeros(self.counted.shape, np.bool_)
        return np.logical_or.reduce([nothing, *self.truths])

    def iou(self, threshold: float) -> float:
        """Return the mask's intersection over union, over the counted pixels."""
        guess, truth = (self.probability > threshold) & self.counted, self.truth
        union = (guess | truth).sum()
        return float((guess & truth).sum() / union) if union else 1.0


def answer_cases(
    model: IvmTiny, pool: ShardPool, views: int, per_view: int = 4, seed: int = 0
) -> Iterator[tuple[Batch, list[Case]]]:
    """Yield batches of validation questions with the model's answers; equal seeds give equal questions.

    Args:
        model: in eval mode.
        pool: of the validation or test split.
        views: how many, spread evenly over the pool.
        per_view: questions about each.
        seed: of the questions.
    """
    rng = Random(seed)
    # of a copy, since a grounder folds its batch norms
    grounder = TinyGrounder(copy.deepcopy(model), Calibration(), torch.device("cpu"))
    indices = np.linspace(0, len(pool) - 1, min(views, len(pool))).astype(int).tolist()
    for start in range(0, len(indices), 8):
        scenes = [pool.scene(index) for index in indices[start : start + 8]]
        batch = make_batch(scenes, rng, per_view, model.config, split="validation")
        cases = []
        for index, scene in enumerate(scenes):
            asked = batch.questions[index * per_view : (index + 1) * per_view]
            heats, existence = _answer(grounder, scene.image, [question.text for question in asked])
            for question, heat, exists in zip(asked, heats, existence, strict=True):
                truths = tuple(scene.instances == target for target in question.targets)
                counted = ~np.isin(scene.instances, question.ignored)
                cases.append(Case(question, truths, counted, heat, exists))
        yield batch, cases


def _answer(grounder: TinyGrounder, image: Image, texts: list[str]) -> tuple[list[Heatmap], list[float]]:
    """Return for each text the heat of the objects that are meant, and the logit that anything is."""
    features = grounder.encode(np.ascontiguousarray(image))
    said = grounder.look(features, texts)
    masks = grounder.masks(features, range(len(said[0].objects)))
    whole = np.stack([masks[number] for number in sorted(masks)])
    heats = [(sigmoid(each.objects)[:, None, None] * whole).max(axis=0) for each in said]
    return heats, [each.existence for each in said]


def summarise(cases: list[Case], threshold: float = 0.5) -> dict[str, float]:
    """Return mask IoU by tag over present targets, and how well existence parts present from absent.

    `giou` is the mean over present cases; `exist_auc` the area under the ROC curve of the existence head.
    """
    by_tag: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        if case.present:
            by_tag[case.question.tag].append(case.iou(threshold))
    scores = {f"giou_{tag}": float(np.mean(values)) for tag, values in sorted(by_tag.items())}
    everything = [value for values in by_tag.values() for value in values]
    scores["giou"] = float(np.mean(everything)) if everything else float("nan")
    scores["exist_auc"] = area_under_roc(
        [case.existence for case in cases if case.present],
        [case.existence for case in cases if not case.present],
    )
    return scores
