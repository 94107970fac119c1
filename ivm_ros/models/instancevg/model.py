"""The whole network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ivm_ros.models.instancevg.beit3 import Beit3, ImageTokens, Streams
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.head import GroundingHead, Predictions


class InstanceVg(nn.Module):
    """InstanceVG.

    Args:
        config: its sizes.
    """

    def __init__(self, config: InstanceVgConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Beit3(config.backbone, config.grid)
        self.head = GroundingHead(config.head, config.backbone.width)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.head.lan_embedding.weight.device

    def encode_image(self, pixels: Tensor) -> ImageTokens:
        """Return all that does not depend on the words, of (B, 3, S, S) pixels."""
        return self.backbone.encode_image(pixels)

    def read(
        self, image: ImageTokens, ids: Tensor, padding: Tensor | None = None, auxiliary: bool = False
    ) -> Predictions:
        """Ground texts in an encoded picture.

        Args:
            image: of `encode_image`; one picture for all texts, or one for each.
            ids: (B, L) int64; L may be anything up to `max_tokens`, results do not depend on padding.
            padding: (B, L) bool, true where a text has ended; None where all have the full length.
            auxiliary: whether classes and boxes of all decoder layers are wanted, for training.
        """
        return self.answer(self.backbone.read(image, ids, padding), ids, padding, auxiliary)

    def encode(self, pixels: Tensor, ids: Tensor, padding: Tensor | None = None) -> Streams:
        """Return the encoder's tokens of (B, L) texts in (B, 3, S, S) pictures."""
        return self.backbone.read(self.encode_image(pixels), ids, padding)

    def answer(
        self, streams: Streams, ids: Tensor, padding: Tensor | None = None, auxiliary: bool = False
    ) -> Predictions:
        """Ground texts by the encoder's tokens of them; arguments as of `read`."""
        patches = streams.image[:, 1:].transpose(1, 2).unflatten(2, (self.config.grid, self.config.grid))
        length = ids.new_full((ids.shape[0],), ids.shape[1])
        count = length if padding is None else length - padding.sum(dim=1)
        return self.head(patches, streams.text, count, auxiliary)

    def forward(
        self, pixels: Tensor, ids: Tensor, padding: Tensor | None = None, auxiliary: bool = False
    ) -> Predictions:
        """Ground (B, L) texts in (B, 3, S, S) pictures."""
        return self.read(self.encode_image(pixels), ids, padding, auxiliary)
