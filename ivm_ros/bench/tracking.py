"""The suite `tracking`: masks at the camera's rate of a model that answers once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

import cv2
import numpy as np

from ivm_ros.bench.slow_model import simulate
from ivm_ros.bench.suite import Alternative, Comparison, DisagreementError, Options
from ivm_ros.clip import load_clip
from ivm_ros.grounding import Grounding, Image
from ivm_ros.models.registry import load
from ivm_ros.tracking.flow import FlowTracker

_SECONDS = 4  # of the clip
_INSTRUCTIONS = 2
_TIMED = 5  # frames that are played forwards and backwards, so that they go on without a cut
_WORST = 0.5  # of the ratio; below it something is broken, and times say nothing


def suite(options: Options) -> Iterator[Comparison]:
    """Compare the cost of a frame with a plain way, and tell how good it is: IoU at publish time."""
    grounder, clip = load("ivm-tiny", device=options.device), load_clip()
    instructions = [text for text, found in clip.instructions.items() if found][:_INSTRUCTIONS]
    frames = list(islice(clip.frames(), round(_SECONDS * clip.fps)))

    def answer(number: int, image: Image) -> tuple[Grounding, ...]:
        return tuple(grounder.ground_many(grounder.encode(image), instructions))

    curves = simulate(
        frames,
        lambda number: [clip.truth(number, text) for text in instructions],
        answer,
        FlowTracker(),
        round(clip.fps),
    )
    pasted, tracked, always = (curves.mean(way) for way in ("no tracking", "tracking", "every frame"))
    if not tracked > _WORST * always:
        raise DisagreementError(
            f"not timed: expected tracking to keep {_WORST:.0%} of an IoU of {always:.3f}, got {tracked:.3f}"
        )
    played = [*frames[:_TIMED], *frames[_TIMED - 2 : 0 : -1]]
    first = answer(0, frames[0])
    ours, plain = _following(played, first), _plainly_following(played, first)
    height, width = frames[0].shape[:2]
    yield Comparison(
        f"{len(played)} frames of {width}x{height} with {_INSTRUCTIONS} targets followed",
        (
            Alternative("plain", "full-size flow both ways (Farneback), everything warped", plain),
            Alternative(
                "tracking",
                "see and carried of the flow tracker",
                ours,
                key="",
                numbers={
                    "iou_ratio": tracked / always,
                    "iou_no_tracking_ratio": pasted / always,
                    "fps": len(played) / _fastest(ours),
                },
            ),
        ),
    )


def _following(frames: list[Image], groundings: tuple[Grounding, ...]) -> Callable[[], object]:
    def run() -> None:
        tracker = FlowTracker()
        tracker.see(frames[0])
        tracker.adopt(tracker.remember(), groundings)
        tracker.remember()  # as when the model is asked again at once
        for frame in frames:
            tracker.see(frame)
            tracker.carried()

    return run


def _plainly_following(frames: list[Image], groundings: tuple[Grounding, ...]) -> Callable[[], object]:
    """Return the plain way: flow of the whole frames both ways, a check, and everything warped each time."""
    height, width = frames[0].shape[:2]
    grid = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)

    def flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return cv2.calcOpticalFlowFarneback(first, second, np.empty(0), 0.5, 4, 15, 3, 5, 1.1, 0)

    def warped(values: np.ndarray, places: np.ndarray) -> np.ndarray:
        return cv2.remap(values, grid + places, None, cv2.INTER_LINEAR)

    def run() -> None:
        before = cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY)
        heats = [grounding.heatmap for grounding in groundings]
        masks = [target.mask.astype(np.float32) for one in groundings for target in one.targets]
        for frame in frames:
            now = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            back, forth = flow(now, before), flow(before, now)
            returns = np.abs(back + warped(forth, back)).sum(axis=2) < 1.5
            heats = [warped(heat, back) * returns for heat in heats]
            masks = [warped(mask, back) * returns for mask in masks]
            before = now

    return run


def _fastest(run: Callable[[], object]) -> float:
    """Return the least seconds of three runs: what the machine can do when nothing disturbs it."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
