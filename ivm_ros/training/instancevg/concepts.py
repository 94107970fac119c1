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
from ivm_ros.datasets.tabletop.vocabulary import COLORS, KINDS

CELLS = 2
"""Cells along a side of a patch; each has a kind and a colour."""

IGNORE = -100
"""Class of cells that no loss looks at; the default of torch's cross entropy."""

_KINDS, _COLORS = tuple(KINDS), tuple(COLORS)
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
        `IGNORE` where there is none.
    """
    tables = np.full((2, 256), IGNORE, np.int64)
    tables[0, 0] = len(_KINDS)
    for item in objects:
        tables[0, item.instance] = _KINDS.index(item.kind)
        if item.color is not None:
            tables[1, item.instance] = _COLORS.index(item.color)
    coarse = cv2.resize(instances, (cells, cells), interpolation=cv2.INTER_NEAREST)
    return tables[:, coarse]


class ConceptHead(nn.Module):
    """Patches to the kinds and colours of their cells.

    Args:
        width: of the encoder's tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, CELLS * CELLS * (len(_KINDS) + 1 + len(_COLORS)))

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, K + 1, c, c) and (B, C, c, c) logits of (B, g * g, E) patches; c is g * `CELLS`."""
        grid = round(patches.shape[1] ** 0.5)
        logits = self.linear(patches).transpose(1, 2).unflatten(2, (grid, grid))
        kinds, colors = F.pixel_shuffle(logits, CELLS).split([len(_KINDS) + 1, len(_COLORS)], dim=1)
        return kinds, colors


def concept_loss(found: tuple[Tensor, Tensor], classes: Tensor) -> Tensor:
    """Return the cross entropies of kind and colour, summed; the background counts little.

    Args:
        found: of `ConceptHead`.
        classes: (B, 2, c, c) of `concept_classes`.
    """
    weights = torch.where(classes[:, 0] == len(_KINDS), _BACKGROUND, 1.0)
    total = classes.new_zeros((), dtype=torch.float32)
    for index, logits in enumerate(found):
        counted = weights * (classes[:, index] != IGNORE)
        values = F.cross_entropy(logits, classes[:, index], reduction="none")
        total = total + (values * counted).sum() / counted.sum().clamp(min=1e-6)
    return total
