"""What a grounder needs of a network, and the network with compiled layers."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from ivm_ros.engines.announce import announced
from ivm_ros.models.instancevg.beit3 import ImageTokens
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.model import InstanceVg


class Network(Protocol):
    """An InstanceVG that runs, whatever runs it."""

    @property
    def config(self) -> InstanceVgConfig:
        """Its sizes."""

    @property
    def device(self) -> torch.device:
        """Where its inputs must be."""

    def encode_image(self, pixels: Tensor) -> ImageTokens:
        """As `InstanceVg.encode_image`, of one picture."""

    def read(self, image: ImageTokens, ids: Tensor, padding: Tensor | None = None) -> Predictions:
        """As `InstanceVg.read`."""


class CompiledInstanceVg:
    """The network with its encoder's layers, most of its work, compiled by torch.

    Compiling takes about a minute, and on CPUs a C++ compiler. It is done when this is made, once for all
    layers: for one text and for several, of any length.

    Args:
        model: in eval mode, on its device; its layers are compiled in place.
    """

    def __init__(self, model: InstanceVg) -> None:
        self.config, self.device = model.config, model.device
        self.encode_image = model.encode_image
        self._model = model
        for layer in model.backbone.encoder.layers:
            layer.compile(dynamic=True)
        side = model.config.image_size
        with announced("compiling InstanceVG"), torch.inference_mode():
            image = self.encode_image(torch.zeros(1, 3, side, side, device=self.device))
            for texts in (1, 2):
                self.read(image, torch.zeros(texts, 7, dtype=torch.int64, device=self.device))

    def read(self, image: ImageTokens, ids: Tensor, padding: Tensor | None = None) -> Predictions:
        """As `InstanceVg.read`; the same code with and without padding."""
        if padding is None:
            padding = torch.zeros_like(ids, dtype=torch.bool)
        return self._model.read(image, ids, padding)
