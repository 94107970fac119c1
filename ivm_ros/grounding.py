"""What every model returns (`Target`, `Grounding`) and what every model is (`Grounder`).

This is the ground floor: it imports numpy alone, and everything else in the package speaks
in these types. All of them are at the resolution of the input image.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
Image = npt.NDArray[np.uint8]
Heatmap = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

MAX_INSTRUCTION_CHARS = 1000
"""Longest instruction that is accepted; a spoken sentence has about 100 characters."""

MAX_INSTRUCTIONS = 32
"""Most instructions at a time, for each costs a pass of the model; a task names a handful of things."""

MAX_IMAGE_SIDE = 16384
"""Longest image side in pixels that is accepted, so that no message can claim all memory."""


class InvalidImageError(ValueError):
    """An array that is not an (H, W, 3) uint8 RGB image of a usable size."""


class InvalidInstructionError(ValueError):
    """Text that cannot be an instruction: not a string, empty or too long."""


def check_image(image: Any) -> Image:
    """Return `image` if it is a usable (H, W, 3) uint8 RGB array; raise `InvalidImageError` if not."""
    if not isinstance(image, np.ndarray):
        raise InvalidImageError(f"expected an (H, W, 3) uint8 numpy array, got {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InvalidImageError(
            f"expected an (H, W, 3) uint8 RGB image, got shape {image.shape} of {image.dtype}; "
            "convert it to RGB first"
        )
    height, width = image.shape[:2]
    if not (0 < height <= MAX_IMAGE_SIDE and 0 < width <= MAX_IMAGE_SIDE):
        raise InvalidImageError(f"expected sides between 1 and {MAX_IMAGE_SIDE} pixels, got {width}x{height}")
    return image


def check_instruction(instruction: Any) -> str:
    """Return the instruction without surrounding white space; raise `InvalidInstructionError` if unusable."""
    if not isinstance(instruction, str):
        raise InvalidInstructionError(f"expected an instruction as text, got {type(instruction).__name__}")
    text = " ".join(instruction.split())
    if not any(character.isalnum() for character in text):
        raise InvalidInstructionError(
            f"expected an instruction in words such as 'the red cup', got {instruction[:40]!r}"
        )
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise InvalidInstructionError(
            f"expected an instruction without control characters, got {instruction[:40]!r}"
        )
    if "\ufffd" in text:  # what the middleware puts where bytes were not UTF-8
        raise InvalidInstructionError(f"expected an instruction in UTF-8, got {instruction[:40]!r}")
    if len(text) > MAX_INSTRUCTION_CHARS:
        raise InvalidInstructionError(
            f"expected at most {MAX_INSTRUCTION_CHARS} characters of instruction, got {len(text)}"
        )
    return text


def check_instructions(instructions: Sequence[Any]) -> tuple[str, ...]:
    """Return several instructions as `check_instruction` does; none at all is fine.

    Raises:
        InvalidInstructionError: one of them is unusable, or there are more than `MAX_INSTRUCTIONS`.
    """
    if len(instructions) > MAX_INSTRUCTIONS:
        raise InvalidInstructionError(
            f"expected at most {MAX_INSTRUCTIONS} instructions at a time, got {len(instructions)}"
        )
    return tuple(check_instruction(instruction) for instruction in instructions)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


_BITS_OF_ONE = np.float32(1.0).view(np.uint32)


def _check_heat(heatmap: Heatmap) -> None:
    """Raise ValueError unless all values are in [0, 1]."""
    # One pass for what is right: read as integers, the values of [0, 1] are in order, and above them lie
    # larger ones, infinity, NaN and whatever has a sign. -0.0 is right too, and left to the second pass.
    if heatmap.view(np.uint32).max() <= _BITS_OF_ONE:
        return
    low, high = float(heatmap.min()), float(heatmap.max())
    if not (math.isfinite(low) and math.isfinite(high) and low >= 0.0 and high <= 1.0):
        raise ValueError(f"expected a heatmap in [0, 1] without NaN, got [{low}, {high}]")


def _check_probability(name: str, value: float) -> float:
    value = float(value)
    if not 0.0 <= value <= 1.0:  # also false for NaN
        raise ValueError(f"expected {name} in [0, 1], got {value}")
    return value


@dataclass(frozen=True, eq=False)
class Target:
    """One thing that the instruction is about.

    Attributes:
        box: (x_min, y_min, x_max, y_max) in pixels of the input image, half-open.
        mask: (H, W) bool at the input's size; true on the target. Held as a read-only view.
        point: (x, y) in pixels, inside the mask.
        score: confidence in [0, 1].
        label: the phrase it was found for; may be empty.

    Raises:
        ValueError: a field is out of range, or the point is outside the mask.
    """

    box: Box
    mask: Mask
    point: tuple[float, float]
    score: float
    label: str = ""

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.dtype != np.bool_:
            raise ValueError(f"expected an (H, W) bool mask, got {self.mask.shape} of {self.mask.dtype}")
        height, width = self.mask.shape
        x_min, y_min, x_max, y_max = (float(value) for value in self.box)
        if not (0 <= x_min < x_max <= width and 0 <= y_min < y_max <= height):
            raise ValueError(
                f"expected a box with 0 <= min < max inside {width}x{height}, got {tuple(self.box)}"
            )
        x, y = (float(value) for value in self.point)
        if not (0 <= x < width and 0 <= y < height and self.mask[int(y), int(x)]):
            raise ValueError(f"expected a point inside the mask, got ({x}, {y})")
        object.__setattr__(self, "box", (x_min, y_min, x_max, y_max))
        object.__setattr__(self, "point", (x, y))
        object.__setattr__(self, "mask", _read_only(self.mask))
        object.__setattr__(self, "score", _check_probability("score", self.score))

    @classmethod
    def from_mask(cls, mask: Mask, score: float, label: str = "") -> Target:
        """Make a target of an (H, W) bool mask: its bounding box, and its pixel nearest to the centroid.

        Raises:
            ValueError: the mask is empty.
        """
        ys, xs = np.nonzero(mask)
        if xs.size == 0:
            raise ValueError("expected a mask with at least one pixel, got an empty one")
        nearest = int(np.argmin((xs - xs.mean()) ** 2 + (ys - ys.mean()) ** 2))
        return cls(
            box=(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)),
            mask=mask,
            point=(float(xs[nearest]), float(ys[nearest])),
            score=score,
            label=label,
        )


@dataclass(frozen=True, eq=False)
class Grounding:
    """The answer to one instruction on one image.

    Attributes:
        instruction: the words that were grounded.
        heatmap: (H, W) float32 in [0, 1], the probability per pixel. Held as a read-only view.
        targets: what was found, best first; empty when nothing matches.
        existence: probability in [0, 1] that anything in the image matches.

    Raises:
        ValueError: the heatmap has another shape, dtype or range (NaN included), a target has
            another size, or the targets are not sorted by score.
    """

    instruction: str
    heatmap: Heatmap
    targets: tuple[Target, ...] = field(default=())
    existence: float = 0.0

    def __post_init__(self) -> None:
        if self.heatmap.ndim != 2 or self.heatmap.dtype != np.float32 or self.heatmap.size == 0:
            raise ValueError(
                f"expected an (H, W) float32 heatmap, got {self.heatmap.shape} of {self.heatmap.dtype}"
            )
        _check_heat(self.heatmap)
        targets = tuple(self.targets)
        for target in targets:
            if target.mask.shape != self.heatmap.shape:
                raise ValueError(
                    f"expected target masks of shape {self.heatmap.shape}, got {target.mask.shape}"
                )
        scores = [target.score for target in targets]
        if scores != sorted(scores, reverse=True):
            raise ValueError(f"expected targets best first, got scores {scores}")
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "heatmap", _read_only(self.heatmap))
        object.__setattr__(self, "existence", _check_probability("existence", self.existence))

    @property
    def found(self) -> bool:
        """Whether anything was found."""
        return bool(self.targets)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the image in pixels."""
        height, width = self.heatmap.shape
        return width, height

    @cached_property
    def mask(self) -> Mask:
        """(H, W) bool: the union of the targets' masks; all false when nothing was found."""
        if len(self.targets) == 1:
            return self.targets[0].mask
        union = np.zeros(self.heatmap.shape, dtype=np.bool_)
        for target in self.targets:
            union |= target.mask
        return _read_only(union)


def combine(groundings: Sequence[Grounding]) -> Grounding:
    """Merge the groundings of several instructions on one image into one, for a single picture.

    The heatmap is the maximum per pixel, the targets are all of them best first, existence is the
    highest, and the instruction joins the texts with "; ".

    Raises:
        ValueError: there are none, or their sizes differ.
    """
    if not groundings:
        raise ValueError("expected at least one grounding, got none")
    if len({grounding.size for grounding in groundings}) > 1:
        raise ValueError(f"expected one size, got {sorted({g.size for g in groundings})}")
    if len(groundings) == 1:
        return groundings[0]
    targets = [target for grounding in groundings for target in grounding.targets]
    return Grounding(
        instruction="; ".join(grounding.instruction for grounding in groundings),
        heatmap=np.maximum.reduce([grounding.heatmap for grounding in groundings]),
        targets=tuple(sorted(targets, key=lambda target: -target.score)),
        existence=max(grounding.existence for grounding in groundings),
    )


class Grounder(ABC):
    """A model that grounds instructions in images.

    The work is split where a second instruction on the same image begins: `encode` does all that
    does not depend on the words, `ground` does the rest. One instance is used by one thread at a time.
    """

    name: str = "grounder"

    @abstractmethod
    def encode(self, image: Image) -> Any:
        """Return features of an (H, W, 3) uint8 RGB image, for any number of `ground` calls.

        Raises:
            InvalidImageError: the image is not usable.
        """

    @abstractmethod
    def ground(self, features: Any, instruction: str) -> Grounding:
        """Return where `instruction` points to in the image that `features` were made of.

        Nothing found is an answer (no targets, low existence), never an exception.

        Raises:
            InvalidInstructionError: the instruction is empty, too long or not text.
        """

    def ground_many(self, features: Any, instructions: Sequence[str]) -> list[Grounding]:
        """Ground several instructions on one image; models that can batch them override this."""
        return [self.ground(features, instruction) for instruction in instructions]

    def __call__(self, image: Image, instruction: str) -> Grounding:
        """Encode `image` and ground `instruction` in it."""
        return self.ground(self.encode(check_image(image)), instruction)

    def interrupt(self) -> bool:
        """Make a call that another thread waits for come back with an error, where this grounder can.

        The one method that another thread may call while a call is under way. It does not wait.

        Returns:
            Whether it could; False where a call can only be waited for.
        """
        return False

    def close(self) -> None:  # noqa: B027 - optional for models that hold nothing
        """Give back memory and devices; the grounder is not used afterwards."""
