"""What the demo measured, from what its watcher saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.grounding import Mask


class _Grounding(Protocol):
    @property
    def age(self) -> float: ...


class _Mask(Protocol):
    @property
    def stamp(self) -> int: ...
    def unpack(self) -> Mask: ...


def demo_report(
    seconds: float,
    positions: Mapping[int, float],
    groundings: Sequence[_Grounding],
    masks: Sequence[_Mask],
    truth_at: Callable[[float], Mask] | None,
) -> dict[str, Any]:
    """Summarize a run.

    Args:
        seconds: how long was watched.
        positions: stamp in ns -> seconds into the recording, of every frame the camera published.
        groundings: every grounding that came, with its age in seconds at publication.
        masks: every mask that came.
        truth_at: seconds into the recording -> true (H, W) mask; None where there is no truth.

    Returns:
        `frames_in`, `groundings_out`, `fps` (groundings a second), `age_ms_p50`, `age_ms_p99`,
        `mask_iou_mean` and `masks_compared`; None where nothing was measured.
    """
    ages = np.array([grounding.age for grounding in groundings if np.isfinite(grounding.age)])
    ious: list[float] = []
    for mask in masks:
        position = positions.get(mask.stamp)
        if truth_at is not None and position is not None:
            intersection, union = mask_overlap(mask.unpack(), truth_at(position))
            ious.append(intersection / union if union else 1.0)
    return {
        "seconds": round(seconds, 3),
        "frames_in": len(positions),
        "groundings_out": len(groundings),
        "fps": round(len(groundings) / seconds, 2),
        "age_ms_p50": round(1000 * float(np.percentile(ages, 50)), 2) if ages.size else None,
        "age_ms_p99": round(1000 * float(np.percentile(ages, 99)), 2) if ages.size else None,
        "mask_iou_mean": round(float(np.mean(ious)), 4) if ious else None,
        "masks_compared": len(ious),
    }
