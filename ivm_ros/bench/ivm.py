"""The suite `ivm`: IVM's grounder against the same weights run as the reference runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from ivm_ros.bench.ivm_subject import LOWER_PRECISIONS, Subject, choose_subject
from ivm_ros.bench.plain_ivm import Habits, PlainIvm
from ivm_ros.bench.random_ivm import INSTRUCTIONS
from ivm_ros.bench.suite import Alternative, Comparison, Options, require_agreement
from ivm_ros.clip import load_clip
from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.grounding import Heatmap, Image
from ivm_ros.models.ivm.grounder import IvmGrounder

_TOLERANCE = 1e-3  # of probabilities, in float32
_FRAMES_APART = 10  # of the recorded clip, 0.4 seconds


def suite(options: Options) -> Iterator[Comparison]:
    """Compare plain and ours, which must agree; then, unless it shall be brief, each ingredient by itself."""
    subject = choose_subject(options)
    frames = list(load_clip().frames())
    image, later = frames[0], frames[_FRAMES_APART]
    plain = PlainIvm(subject.model, subject.tokenizer, subject.state)
    instructions = INSTRUCTIONS[:1] if options.brief else INSTRUCTIONS
    heatmaps = [plain(image, instruction) for instruction in instructions]
    # Random weights make no object: the hotter half stands for the mask.
    threshold = float(np.clip(np.median(heatmaps[0]), 0.01, 0.99)) if subject.state is not None else 0.5
    ours = IvmGrounder(subject.model, subject.tokenizer, threshold)
    answers = ours.look(ours.encode(image), instructions)
    difference = max(_difference(*pair) for pair in zip(heatmaps, answers, strict=True))
    require_agreement("IVM's probabilities, plain and ours, in float32,", difference, _TOLERANCE)

    yield _one_frame(subject, plain, ours, image, difference)
    if options.brief:
        return
    yield _four_instructions(plain, ours, image, difference)
    yield _habits(subject, image, heatmaps[0])
    yield _condition_reuse(subject, ours, image, later)
    yield _precisions(subject, ours, image)


def _one_frame(
    subject: Subject, plain: PlainIvm, ours: IvmGrounder, image: Image, difference: float
) -> Comparison:
    first, second = INSTRUCTIONS[:2]
    features = ours.encode(image)
    positions = {
        "positions_before": features.prefix.length,
        "own_positions": len(subject.tokenizer.split(second).after),
    }
    return Comparison(
        f"{subject.about}; one instruction",
        (
            Alternative("plain", "as the reference runs it", lambda: plain(image, first)),
            Alternative(
                "first instruction",
                "encode and ground, to targets",
                lambda: ours(image, first),
                numbers={"difference": difference},
            ),
            Alternative(
                "second instruction",
                "ground alone",
                lambda: ours.ground(features, second),
                against="first instruction",
                numbers=positions,
            ),
        ),
    )


def _four_instructions(plain: PlainIvm, ours: IvmGrounder, image: Image, difference: float) -> Comparison:
    return Comparison(
        "four instructions on one frame",
        (
            Alternative(
                "plain, four instructions",
                "everything four times",
                lambda: [plain(image, instruction) for instruction in INSTRUCTIONS],
            ),
            Alternative(
                "four instructions",
                "one encode, one pass of the language model",
                lambda: ours.ground_many(ours.encode(image), INSTRUCTIONS),
                numbers={"difference": difference},
            ),
        ),
    )


def _habits(subject: Subject, image: Image, expected: Heatmap) -> Comparison:
    """Compare the plain way with itself without one of its habits, and without all that there are."""
    names = [habit.name for habit in fields(Habits)]
    if subject.state is None:
        names.remove("separate_adapters")  # a checkpoint's are merged when it is read
    layers = len(subject.model.prompt_encoder.model.language_model.layers)
    left = {
        "eager_attention": ("sdpa", "torch's fused attention instead of eager"),
        "language_head": ("no language head", ""),
        "stored_states": ("no stored states", "neither hidden states nor a cache"),
        "whole_last_layer": ("last layer for one position", f"of {layers} language layers"),
        "separate_adapters": ("merged adapters", ""),
    }
    variants = {left[name]: Habits(**{name: False}) for name in names}
    variants["all of these", "still everything for each instruction"] = Habits(**dict.fromkeys(names, False))
    plain = PlainIvm(subject.model, subject.tokenizer, subject.state)
    alternatives = [Alternative("plain, all habits", "", lambda: plain(image, INSTRUCTIONS[0]))]
    for (name, what), habits in variants.items():
        other = PlainIvm(subject.model, subject.tokenizer, subject.state, habits)
        difference = _difference(expected, other(image, INSTRUCTIONS[0]))
        require_agreement(f"IVM's probabilities with {name!r}", difference, _TOLERANCE)
        alternatives.append(
            Alternative(
                name,
                what,
                lambda other=other: other(image, INSTRUCTIONS[0]),  # type: ignore[misc]
                numbers={"difference": difference},
            )
        )
    return Comparison("plain, one instruction, with one thing done better", tuple(alternatives))


def _condition_reuse(subject: Subject, ours: IvmGrounder, image: Image, later: Image) -> Comparison:
    """Compare exact work on a later frame with a condition that is remembered from an earlier one."""
    instruction = INSTRUCTIONS[0]
    lazy = IvmGrounder(subject.model, subject.tokenizer, ours.threshold, condition_reuse=10**9)
    lazy(image, instruction)
    exact, approximate = ours(later, instruction).heatmap, lazy(later, instruction).heatmap
    return Comparison(
        f"next frame, same instruction; the condition is {_FRAMES_APART} frames old",
        (
            Alternative("exact", "encode and ground", lambda: ours(later, instruction)),
            Alternative(
                "condition reuse",
                "no language model; an approximation",
                lambda: lazy(later, instruction),
                numbers=_cost(exact, approximate, ours.threshold),
            ),
        ),
    )


def _precisions(subject: Subject, ours: IvmGrounder, image: Image) -> Comparison:
    """Compare float32 with all other precisions that can run here."""
    expected = ours(image, INSTRUCTIONS[0]).heatmap
    alternatives = [Alternative("float32", "", lambda: ours(image, INSTRUCTIONS[0]))]
    left_out = {}
    for name, what in LOWER_PRECISIONS.items():
        try:
            model = subject.in_precision(name)
        except ImportError as error:
            left_out[name] = str(error)
            continue
        other = IvmGrounder(model, subject.tokenizer, ours.threshold)
        alternatives.append(
            Alternative(
                name,
                what,
                lambda other=other: other(image, INSTRUCTIONS[0]),  # type: ignore[misc]
                numbers=_cost(expected, other(image, INSTRUCTIONS[0]).heatmap, ours.threshold),
            )
        )
    title = "ours, one instruction, in other precisions"
    if left_out:
        title += f"; {' and '.join(left_out)} left out: {next(iter(left_out.values()))}"
    return Comparison(title, tuple(alternatives))


def _difference(first: Heatmap, second: Heatmap) -> float:
    return float(np.abs(first - second).max())


def _cost(expected: Heatmap, got: Heatmap, threshold: float) -> dict[str, float]:
    """Return the largest difference of a probability, and the IoU of the masks above a threshold."""
    shared, either = mask_overlap(expected > threshold, got > threshold)
    return {"difference": _difference(expected, got), "mask_iou": shared / either if either else 1.0}
