"""Groundings to a message and shared memory, and back; the numbers arrive as they were, to the last bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ivm_ros.grounding import MAX_IMAGE_SIDE, Grounding, Mask, Target
from ivm_ros.remote.blocks import Blocks
from ivm_ros.remote.segment import Layout, Segment


def pack(groundings: Sequence[Grounding], segment: Segment) -> list[dict[str, Any]]:
    """Write heatmaps and masks into a segment, which grows as needed, and return the rest for a message.

    Raises:
        MemoryError: there is no room.
        TypeError: one of them is no grounding.
    """
    layout = Layout()
    answers: list[dict[str, Any]] = []
    arrays: list[tuple[int, np.ndarray]] = []

    def placed(array: np.ndarray) -> int:
        offset = layout.place(array.nbytes)
        arrays.append((offset, array))
        return offset

    for grounding in groundings:
        if not isinstance(grounding, Grounding):
            raise TypeError(f"expected a Grounding of the model, got {type(grounding).__name__}")
        answers.append(
            {
                "instruction": grounding.instruction,
                "existence": grounding.existence,
                "shape": list(grounding.heatmap.shape),
                "heatmap": placed(grounding.heatmap),
                "targets": [
                    {
                        "box": target.box,
                        "point": target.point,
                        "score": target.score,
                        "label": target.label,
                        "mask": placed(target.mask),
                    }
                    for target in grounding.targets
                ],
            }
        )
    segment.reserve(layout.size)
    for offset, array in arrays:
        segment.array(offset, array.shape, array.dtype)[...] = array
    return answers


def unpack(answers: Any, segment: Segment, blocks: Blocks) -> list[Grounding]:
    """Make the groundings of a message anew, with arrays of their own, and check them as if they were new.

    Args:
        answers: of `pack` in the other process, which is not trusted.
        segment: where that process wrote the arrays.
        blocks: memory for arrays.

    Raises:
        ValueError: the message is of another form, points outside of the segment, or is no valid grounding.
    """
    try:
        return [_grounding(answer, segment, blocks) for answer in answers]
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(
            f"expected groundings of the model's process, got something else: {type(error).__name__}: {error}"
        ) from error


def _grounding(answer: Mapping[str, Any], segment: Segment, blocks: Blocks) -> Grounding:
    height, width = (_whole(side, MAX_IMAGE_SIDE) for side in answer["shape"])
    shape = (height, width)
    targets = tuple(
        Target(
            box=_numbers(target["box"], 4),  # type: ignore[arg-type]
            mask=_mask(segment.array(_whole(target["mask"]), shape, np.uint8), blocks),
            point=_numbers(target["point"], 2),  # type: ignore[arg-type]
            score=target["score"],
            label=_text(target["label"]),
        )
        for target in answer["targets"]
    )
    shared = segment.array(_whole(answer["heatmap"]), shape, np.float32)
    heatmap = blocks.take(shape, np.float32)
    heatmap[...] = shared
    return Grounding(_text(answer["instruction"]), heatmap, targets, answer["existence"])


def _mask(shared: np.ndarray, blocks: Blocks) -> Mask:
    mask = blocks.take(shared.shape, np.bool_)
    # Compared and not just copied: a byte that is neither 0 nor 1 is no bool.
    return np.not_equal(shared, 0, out=mask)


def _whole(value: Any, most: int | None = None) -> int:
    if type(value) is not int or value < 0 or (most is not None and value > most):
        raise ValueError(
            f"expected a whole number from 0 to {most or 'the end of the segment'}, got {value!r}"
        )
    return value


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count:
        raise ValueError(f"expected {count} numbers, got {len(numbers)}")
    return numbers


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value
