"""A user's own pictures as training data for ivm-tiny: each picture with a few of its questions.

A picture is changed by chance in ways that leave the words true: crops keep every target, and are left out
where words depend on what else is seen; a mirrored picture has left and right swapped in its words, or is not
mirrored; the light's colour stays where a colour is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.folder import Folder
from ivm_ros.evaluation.fingerprint import fingerprint
from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.grounding import Image, Mask
from ivm_ros.training.ivm_tiny.clues import OTHER, SAME
from ivm_ros.training.ivm_tiny.data import IGNORE
from ivm_ros.training.ivm_tiny.folder_parts import instructions_of
from ivm_ros.training.ivm_tiny.true_words import asked_for, mirrored, names_color, names_place

CLOSER = 4
"""Times the network's size that a picture is kept at, where it has so many pixels."""

_LEAST_SIDE = 0.55
_WORDS = re.compile(r"\w+")
_EMPTY_WORDS = {"the", "a", "an", "of", "to", "all", "every", "my", "that", "this", "is", "which", "please"}


@dataclass(frozen=True, eq=False)
class AskedPicture:
    """One picture, and K questions about it, with T different targets in all.

    Attributes:
        picture: (h, w, 3) uint8 RGB, at its own size up to `CLOSER` times the network's: for closer looks.
        fine: (T, h, w) bool: the masks there.
        image: (H, W, 3) uint8 RGB: the same, squashed to the network's size.
        texts: K instructions.
        present: (K,) bool whether anything matches.
        masks: (T, H, W) bool, none of them empty.
        meant: (K, T) int64: 1 for what is meant, 0 for what is not, `IGNORE` for what covers a part of it.
        seed: of all chance in what is made of it.
    """

    picture: Image
    fine: npt.NDArray[np.bool_]
    image: Image
    texts: tuple[str, ...]
    present: npt.NDArray[np.bool_]
    masks: npt.NDArray[np.bool_]
    meant: npt.NDArray[np.int64]
    seed: int


class OwnPictures:
    """Pictures of a folder with K questions about each, changed by chance.

    Args:
        folder: in the folder format.
        pictures: entries of each picture that is used.
        size: (width, height) of the network.
        questions: K, about each picture; a picture with fewer is asked the same again.
        negatives: share of the questions that are other pictures' words, taken as "not there" where the
            picture has no entry with such words; for folders in which whatever is asked about anywhere is
            labelled everywhere.
        flips: mirror pictures.
    """

    def __init__(
        self,
        folder: Folder,
        pictures: Sequence[Sequence[int]],
        size: tuple[int, int],
        questions: int = 3,
        negatives: float = 0.0,
        flips: bool = True,
    ) -> None:
        self.folder, self.pictures, self.size = folder, [tuple(entries) for entries in pictures], size
        self.questions, self.negatives, self.flips = questions, negatives, flips
        self._words = instructions_of(folder, [entry for entries in self.pictures for entry in entries])

    def __len__(self) -> int:
        """Return the number of pictures, good and bad."""
        return len(self.pictures)

    @property
    def identity(self) -> str:
        """The folder's annotations."""
        return f"{self.folder.index.name} {fingerprint(self.folder.index)}"

    def item(self, index: int, random: Random) -> AskedPicture:
        """Return picture `index` with questions; raise `RecordError` where an entry of it is unusable."""
        entries = list(self.pictures[index])
        random.shuffle(entries)
        samples = [self.folder.read(entry) for entry in entries[: self.questions]]
        asked = [(sample.instruction, sample.masks) for sample in samples]
        own = [_content(self._words[entry]) for entry in entries if entry in self._words]
        asked += self._absent(own, random, self.questions - len(asked))
        while len(asked) < self.questions:
            asked.append(random.choice(asked[: len(samples)]))
        return _changed(samples[0].image, asked, self.size, self.flips, random)

    def _absent(self, own: list[set[str]], random: Random, room: int) -> list[tuple[str, tuple[Mask, ...]]]:
        """Return questions made of other pictures' words, as many as chance wants and there is room for."""
        wanted = sum(random.random() < self.negatives for _ in range(self.questions))
        others = [words for words in set(self._words.values()) if not _overlap(_content(words), own)]
        chosen = random.sample(sorted(others), min(wanted, room, len(others)))
        return [(words, ()) for words in chosen]


def _content(instruction: str) -> set[str]:
    return set(_WORDS.findall(instruction.lower())) - _EMPTY_WORDS


def _overlap(words: set[str], own: Sequence[set[str]]) -> bool:
    """Tell whether words say less, or more, than one of a picture's own: "the cup" and "the red cup"."""
    return any(words <= mine or mine <= words for mine in own)


def _changed(
    image: Image,
    asked: Sequence[tuple[str, Sequence[Mask]]],
    size: tuple[int, int],
    flips: bool,
    random: Random,
) -> AskedPicture:
    texts, masks = [text for text, _ in asked], [mask for _, own in asked for mask in own]
    if not any(map(names_place, texts)) and random.random() < 0.7:
        window = _window(np.logical_or.reduce([np.zeros(image.shape[:2], np.bool_), *masks]), random)
        image, masks = image[window], [mask[window] for mask in masks]
    swapped = [mirrored(text) for text in texts]
    if flips and random.random() < 0.5 and None not in swapped:
        image, masks = image[:, ::-1], [mask[:, ::-1] for mask in masks]
        texts = [text for text in swapped if text is not None]
    own_size = _kept_size(image, size)
    picture = photographed(resized(image, own_size), any(map(names_color, texts)), random)
    targets = [_resized_mask(mask, size) for mask in masks]
    whose = [place for place, (_, own) in enumerate(asked) for _ in own]
    kept, meant = _different(targets, whose, len(asked))
    return AskedPicture(
        picture,
        _stacked([_resized_mask(masks[place], own_size) for place in kept], own_size),
        resized(picture, size),
        tuple(asked_for(text, random) for text in texts),
        np.array([bool(own) for _, own in asked]),
        _stacked([targets[place] for place in kept], size),
        meant,
        random.getrandbits(48),
    )


def _kept_size(image: Image, size: tuple[int, int]) -> tuple[int, int]:
    height, width = image.shape[:2]
    scale = min(1.0, CLOSER * size[0] / width, CLOSER * size[1] / height)
    return max(1, round(scale * width)), max(1, round(scale * height))


def _resized_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    return resized(mask.astype(np.uint8) * 255, size) > 127


def _stacked(masks: Sequence[Mask], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    return np.stack([np.zeros(size[::-1], np.bool_), *masks])[1:]


def _different(
    targets: Sequence[Mask], whose: Sequence[int], count: int
) -> tuple[list[int], npt.NDArray[np.int64]]:
    """Take targets of several questions that are the same thing together.

    Args:
        targets: (H, W) bool each.
        whose: the question of each.
        count: K questions.

    Returns:
        Which T masks are not empty and the first of each thing, and (K, T) which each question means.
    """
    kept: list[int] = []
    for number, target in enumerate(targets):
        if target.any() and all(mask_overlap(target, targets[other]).iou <= SAME for other in kept):
            kept.append(number)
    meant = np.zeros((count, len(kept)), np.int64)
    for question, target in zip(whose, targets, strict=True):
        for place, other in enumerate(kept):
            iou = mask_overlap(target, targets[other]).iou
            if iou > SAME:
                meant[question, place] = 1
            elif iou > OTHER and meant[question, place] == 0:
                meant[question, place] = IGNORE
    return kept, meant


def resized(picture: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Squash a picture to (width, height) as the grounder does."""
    shrinks = picture.shape[1] >= size[0] and picture.shape[0] >= size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=how), np.uint8)


def _window(kept: Mask, random: Random) -> tuple[slice, slice]:
    """Return a window by chance that has every pixel of `kept` and a margin."""
    scale = random.uniform(_LEAST_SIDE, 1.0)
    return _span(np.asarray(kept.any(axis=1)), scale, random), _span(
        np.asarray(kept.any(axis=0)), scale, random
    )


def _span(kept: npt.NDArray[np.bool_], scale: float, random: Random) -> slice:
    side = len(kept)
    length = min(side, max(1, round(side * scale * random.uniform(0.9, 1.1))))
    places = np.flatnonzero(kept)
    if not len(places):
        start = random.randint(0, side - length)
        return slice(start, start + length)
    margin = max(1, side // 40)
    first, last = max(0, int(places[0]) - margin), min(side, int(places[-1]) + 1 + margin)
    length = max(length, last - first)
    start = random.randint(max(0, last - length), min(first, side - length))
    return slice(start, start + length)


def photographed(image: Image, keep_colors: bool, random: Random) -> Image:
    """Return the picture as another camera might have taken it: light, blur, noise.

    Args:
        image: (H, W, 3) uint8 RGB.
        keep_colors: all channels change alike, and little, so that colours keep their names.
        random: decides.
    """
    reach = 0.08 if keep_colors else 0.25
    gain = random.uniform(1 - reach, 1 + reach)
    balance = np.array([1.0 if keep_colors else random.uniform(0.92, 1.08) for _ in range(3)])
    gamma = 1.0 if keep_colors else random.uniform(0.8, 1.25)
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * gain * balance
    table = (np.clip(levels, 0, 1) * 255).round().astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), np.uint8)
    if random.random() < 0.15:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.0)), np.uint8)
    if random.random() < 0.2:
        noise = np.random.default_rng(random.getrandbits(32)).standard_normal(image.shape, np.float32)
        image = np.clip(image + noise * random.uniform(1, 6), 0, 255).astype(np.uint8)
    return image
