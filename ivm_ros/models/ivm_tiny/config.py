"""Sizes of ivm-tiny, and the names its concept heads know; stored with the weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ivm_ros.language.phrases import RELATIONS, SUPERLATIVES
from ivm_ros.language.vocabulary import COLORS, KINDS, MATERIALS
from ivm_ros.models.limits import read_sizes

LIMITS = {
    "width": (16, 2048),
    "height": (16, 2048),
    "widths": (1, 4096),
    "channels": (1, 4096),
    "heads": (1, 256),
    "text_depth": (1, 64),
    "matcher_depth": (1, 64),
    "buckets": (1, 2**20),
    "embedding": (1, 4096),
    "pixels": (1, 4096),
    "hidden": (1, 256),
    "pair": (1, 256),
    "most": (1, 1024),
}
"""Smallest and largest sizes that a file may claim."""


@dataclass(frozen=True)
class TinyConfig:
    """Everything that fixes the network's shape.

    Attributes:
        width: of the network's input, pixels; a multiple of 16.
        height: of the network's input, pixels; a multiple of 16.
        widths: encoder channels at strides 2, 4, 8, 16.
        channels: of words and objects.
        heads: of their attentions.
        text_depth: layers of the text encoder.
        matcher_depth: layers in which objects read the words and look at each other.
        buckets: rows of the hashed word embedding.
        embedding: width of the hashed word embedding.
        pixels: channels of the features that masks are made of.
        hidden: channels of each object's own convolutions.
        pair: channels of what is known of a pair of objects.
        most: objects of one picture; the surest are kept.
        kinds: names of the kind head's classes.
        colors: names of the colour head's classes.
        materials: names of the material head's classes.
        relations: names of the relation head's classes.
    """

    width: int = 256
    height: int = 192
    widths: tuple[int, int, int, int] = (24, 48, 96, 160)
    channels: int = 128
    heads: int = 4
    text_depth: int = 2
    matcher_depth: int = 3
    buckets: int = 8192
    embedding: int = 48
    pixels: int = 16
    hidden: int = 8
    pair: int = 16
    most: int = 24
    kinds: tuple[str, ...] = tuple(KINDS)
    colors: tuple[str, ...] = tuple(COLORS)
    materials: tuple[str, ...] = tuple(MATERIALS)
    relations: tuple[str, ...] = (*RELATIONS, *SUPERLATIVES)

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TinyConfig:
        """Rebuild from `to_json`'s text.

        Raises:
            ValueError: the text is no such configuration, or claims a size beyond `LIMITS`.
            TypeError: it has a field that there is not.
        """
        values = read_sizes(text, LIMITS)
        frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**frozen)
