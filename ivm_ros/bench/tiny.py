"""The suite `tiny`: ivm-tiny with its own weights on a frame of the recorded clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np

from ivm_ros.bench.suite import Alternative, Comparison, Options, finished, require_agreement
from ivm_ros.bench.timing import Elapsed, Plan, Seconds, interleave
from ivm_ros.clip import load_clip
from ivm_ros.grounding import Grounding, Image
from ivm_ros.models.ivm_tiny.grounder import TinyGrounder
from ivm_ros.models.registry import load

_TOLERANCE = 1e-3  # of probabilities, in float32
_ROUNDED = {"bfloat16": 0.05, "int8": 0.3}
"""Of probabilities, with the encoder in so few bits."""


def suite(options: Options) -> Iterator[Comparison]:
    """Compare engines, the parts of one frame's work, and four instructions one by one and together."""
    clip = load_clip()
    image = next(clip.frames())
    instructions = list(clip.instructions)[:4]
    yield _engines(options.device, image, instructions)
    grounder = _loaded(options.device)
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
    yield _parts(grounder, image, first)
    difference = require_agreement("heatmaps", largest_difference(one_by_one, together), _TOLERANCE)
    yield Comparison(
        f"{size}, four instructions on one encoded frame",
        (
            Alternative("four grounds", "one by one", one_by_one),
            Alternative("ground many", "in one pass", together, numbers={"difference": difference}),
        ),
    )


def _parts(grounder: TinyGrounder, image: Image, text: str) -> Comparison:
    """Compare the parts of the network's own work on one frame, its words remembered."""
    network, config = grounder.network, grounder.network.config
    small = cv2.resize(image, (config.width, config.height), interpolation=cv2.INTER_AREA)
    seen = network.see(small, image)
    return Comparison(
        f"ivm-tiny, {config.width}x{config.height}, parts of the network ({network.engine})",
        (
            Alternative(
                "see", f"{len(seen.found.sure)} objects found", lambda: finished(network.see(small, image))
            ),
            Alternative("match", "one instruction", lambda: network.match(seen, (text,))),
            Alternative("draw", "the mask of one object", lambda: network.draw(seen, [0])),
        ),
    )


def _engines(device: str, image: Image, instructions: list[str]) -> Comparison:
    """Compare whole frames, picture to targets, by what runs them; each against PyTorch that reads anew."""
    one = instructions[:1]
    by_torch = _loaded(device, engine="torch", precision="float32")
    default = _loaded(device)
    ways: dict[str, tuple[str, str, Callable[[], list[Grounding]]]] = {
        "words read anew": ("PyTorch", "reading_anew", _frame(by_torch, image, one, forgetting=True)),
        "PyTorch": ("words remembered, as below", "torch", _frame(by_torch, image, one)),
    }
    limits = {"PyTorch": _TOLERANCE}
    if default.network.engine == "onnx":
        by_onnx = _loaded(device, engine="onnx", precision="float32")
        ways["ONNX Runtime"] = ("", "onnx", _frame(by_onnx, image, one))
        limits["ONNX Runtime"] = _TOLERANCE
    limits["default"] = _ROUNDED.get(default.network.precision, _TOLERANCE)
    ways["default"] = (
        f"as `load` picks: {default.network.engine}, {default.network.precision}",
        "",
        _frame(default, image, one),
    )
    rounded = _loaded(device, precision="bfloat16")
    ways["bfloat16"] = (
        f"precision=bfloat16: {rounded.network.engine}",
        "bfloat16",
        _frame(rounded, image, one),
    )
    limits["bfloat16"] = _ROUNDED["bfloat16"]
    ways["four instructions"] = ("default, in one pass", "four", _frame(default, image, instructions))
    plain = ways["words read anew"][2]
    numbers: dict[str, dict[str, float]] = {name: {} for name in ways}
    for name, limit in limits.items():
        apart = largest_difference(plain, ways[name][2])
        numbers[name]["difference"] = require_agreement(f"heatmaps of {name}", apart, limit)
    four = largest_difference(_frame(by_torch, image, instructions), ways["four instructions"][2])
    numbers["four instructions"]["difference"] = require_agreement(
        "heatmaps of four", four, limits["default"]
    )
    runs = {name: run for name, (_, _, run) in ways.items()}

    def measure(plan: Plan, elapsed: Elapsed) -> Mapping[str, Seconds]:
        times = interleave(runs, plan, elapsed=elapsed)
        for name, seconds in times.items():
            numbers[name]["fps"] = 1.0 / float(np.median(seconds))
            numbers[name]["fps_undisturbed"] = 1.0 / float(seconds.min())
        return times

    return Comparison(
        f"ivm-tiny, {image.shape[1]}x{image.shape[0]}, picture to targets, by engine",
        tuple(
            Alternative(name, what, key=key, numbers=numbers[name]) for name, (what, key, _) in ways.items()
        ),
        measure=measure,
        percentiles=(99,),
    )


def _loaded(device: str, **options: str) -> TinyGrounder:
    grounder = load("ivm-tiny", device=device, **options)
    if not isinstance(grounder, TinyGrounder):
        raise TypeError(f"expected ivm-tiny to be a TinyGrounder, got {type(grounder).__name__}")
    return grounder


def _frame(
    grounder: TinyGrounder, image: Image, texts: list[str], forgetting: bool = False
) -> Callable[[], list[Grounding]]:
    """Return what a node does with each frame."""

    def run() -> list[Grounding]:
        if forgetting:
            grounder.network.forget()
        return grounder.ground_many(grounder.encode(image), texts)

    return run


def largest_difference(plain: Callable[[], list[Grounding]], other: Callable[[], list[Grounding]]) -> float:
    """Return the largest difference of a probability between the heatmaps of two ways."""
    pairs = zip(plain(), other(), strict=True)
    return max(float(np.abs(one.heatmap - two.heatmap).max()) for one, two in pairs)
