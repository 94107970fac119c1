"""All sizes of an InstanceVG, from the published base and large ones down to small ones for tests."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

from ivm_ros.models.limits import read_sizes

FORMAT = "instancevg 1"
"""Says in `config.json` that a folder holds an InstanceVG."""

LIMITS = {
    "image_size": (32, 4096),
    "max_tokens": (3, 4096),
    "width": (4, 8192),
    "heads": (1, 256),
    "ffn": (1, 65536),
    "layers": (1, 256),
    "patch": (1, 256),
    "vocabulary": (8, 2**20),
    "text_positions": (5, 4098),
    "queries": (1, 1024),
    "reader_heads": (1, 256),
    "reader_ffn": (1, 65536),
    "decoder_layers": (1, 64),
    "decoder_heads": (1, 256),
    "decoder_ffn": (1, 65536),
    "decoder_points": (1, 64),
}
"""Smallest and largest sizes that a file may claim: several times the large model's."""


@dataclass(frozen=True)
class BackboneConfig:
    """Sizes of the BEiT-3 encoder; the defaults are base's.

    Attributes:
        width: of its tokens.
        heads: of its attention.
        ffn: hidden width of its feed-forward networks.
        layers: number of layers.
        patch: side of a patch in pixels.
        vocabulary: rows of the table of words.
        text_positions: rows of the table of word positions; the first two are never used.
        drop_path: chance in training that the last layer is skipped for a picture; rises linearly from 0.
    """

    width: int = 768
    heads: int = 12
    ffn: int = 3072
    layers: int = 12
    patch: int = 16
    vocabulary: int = 64010
    text_positions: int = 1024
    drop_path: float = 0.1


@dataclass(frozen=True)
class HeadConfig:
    """Sizes of all that follows the encoder.

    Attributes:
        width: of its features; a multiple of 4.
        queries: number of queries, so most targets there can be.
        distance_weight: how much distance to the points picked already counts in picking the next.
        reader_heads: of the layer in which words read the picture.
        reader_ffn: its feed-forward width.
        decoder_layers: of the deformable decoder.
        decoder_heads: of its layers.
        decoder_ffn: their feed-forward width.
        decoder_points: samples per head and level.
        dropout: in training.
    """

    width: int = 256
    queries: int = 10
    distance_weight: float = 0.003
    reader_heads: int = 8
    reader_ffn: int = 512
    decoder_layers: int = 3
    decoder_heads: int = 8
    decoder_ffn: int = 1024
    decoder_points: int = 4
    dropout: float = 0.1


@dataclass(frozen=True)
class InstanceVgConfig:
    """An InstanceVG's sizes; the defaults are the published base model's with ten queries.

    Attributes:
        image_size: side of the square that pictures are squashed to; a multiple of two patches.
        max_tokens: most tokens of a text, its begin and end counted; longer ones are cut.
        backbone: the encoder.
        head: the rest.
        score_threshold: score above which a query is a target, unless whoever loads it says otherwise.
    """

    image_size: int = 320
    max_tokens: int = 50
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    score_threshold: float = 0.7

    def __post_init__(self) -> None:
        if not 0 < self.score_threshold < 1:
            raise ValueError(f"expected a score_threshold between 0 and 1, got {self.score_threshold}")
        if self.image_size % (2 * self.backbone.patch):
            raise ValueError(
                f"expected an image size that is a multiple of {2 * self.backbone.patch}, "
                f"got {self.image_size}"
            )
        if not 3 <= self.max_tokens <= self.backbone.text_positions - 2:
            raise ValueError(
                f"expected from 3 to {self.backbone.text_positions - 2} tokens, got {self.max_tokens}"
            )

    @property
    def grid(self) -> int:
        """Patches along a side of the picture."""
        return self.image_size // self.backbone.patch

    @classmethod
    def base(cls, queries: int = 10) -> InstanceVgConfig:
        """Return the published base model: ten queries for any number of targets, one for exactly one."""
        return cls(head=HeadConfig(queries=queries))

    @classmethod
    def large(cls, queries: int = 1) -> InstanceVgConfig:
        """Return the published large model; its authors trained it without skipping layers."""
        backbone = BackboneConfig(width=1024, heads=16, ffn=4096, layers=24, drop_path=0.0)
        return cls(backbone=backbone, head=HeadConfig(queries=queries))

    @classmethod
    def small(
        cls,
        image_size: int = 96,
        width: int = 64,
        layers: int = 2,
        queries: int = 5,
        vocabulary: int = 128,
        patch: int = 16,
        head_width: int | None = None,
        dropout: float = 0.1,
    ) -> InstanceVgConfig:
        """Return a scaled-down model of the same design, for tests, measurements and training on a CPU.

        Args:
            image_size: side of its input in pixels; a multiple of two patches.
            width: of the encoder; a multiple of 16.
            layers: of the encoder.
            queries: most targets.
            vocabulary: number of words' pieces, the special ones counted.
            patch: side of a patch in pixels.
            head_width: of all that follows the encoder, a multiple of 16; half of the encoder's if None.
            dropout: of the head, in training.
        """
        head_width = head_width or width // 2
        return cls(
            image_size=image_size,
            max_tokens=20,
            backbone=BackboneConfig(
                width=width,
                heads=width // 16,
                ffn=2 * width,
                layers=layers,
                patch=patch,
                vocabulary=vocabulary,
                text_positions=64,
                drop_path=0.0,
            ),
            head=HeadConfig(
                width=head_width,
                queries=queries,
                reader_heads=4,
                reader_ffn=width,
                decoder_heads=4,
                decoder_ffn=width,
                dropout=dropout,
            ),
        )

    def with_queries(self, queries: int) -> InstanceVgConfig:
        """Return the same sizes with another number of queries; no weight depends on it."""
        return replace(self, head=replace(self.head, queries=queries))

    def to_json(self) -> str:
        """Return the text of a `config.json`."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> InstanceVgConfig:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not of this format, or claims a size beyond `LIMITS`.
        """
        try:
            values = read_sizes(text, LIMITS)
            if values.pop("format") != FORMAT:
                raise ValueError("another format")
            return cls(
                backbone=BackboneConfig(**values.pop("backbone")),
                head=HeadConfig(**values.pop("head")),
                **values,
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"expected a configuration of format {FORMAT!r}: {error!r}") from error
