"""ivm-tiny cut into what graphs compute: a picture, masks, looks, outlines, words.

Between them Python chooses, by numbers that no graph knows in advance: which cells are tried, which masks
are kept. No graph has a threshold in it, so that its results differ little from PyTorch's, and never jump.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.engines.graphs import Axis, GraphSpec, Port, Size
from ivm_ros.grounding import MAX_INSTRUCTIONS
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import Features, normalise
from ivm_ros.models.ivm_tiny.glimpses import SIDE
from ivm_ros.models.ivm_tiny.matcher import Scene, Wanted
from ivm_ros.models.ivm_tiny.model import TRIED, Asked, Found, IvmTiny, maxima
from ivm_ros.models.ivm_tiny.objects import Cells
from ivm_ros.models.ivm_tiny.text import MAX_WORDS

READ = ("s4", "s8", "s16")
"""Features that objects are read from."""
SCENE = tuple(name for name in Scene._fields if name != "there")
"""What is known of the objects of one picture, all of which are there."""
ASKED = ("words", "said", *(f"{who}_{what}" for who in ("target", "anchor") for what in Wanted._fields))
"""The word side: tokens, which of them are no padding, what is asked for."""


def graphs(config: TinyConfig) -> tuple[GraphSpec, ...]:
    """Return the graphs in the order in which they run, for any number of objects, texts and words."""
    tried, kept = Axis("tried", 1, 16, TRIED), Axis("kept", 1, min(8, config.most), config.most)
    texts, words = Axis("texts", 1, 1, MAX_INSTRUCTIONS), Axis("words", 3, 8, MAX_WORDS + 2)
    _, *widths = config.widths
    at4 = (config.height // 4, config.width // 4)
    read = [
        Port(name, (1, channels, config.height // stride, config.width // stride))
        for name, channels, stride in zip(READ, widths, (4, 8, 16), strict=True)
    ]
    closer = (Port("glimpses", (kept, SIDE, SIDE, 3)), Port("where", (kept, 4)))
    masks = Port("masks", (kept, *at4))
    pixels, paint = Port("pixels", (1, config.pixels, *at4)), Port("paint", (1, 3, *at4))
    concepts = [len(names) + 1 for names in (config.kinds, config.colors, config.materials)]
    seen = [("tokens", config.channels)]
    seen += zip(("kinds", "colors", "materials"), (concepts[0] + 1, *concepts[1:]), strict=True)
    wanted = [(texts, width) for width in (concepts[0] + 1, *concepts[1:])] * 2
    return (
        GraphSpec(
            "picture",
            (Port("picture", (config.height, config.width, 3)),),
            (*READ, "maxima", "pixels", "paint"),
        ),
        GraphSpec(
            "masks",
            (*read, pixels, Port("y", (tried,)), Port("x", (tried,))),
            ("masks",),
        ),
        GraphSpec("looks", (*read, paint, masks, Port("sure", (kept,)), *closer), SCENE),
        GraphSpec("outlines", (masks, *closer), ("outlines",)),
        GraphSpec(
            "words",
            (
                *(Port(name, (1, kept, width)) for name, width in seen),
                Port("pairs", (1, kept, kept, config.pair)),
                *(
                    Port(name, shape)
                    for name, shape in zip(
                        ASKED, ((texts, words, config.channels), (texts, words), *wanted), strict=True
                    )
                ),
            ),
            ("target", "existence"),
        ),
    )


class Part(nn.Module):
    """A part of the network, with its weights under the names that they have in all graphs.

    Args:
        model: with folded batch norms.
    """

    def __init__(self, model: IvmTiny) -> None:
        super().__init__()
        self.model = model
        self.eval()


class PicturePart(Part):
    """All that is known before any object."""

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Take an (H, W, 3) uint8 picture."""
        image, pixels = self.model.image, normalise(picture[None])
        s4, s8, s16 = image.levels(pixels)
        return s4, s8, s16, maxima(image.heat(s4)[:, 0]), image.pixels(s4), F.avg_pool2d(pixels, 4)


class MasksPart(Part):
    """Masks of the cells that are tried."""

    def forward(
        self, s4: Tensor, s8: Tensor, s16: Tensor, pixels: Tensor, y: Tensor, x: Tensor
    ) -> tuple[Tensor]:
        """Take features, and cells."""
        features = Features(s4, s8, s16, pixels, pixels, pixels)
        return (self.model.masks(features, Cells(torch.zeros_like(y), y, x)),)


class LooksPart(Part):
    """What words are matched with."""

    def forward(
        self,
        s4: Tensor,
        s8: Tensor,
        s16: Tensor,
        paint: Tensor,
        masks: Tensor,
        sure: Tensor,
        glimpses: Tensor,
        where: Tensor,
    ) -> tuple[Tensor, ...]:
        """Take features, objects, and what a closer look at these shows."""
        features = Features(s4, s8, s16, paint, paint, paint)
        scene = self.model.describe(features, Found(masks, sure), glimpses, where)
        return tuple(scene[:-1])


class OutlinesPart(Part):
    """Fine masks."""

    def forward(self, masks: Tensor, glimpses: Tensor, where: Tensor) -> tuple[Tensor]:
        """Take coarse masks, and what a closer look shows."""
        return (self.model.outline(glimpses, where, masks),)


class WordsPart(Part):
    """Which objects are meant."""

    def forward(
        self,
        tokens: Tensor,
        kinds: Tensor,
        colors: Tensor,
        materials: Tensor,
        pairs: Tensor,
        words: Tensor,
        said: Tensor,
        target_kind: Tensor,
        target_color: Tensor,
        target_material: Tensor,
        anchor_kind: Tensor,
        anchor_color: Tensor,
        anchor_material: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Take each input by itself: the exporter knows the sizes of no others."""
        there = torch.ones(1, tokens.shape[1], dtype=torch.bool, device=tokens.device)
        asked = Asked(
            words,
            said,
            Wanted(target_kind, target_color, target_material),
            Wanted(anchor_kind, anchor_color, anchor_material),
        )
        matches = self.model.match(Scene(tokens, kinds, colors, materials, pairs, there), asked)
        return matches.target, matches.existence


PARTS: tuple[type[Part], ...] = (PicturePart, MasksPart, LooksPart, OutlinesPart, WordsPart)
"""What each of the `graphs` computes."""


def said(asked: Asked) -> dict[str, Tensor]:
    """Return the word side as the graph of the words takes it."""
    return dict(zip(ASKED, (asked.tokens, asked.mask, *asked.target, *asked.anchor), strict=True))


@torch.inference_mode()
def example(model: IvmTiny, size: Size) -> dict[str, Tensor]:
    """Return inputs of all graphs at an end of their sizes: noise, masks of nothing, any words."""
    ports = {port.name: port.sizes(size) for spec in graphs(model.config) for port in spec.inputs}
    generator = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 256, ports["picture"], generator=generator, dtype=torch.uint8)
    texts, words, _ = ports["words"]
    texts = max(texts, 2) if size == "high" else texts
    asked = model.read([" ".join(["cup"] * max(1, words - 2 - index)) for index in range(texts)])
    features = model.image(normalise(picture[None]))
    (height, width), (tried,), kept = features.heat.shape[-2:], ports["y"], ports["masks"][0]
    y, x = (torch.randint(0, end, (tried,), generator=generator) for end in (height, width))
    sure = torch.rand(kept, generator=generator)
    masks = torch.randn(kept, height, width, generator=generator)
    glimpses = torch.randint(0, 256, ports["glimpses"], generator=generator, dtype=torch.uint8)
    where = torch.rand(kept, 4, generator=generator) * 0.5
    scene = model.describe(features, Found(masks, sure), glimpses, where)
    seen = dict(zip(SCENE, scene, strict=False))
    places = {"y": y, "x": x, "masks": masks, "sure": sure, "glimpses": glimpses, "where": where}
    return {"picture": picture, **features._asdict(), **places, **seen, **said(asked)}
