"""What a run tells about itself: a log, scores, pictures, and weights that can be used meanwhile."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.models.ivm_tiny.files import save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.training.ivm_tiny.data import Batch
from ivm_ros.training.ivm_tiny.scoring import Case, answer_cases, summarise
from ivm_ros.training.ivm_tiny.views import ShardPool
from ivm_ros.training.journal import Journal

_LOG_EVERY = 50
_SCORED_VIEWS = 128


class Monitor:
    """Write a run's `log.jsonl`, contact sheets and weights, and TensorBoard events where that is installed.

    Args:
        output: the folder.
        store: where validation shards may be.
        model: the averaged weights, in eval mode.
    """

    def __init__(self, output: Path, store: Path, model: IvmTiny) -> None:
        self.output, self.model = output, model
        self.validation = ShardPool(store, "validation")
        self._journal = Journal(output, 1.0)
        self._terms: list[dict[str, float]] = []

    def log(self, step: int, elapsed: float, done: float, terms: dict[str, float], views: int) -> None:
        """Take the loss terms of a step; write their mean every few.

        Args:
            step: its number.
            elapsed: seconds of training so far.
            done: share of the run.
            terms: of the loss.
            views: that there are.
        """
        self._terms.append(terms)
        if step % _LOG_EVERY:
            return
        names = dict.fromkeys(name for each in self._terms for name in each)
        means = {name: float(np.mean([e[name] for e in self._terms if name in e])) for name in names}
        self._journal.write(step, {"seconds": elapsed, "views": views, **means})
        self._journal.show(done, means)
        self._terms = []

    def score(self, step: int) -> None:
        """Export the weights; score validation views and draw the first batch, where there are any."""
        save_weights(self.model, self.output / "ivm_tiny.safetensors", {"step": str(step)})
        self.validation.rescan()
        if not len(self.validation):
            return
        answered = list(answer_cases(self.model, self.validation, _SCORED_VIEWS))
        scores = summarise([case for _, cases in answered for case in cases])
        self._journal.write(step, scores)
        self._journal.picture(step, "sheet", contact_sheet(*answered[0]))

    def close(self) -> None:
        """Finish the files."""
        self._journal.close()


def contact_sheet(batch: Batch, cases: list[Case]) -> npt.NDArray[np.uint8]:
    """Draw a batch: a row per view, a column per question; the heat in red, the truth's outline in green."""
    per_view = len(cases) // len(batch.images)
    rows = []
    for index, image in enumerate(batch.pictures):
        row = [_panel(image, case) for case in cases[index * per_view : (index + 1) * per_view]]
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def _panel(image: npt.NDArray[np.uint8], case: Case) -> npt.NDArray[np.uint8]:
    heat = case.probability[..., None]
    panel = (image * (1 - 0.6 * heat) + heat * np.array([255, 0, 0]) * 0.6).astype(np.uint8)
    outlines, _ = cv2.findContours(case.truth.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(panel, outlines, -1, (0, 255, 0), 1)
    caption = np.zeros((16, panel.shape[1], 3), np.uint8)
    text = f"{case.question.text} [{case.existence:.1f}]"
    cv2.putText(caption, text, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([caption, panel])
