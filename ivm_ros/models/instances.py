"""From a heatmap to targets: threshold, connected pieces, no specks."""

from __future__ import annotations

import cv2
import numpy as np

from ivm_ros.grounding import Heatmap, Target


def targets_from_heatmap(
    heatmap: Heatmap,
    threshold: float = 0.5,
    label: str = "",
    min_area: float = 2e-4,
    min_share: float = 0.05,
    limit: int = 20,
) -> tuple[Target, ...]:
    """Return the connected pieces of a heatmap as targets, best first.

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
    above = (heatmap > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    if count == 1:
        return ()
    areas = stats[1:, cv2.CC_STAT_AREA]
    smallest = max(min_area * heatmap.size, min_share * areas.max(), 1)
    sums = np.bincount(labels.ravel(), weights=heatmap.ravel(), minlength=count)[1:]
    scores = np.clip(sums / areas * np.minimum(1.0, 2.0 * areas / areas.max()), 0.0, 1.0)
    kept = [index for index in np.argsort(-scores, kind="stable") if areas[index] >= smallest][:limit]
    return tuple(Target.from_mask(labels == index + 1, float(scores[index]), label) for index in kept)
