"""What runs ivm-tiny: finds objects in a picture, matches words with them, draws the masks of a few."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ivm_ros.grounding import Image
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import Features, fold_batch_norms, normalise
from ivm_ros.models.ivm_tiny.files import Logits
from ivm_ros.models.ivm_tiny.matcher import Scene
from ivm_ros.models.ivm_tiny.model import Asked, Found, IvmTiny
from ivm_ros.models.ivm_tiny.objects import upsample

_REMEMBERED = 16  # sets of instructions; the words change rarely, the picture always


class Seen(NamedTuple):
    """What is known of a picture before any words.

    Attributes:
        found: its N objects.
        scene: the same, as words are matched with them.
        blend: (1, 9, 4, h, w) weights that masks are refined with.
    """

    found: Found
    scene: Scene
    blend: Tensor


class Engine(Protocol):
    """What computes; methods are called under `torch.inference_mode`."""

    name: str

    def see(self, picture: Image) -> Seen:
        """Find the objects of an (height, width, 3) uint8 RGB picture of the network's own size."""
        ...

    def match(self, scene: Scene, asked: Asked) -> tuple[Logits, Logits]:
        """Return (Q, N) logits that objects are meant, and (Q,) logits that anything is."""
        ...

    def draw(self, seen: Seen, objects: Sequence[int]) -> Logits:
        """Return (n, height / 2, width / 2) mask logits of some of the objects."""
        ...


class TinyNetwork:
    """ivm-tiny ready to run, whatever runs it.

    Instructions are read once and remembered: reading costs several milliseconds.

    Args:
        model: reads the words, by PyTorch in any case; its batch norms are folded.
        engine: computes the rest.

    Attributes:
        config: sizes.
        engine: name of what computes.
    """

    def __init__(self, model: IvmTiny, engine: Engine) -> None:
        self.config: TinyConfig = model.config
        self.engine = engine.name
        self._engine = engine
        self._read = lru_cache(maxsize=_REMEMBERED)(model.read)

    @torch.inference_mode()
    def see(self, picture: Image) -> Seen:
        """Find the objects of an (height, width, 3) uint8 RGB picture of the network's own size."""
        return self._engine.see(picture)

    @torch.inference_mode()
    def match(self, seen: Seen, texts: tuple[str, ...]) -> tuple[Logits, Logits]:
        """Return (Q, N) logits that objects are meant by Q texts, and (Q,) logits that anything is."""
        return self._engine.match(seen.scene, self._read(texts))

    @torch.inference_mode()
    def draw(self, seen: Seen, objects: Sequence[int]) -> Logits:
        """Return (n, height / 2, width / 2) mask logits of some of the objects, by number."""
        return self._engine.draw(seen, objects)

    def forget(self) -> None:
        """Forget all instructions: the next of them are read anew."""
        self._read.cache_clear()


class TorchEngine:
    """PyTorch.

    Args:
        model: in eval mode; is folded, moved and, if it must be, rounded in place.
        device: where it runs.
        precision: of the encoder; what follows, far smaller and decisive, stays in float32.
    """

    name = "torch"

    def __init__(self, model: IvmTiny, device: torch.device, precision: torch.dtype = torch.float32) -> None:
        fold_batch_norms(model)
        model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.image.to(precision)
        self.model, self.device, self.precision = model, device, precision

    def see(self, picture: Image) -> Seen:
        """Find the objects of a picture."""
        pixels = normalise(torch.from_numpy(picture)[None].to(self.device)).to(self.precision)
        features = Features(*(part.float() for part in self.model.image(pixels)))
        found = self.model.find(features)
        return Seen(found, self.model.describe(features, found), features.blend)

    def match(self, scene: Scene, asked: Asked) -> tuple[Logits, Logits]:
        """Match words with objects."""
        matches = self.model.match(scene, asked)
        return matches.target.cpu().numpy(), matches.existence.cpu().numpy()

    def draw(self, seen: Seen, objects: Sequence[int]) -> Logits:
        """Refine masks."""
        logits: Logits = upsample(seen.found.masks[list(objects)], seen.blend).cpu().numpy()
        return logits
