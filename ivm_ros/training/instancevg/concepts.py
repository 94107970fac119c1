"""What the renderer knows of a picture besides the answer: kinds and colours, learned by the patches.

A model that starts from chance sees one answer a picture, and learns from that to see hardly anything. Here
its patches also say what is in them. This is no part of the published training, and not of what is exported.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.datasets.tabletop.scene import SceneObject
from ivm_ros.grounding import Mask
from ivm_ros.language.phrases import Description
from ivm_ros.language.vocabulary import COLORS, KINDS

CELLS = 2
"""Cells along a side of a patch; each has a kind, a colour, and is asked for or not."""

IGNORE = -100
"""Class of cells that no loss looks at; the default of torch's cross entropy."""

_KINDS, _COLORS = tuple(KINDS), tuple(COLORS)
_SIZES = (len(_KINDS) + 1, len(_COLORS), 2)
_BACKGROUND = 0.1  # weight of its cells


def concept_classes(
    objects: Sequence[SceneObject], instances: npt.NDArray[np.uint8], cells: int
) -> npt.NDArray[np.int64]:
    """Return the kind and colour of each cell.

    Args:
        objects: of the scene.
        instances: (H, W) number of the object at each pixel; 0 is none.
        cells: along a side of the picture, squashed to a square.

    Returns:
        (2, cells, cells): a place in `KINDS`, or their number for the background; a place in `COLORS`, or
        `IGNORE` where there is none. Whether a cell is asked for is a third plane, of `asked_classes`.
    """
    tables = np.full((2, 256), IGNORE, np.int64)
    tables[0, 0] = len(_KINDS)
    for item in objects:
        tables[0, item.instance] = _KINDS.index(item.kind)
        if item.color is not None:
            tables[1, item.instance] = _COLORS.index(item.color)
    coarse = cv2.resize(instances, (cells, cells), interpolation=cv2.INTER_NEAREST)
    return tables[:, coarse]


def asked_classes(
    masks: Sequence[Mask], ignored: Mask | None, shape: tuple[int, int], cells: int
) -> npt.NDArray[np.int64]:
    """Return (1, cells, cells): 1 where a target is, 0 elsewhere, `IGNORE` on ignored pixels.

    Args:
        masks: (H, W) of the targets; there may be none.
        ignored: (H, W), or None.
        shape: height and width of the picture.
        cells: as above.
    """
    asked = np.zeros(shape, np.int16)
    for mask in masks:
        asked[mask] = 1
    if ignored is not None:
        asked[ignored] = IGNORE
    return cv2.resize(asked, (cells, cells), interpolation=cv2.INTER_NEAREST).astype(np.int64)[None]


def named_classes(wanted: Description) -> npt.NDArray[np.int64]:
    """Return (2,): places in `KINDS` and `COLORS` that the words name; `IGNORE` where they name none."""
    kind = _KINDS.index(wanted.kind) if wanted.kind is not None else IGNORE
    color = _COLORS.index(wanted.color) if wanted.color is not None else IGNORE
    return np.array([kind, color])


class ConceptHead(nn.Module):
    """Patches to the kinds and colours of their cells, and to what the words ask for.

    Words pass the same layer as patches, so that "red" and something red come to look alike.

    Args:
        width: of the encoder's tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, CELLS * CELLS * sum(_SIZES))

    def forward(self, patches: Tensor) -> tuple[Tensor, ...]:
        """Return (B, n, c, c) logits of kinds, colours and being asked for, of (B, g * g, E) patches.

        n is the number of classes, c is g * `CELLS`.
        """
        grid = round(patches.shape[1] ** 0.5)
        logits = self.linear(patches).transpose(1, 2).unflatten(2, (grid, grid))
        return F.pixel_shuffle(logits, CELLS).split(_SIZES, dim=1)

    def words(self, tokens: Tensor, padding: Tensor | None) -> tuple[Tensor, ...]:
        """Return (B, n) logits of kinds and colours that texts ask for.

        Args:
            tokens: (B, L, E) of the words.
            padding: (B, L) bool, true where a text has ended; None where all have the full length.
        """
        logits = self.linear(tokens).unflatten(2, (-1, CELLS * CELLS)).mean(dim=3)
        if padding is not None:
            logits = logits.masked_fill(padding[..., None], -torch.inf)
        return logits.amax(dim=1).split(_SIZES, dim=1)[:2]


def named_loss(found: Sequence[Tensor], classes: Tensor) -> Tensor:
    """Return the cross entropies of the kind and the colour that texts name, summed.

    Args:
        found: of `ConceptHead.words`.
        classes: (B, 2) of `named_classes`.
    """
    total = classes.new_zeros((), dtype=torch.float32)
    for logits, wanted in zip(found, classes.unbind(1), strict=True):
        losses = F.cross_entropy(logits, wanted, reduction="sum")
        total = total + losses / (wanted != IGNORE).sum().clamp(min=1)
    return total


def concept_loss(found: Sequence[Tensor], classes: Tensor) -> Tensor:
    """Return the cross entropies of kind, colour and being asked for, summed; the background counts little.

    Targets are few: all cells that are asked for count as much as all others.

    Args:
        found: of `ConceptHead`.
        classes: (B, 3, c, c) of `concept_classes` and `asked_classes`.
    """
    weights = torch.where(classes[:, 0] == len(_KINDS), _BACKGROUND, 1.0)
    total = classes.new_zeros((), dtype=torch.float32)
    for index, logits in enumerate(found):
        counted = weights * (classes[:, index] != IGNORE)
        if index == 2:
            counted = _balanced(counted, classes[:, index] == 1)
        values = F.cross_entropy(logits, classes[:, index], reduction="none")
        total = total + (values * counted).sum() / counted.sum().clamp(min=1e-6)
    return total


def _balanced(weights: Tensor, asked: Tensor) -> Tensor:
    few, others = weights * asked, weights * ~asked
    return few / few.sum().clamp(min=1e-6) + others / others.sum().clamp(min=1e-6)
