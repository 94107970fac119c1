"""Encoded picture and words to classes, boxes, masks and existence; spec sections 5 to 8."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ivm_ros.models.instancevg.blocks import Mlp
from ivm_ros.models.instancevg.config import HeadConfig
from ivm_ros.models.instancevg.decoder import DeformableDecoder
from ivm_ros.models.instancevg.neck import SimpleFpn
from ivm_ros.models.instancevg.pixel_decoder import PixelDecoder
from ivm_ros.models.instancevg.queries import QueryGeneration


class Predictions(NamedTuple):
    """What the network says; D is the number of decoder layers asked for, the last of them last.

    Attributes:
        classes: (D, B, Q, 2) logits of target and background.
        boxes: (D, B, Q, 4) centre x, centre y, width, height as shares of the picture.
        instance_masks: (B, Q, 4g, 4g) logits of the last layer's queries.
        global_mask: (B, 1, 4g, 4g) logits of all targets together.
        existence: (B, 2) logits of there being a target, and none.
        points: (B, Q, 2) x and y as shares of the picture.
        attention: (B, g, g) how much the words look at each cell.
    """

    classes: Tensor
    boxes: Tensor
    instance_masks: Tensor
    global_mask: Tensor
    existence: Tensor
    points: Tensor
    attention: Tensor


class GroundingHead(nn.Module):
    """All that follows the encoder.

    Args:
        config: its sizes.
        backbone_width: of the encoder's tokens.
    """

    def __init__(self, config: HeadConfig, backbone_width: int) -> None:
        super().__init__()
        width = config.width
        self.img_embedding = nn.Conv2d(backbone_width, width, 1, bias=False)
        self.lan_embedding = nn.Linear(backbone_width, width, bias=False)
        self.neck = SimpleFpn(width)
        self.queries = QueryGeneration(config)
        self.decoder = DeformableDecoder(config)
        self.pixel_decoder = PixelDecoder(width)
        self.classes = nn.Linear(width, 2)
        self.boxes = Mlp((width, width, width, 4))
        self.boxes.start_bias(torch.tensor([0.0, 0.0, -2.0, -2.0]))  # boxes start small
        self.global_mask = nn.Conv2d(width, 1, 1)
        self.existence = Mlp((width, width, width, 2))

    def forward(self, image: Tensor, text: Tensor, count: Tensor, auxiliary: bool = False) -> Predictions:
        """Predict.

        Args:
            image: (B, E, g, g) of the encoder.
            text: (B, L, E) of the encoder.
            count: (B,) int64, how many words each text has, its begin and end counted.
            auxiliary: whether classes and boxes of all decoder layers are wanted, for training.
        """
        own = self.lan_embedding.weight.dtype  # the encoder may run in another precision
        image, text = self.img_embedding(image.to(own)), self.lan_embedding(text.to(own))
        queries = self.queries(text, count, image)
        levels = self.neck(image)
        states, references = self.decoder(queries.content, queries.points, levels)
        pixels = self.pixel_decoder(levels)
        shown = states if auxiliary else states[-1:]
        return Predictions(
            classes=self.classes(shown),
            boxes=self.place(shown, references),
            instance_masks=torch.einsum("bqc,bchw->bqhw", states[-1], pixels),
            global_mask=self.global_mask(pixels),
            existence=self.exists(pixels),
            points=queries.points,
            attention=queries.attention,
        )

    def place(self, states: Tensor, references: Tensor) -> Tensor:
        """Return (..., Q, 4) boxes of (..., Q, C) queries around their (..., Q, 2) references."""
        moves = self.boxes(states)
        inside = references.clamp(0, 1)
        centre = (inside.clamp(min=1e-3) / (1 - inside).clamp(min=1e-3)).log()
        return torch.cat([moves[..., :2] + centre, moves[..., 2:]], dim=-1).sigmoid()

    def exists(self, pixels: Tensor) -> Tensor:
        """Return (B, 2) logits, a mean over (B, C, H, W) pixels; the last layer is linear and comes after."""
        hidden = self.existence.hidden(pixels.flatten(2).transpose(1, 2))
        return self.existence.layers[-1](hidden.mean(dim=1))
