"""The suite `tiny`: ivm-tiny with its own weights on a frame of the recorded clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ivm_ros.bench.suite import Alternative, Comparison, Options, finished, require_agreement
from ivm_ros.clip import load_clip
from ivm_ros.grounding import Grounding
from ivm_ros.models.registry import load

_TOLERANCE = 1e-3  # of probabilities, in float32


def suite(options: Options) -> Iterator[Comparison]:
    """Compare the parts of one frame's work, and four instructions one by one with four together."""
    grounder = load("ivm-tiny", device=options.device)
    clip = load_clip()
    image = next(clip.frames())
    instructions = list(clip.instructions)[:4]
    first, second = instructions[:2]
    features = grounder.encode(image)

    def one_by_one() -> list[Grounding]:
        return [grounder.ground(features, instruction) for instruction in instructions]

    def together() -> list[Grounding]:
        return grounder.ground_many(features, instructions)

    size = f"ivm-tiny, {image.shape[1]}x{image.shape[0]}"
    yield Comparison(
        f"{size}, one frame",
        (
            Alternative("first instruction", "encode and ground", lambda: grounder(image, first)),
            Alternative("encode", "without ground", lambda: finished(grounder.encode(image))),
            Alternative("second instruction", "ground alone", lambda: grounder.ground(features, second)),
        ),
    )
    difference = require_agreement("heatmaps", largest_difference(one_by_one, together), _TOLERANCE)
    yield Comparison(
        f"{size}, four instructions on one encoded frame",
        (
            Alternative("four grounds", "one by one", one_by_one),
            Alternative("ground many", "in one pass", together, numbers={"difference": difference}),
        ),
    )


def largest_difference(plain: Callable[[], list[Grounding]], other: Callable[[], list[Grounding]]) -> float:
    """Return the largest difference of a probability between the heatmaps of two ways."""
    pairs = zip(plain(), other(), strict=True)
    return max(float(np.abs(one.heatmap - two.heatmap).max()) for one, two in pairs)
