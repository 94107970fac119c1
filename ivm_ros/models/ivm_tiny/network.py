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
from ivm_ros.models.ivm_tiny.glimpses import Windows, cut, places, windows
from ivm_ros.models.ivm_tiny.matcher import Scene
from ivm_ros.models.ivm_tiny.model import Asked, Found, IvmTiny

_REMEMBERED = 16  # sets of instructions; the words change rarely, the picture always


class Seen(NamedTuple):
    """What is known of a picture before any words.

    Attributes:
        found: its N objects.
        scene: the same, as words are matched with them.
        windows: through which they were looked at closely, in pixels of the picture.
        glimpses: (N, `SIDE`, `SIDE`, 3) uint8 what was seen there.
        where: (N, 4) the places of the windows, see `glimpses.places`.
    """

    found: Found
    scene: Scene
    windows: Windows
    glimpses: Tensor
    where: Tensor


class Engine(Protocol):
    """What computes; methods are called under `torch.inference_mode`."""

    name: str
    precision: str

    def see(self, small: Image, picture: Image) -> Seen:
        """Find the objects of a picture; arguments as of `TinyNetwork.see`."""
        ...

    def match(self, scene: Scene, asked: Asked) -> tuple[Logits, Logits]:
        """Return (Q, N) logits that objects are meant, and (Q,) logits that anything is."""
        ...

    def draw(self, seen: Seen, objects: Sequence[int]) -> Logits:
        """Return (n, `SIDE`, `SIDE`) mask logits of some of the objects in their windows."""
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
        precision: of its encoder: float32, bfloat16 or int8.
    """

    def __init__(self, model: IvmTiny, engine: Engine) -> None:
        self.config: TinyConfig = model.config
        self.engine, self.precision = engine.name, engine.precision
        self._engine = engine
        self._read = lru_cache(maxsize=_REMEMBERED)(model.read)

    @torch.inference_mode()
    def see(self, small: Image, picture: Image) -> Seen:
        """Find the objects of a picture.

        Args:
            small: (height, width, 3) uint8 RGB, of the network's own size: the whole picture squashed.
            picture: (H, W, 3) uint8 RGB, of any size: what is looked at closely.
        """
        return self._engine.see(small, picture)

    @torch.inference_mode()
    def match(self, seen: Seen, texts: tuple[str, ...]) -> tuple[Logits, Logits]:
        """Return (Q, N) logits that objects are meant by Q texts, and (Q,) logits that anything is."""
        return self._engine.match(seen.scene, self._read(texts))

    @torch.inference_mode()
    def draw(self, seen: Seen, objects: Sequence[int]) -> Logits:
        """Return (n, `SIDE`, `SIDE`) mask logits of some of the objects, by number, in their windows."""
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
        self.model, self.device, self._dtype = model, device, precision
        self.precision = str(precision).removeprefix("torch.")

    def see(self, small: Image, picture: Image) -> Seen:
        """Find the objects of a picture."""
        pixels = normalise(torch.from_numpy(small)[None].to(self.device)).to(self._dtype)
        features = Features(*(part.float() for part in self.model.image(pixels)))
        found = self.model.find(features)
        seen, glimpses, where = look_at(picture, found)
        glimpses, where = glimpses.to(self.device), where.to(self.device)
        return Seen(found, self.model.describe(features, found, glimpses, where), seen, glimpses, where)

    def match(self, scene: Scene, asked: Asked) -> tuple[Logits, Logits]:
        """Match words with objects."""
        matches = self.model.match(scene, asked)
        return matches.target.cpu().numpy(), matches.existence.cpu().numpy()

    def draw(self, seen: Seen, objects: Sequence[int]) -> Logits:
        """Refine masks."""
        chosen = list(objects)
        fine = self.model.outline(seen.glimpses[chosen], seen.where[chosen], seen.found.masks[chosen])
        logits: Logits = fine.cpu().numpy()
        return logits


def look_at(picture: Image, found: Found) -> tuple[Windows, Tensor, Tensor]:
    """Return the windows of objects in a picture, what is seen there, and where they lie."""
    size = picture.shape[1], picture.shape[0]
    seen = windows(found.masks.sigmoid(), size)
    return seen, cut(picture, seen), places(seen, size)
