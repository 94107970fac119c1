"""From a heatmap to targets: threshold, connected pieces, no specks."""

from __future__ import annotations

import cv2
import numpy as np

from ivm_ros.grounding import Heatmap, Mask, Target


def targets_from_heatmap(
    heatmap: Heatmap,
    threshold: float = 0.5,
    label: str = "",
    min_area: float = 2e-4,
    min_share: float = 0.05,
    limit: int = 20,
) -> tuple[Target, ...]:
    """Return the connected pieces of a heatmap as targets, best first.

    Labels, sums and centroids are made in the box around all heat, then in the box of each piece, instead of
    over the whole picture, once for each piece.

    A target's score is the mean heat over its mask; where the mask is under half as large as the largest, in
    proportion less, as it may be a stray piece of that one.

    Args:
        heatmap: (H, W) float32 in [0, 1].
        threshold: heat above which a pixel belongs to a piece.
        label: of every target.
        min_area: pieces under this share of the picture are specks.
        min_share: pieces under this share of the largest piece are specks.
        limit: most targets returned.
    """
    above = (heatmap > threshold).view(np.uint8)
    left, top, width, height = cv2.boundingRect(above)
    if not width:
        return ()
    inside = np.s_[top : top + height, left : left + width]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(above[inside], connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = int(areas.max())
    smallest = max(min_area * heatmap.size, min_share * largest, 1)
    found = []
    for index in np.flatnonzero(areas >= smallest):
        x, y, w, h = (int(value) for value in stats[index + 1, :4])
        own = labels[y : y + h, x : x + w] == index + 1
        box = np.s_[top + y : top + y + h, left + x : left + x + w]
        mean = cv2.mean(heatmap[box], own.view(np.uint8))[0]
        score = min(1.0, mean * min(1.0, 2.0 * int(areas[index]) / largest))
        found.append((score, own, box))
    found.sort(key=lambda piece: -piece[0])
    return tuple(_target(heatmap.shape, *piece, label) for piece in found[:limit])


def _target(
    shape: tuple[int, ...], score: float, own: np.ndarray, box: tuple[slice, slice], label: str
) -> Target:
    """Return the target of an (h, w) mask in a box of the picture."""
    mask = np.zeros(shape, np.bool_)
    mask[box] = own
    rows, columns = box
    ys, xs = np.nonzero(own)
    ys += rows.start
    xs += columns.start
    nearest = int(np.argmin((xs - xs.mean()) ** 2 + (ys - ys.mean()) ** 2))
    return Target(
        box=(float(columns.start), float(rows.start), float(columns.stop), float(rows.stop)),
        mask=mask,
        point=(float(xs[nearest]), float(ys[nearest])),
        score=score,
        label=label,
    )


def target_of_mask(mask: Mask, score: float, label: str = "") -> Target | None:
    """Return the target of an (H, W) bool mask in which some pixel is true, else None."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return None
    box = np.s_[y : y + height, x : x + width]
    return _target(mask.shape, score, mask[box], box, label)
