"""Teach ivm-tiny its closer look before all else: crops of stored views, without the rest of the network.

python -m ivm_ros.training.ivm_tiny.first_looks --store STORE --output LOOKS --steps 9000 --part closer

A crop costs a hundredth of what a view costs, so that a million of them are seen in minutes. `train --looks`
starts a run with what is learned; there the masks come from the network, and all is learned together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.files import load_weights
from ivm_ros.models.ivm_tiny.glimpses import SIDE, Closer, Outliner, cut
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.objects import LooksHead
from ivm_ros.training.ivm_tiny.data import IGNORE, classes_of
from ivm_ros.training.ivm_tiny.views import ShardPool, StoredViews
from ivm_ros.training.journal import Journal
from ivm_ros.training.losses import dice

PARTS = ("closer", "outliner")
_BATCH, _VIEWS, _FEWEST = 128, 16, 60
_RATE = 3e-3


@dataclass(frozen=True, eq=False)
class Crops:
    """N objects of views.

    Attributes:
        glimpses: (N, `SIDE`, `SIDE`, 3) uint8 RGB.
        coarse: (N, `SIDE`, `SIDE`) float32 in [0, 1]: their masks, as coarse as the network's first ones.
        fine: (N, `SIDE`, `SIDE`) float32 in [0, 1]: their masks.
        looks: (N, 3) classes of kind, colour, material, or `IGNORE`.
    """

    glimpses: Tensor
    coarse: Tensor
    fine: Tensor
    looks: Tensor


def draw_crops(pool: StoredViews, config: TinyConfig, rng: Random) -> Crops:
    """Return the objects of a few views that are not too small, through windows that are not quite right."""
    parts: list[tuple[Tensor, npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]] = []
    for scene in pool.draw(_VIEWS, rng):
        table = classes_of(scene.objects, config)
        pixels = np.bincount(scene.instances.ravel(), minlength=256)
        for item in scene.objects:
            if pixels[item.instance] < _FEWEST:
                continue
            mask = scene.instances == item.instance
            window = _window(mask, rng)
            left, top, right, bottom = window[0].tolist()
            inside = mask[top:bottom, left:right].astype(np.float32)
            fine = cv2.resize(inside, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            # a cell of the first masks is as many pixels of the view
            cells = max(2, round((right - left) / (4 * scene.instances.shape[1] / config.width)))
            coarse = cv2.resize(inside, (cells, cells), interpolation=cv2.INTER_AREA)
            coarse = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            shift = np.array([[1, 0, rng.gauss(0, 1.5)], [0, 1, rng.gauss(0, 1.5)]])
            coarse = cv2.warpAffine(coarse, shift, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
            parts.append((cut(scene.image, window), coarse, fine, table[:, item.instance]))
    rng.shuffle(parts)
    glimpses, coarse, fine, looks = zip(*parts[:_BATCH], strict=True)
    return _changed(
        Crops(
            torch.cat(glimpses),
            torch.from_numpy(np.stack(coarse)),
            torch.from_numpy(np.stack(fine)),
            torch.from_numpy(np.stack(looks)),
        ),
        rng,
    )


def _window(mask: npt.NDArray[np.bool_], rng: Random) -> npt.NDArray[np.int64]:
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    side = max(w, h) * rng.uniform(1.15, 1.6)
    spans = []
    for start, length, whole in ((x, w, width), (y, h, height)):
        wide = int(min(max(side, 16), whole))
        middle = start + length / 2 + rng.gauss(0, 0.05) * side
        first = int(min(max(middle - wide / 2, 0), whole - wide))
        spans.append((first, first + wide))
    (left, right), (top, bottom) = spans
    return np.array([[left, top, right, bottom]], np.int64)


def _changed(crops: Crops, rng: Random) -> Crops:
    """Mirror the crops, and change their light; colours keep their names."""
    generator = torch.Generator().manual_seed(rng.getrandbits(48))

    def drawn(low: float, high: float, channels: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(len(crops.fine), 1, 1, channels, generator=generator)

    pixels = (crops.glimpses / 255) ** drawn(0.75, 1.3) * drawn(0.75, 1.3) * drawn(0.92, 1.08, 3)
    pixels = (pixels - 0.45) * drawn(0.75, 1.2) + 0.45
    pixels = pixels + torch.randn(pixels.shape, generator=generator) * drawn(0, 0.03)
    glimpses = (pixels.clamp(0, 1) * 255).to(torch.uint8)
    if rng.random() < 0.5:
        return Crops(glimpses.flip(2), crops.coarse.flip(2), crops.fine.flip(2), crops.looks)
    return Crops(glimpses, crops.coarse, crops.fine, crops.looks)


class Naming(nn.Module):
    """The closer look, and what names things by it alone; loses less the better the names are.

    Args:
        config: of the network.
        start: a network to go on from, or None for chance. What names things is its own then, and rests:
            its other parts are used to that.
    """

    def __init__(self, config: TinyConfig, start: IvmTiny | None = None) -> None:
        super().__init__()
        self.closer, looks = Closer(config.channels), LooksHead(config)
        self.looks = nn.ModuleDict({name: getattr(looks, name) for name in ("kinds", "colors", "materials")})
        nn.init.normal_(self.closer.say.weight, std=0.05)
        if start is not None:
            self.closer.load_state_dict(start.closer.state_dict())
            for name, head in self.looks.items():
                head.load_state_dict(getattr(start.looks, name).state_dict())
            self.looks.requires_grad_(False)

    def forward(self, crops: Crops) -> dict[str, Tensor]:
        """Return the terms of the loss."""
        with torch.autocast("cpu", torch.bfloat16):
            said = F.relu(self.closer(crops.glimpses, crops.coarse).float())
        return {
            name: F.cross_entropy(head(said), crops.looks[:, index], ignore_index=IGNORE)
            for index, (name, head) in enumerate(self.looks.items())
        }


def put_into(model: IvmTiny, folder: Path) -> None:
    """Start a network with what a folder has of `PARTS`.

    Raises:
        ValueError: it has none.
    """
    files = [file for part in PARTS if (file := folder / f"{part}.pt").exists()]
    if not files:
        raise ValueError(f"expected {' or '.join(f'{part}.pt' for part in PARTS)} in {folder}, got neither")
    for file in files:
        state = torch.load(file, weights_only=True)
        model.load_state_dict({**model.state_dict(), **state})


class Outlining(nn.Module):
    """The outliner; loses less the nearer its masks are.

    Args:
        start: a network to go on from, or None for chance.
    """

    def __init__(self, start: IvmTiny | None = None) -> None:
        super().__init__()
        self.outliner = Outliner()
        if start is not None:
            self.outliner.load_state_dict(start.outliner.state_dict())

    def forward(self, crops: Crops) -> dict[str, Tensor]:
        """Return the terms of the loss."""
        coarse = torch.logit(crops.coarse.clamp(0.02, 0.98))
        with torch.autocast("cpu", torch.bfloat16):
            fine = self.outliner(crops.glimpses, coarse).float()
        everywhere = torch.ones_like(crops.fine, dtype=torch.bool)
        return {
            "fine": F.binary_cross_entropy_with_logits(fine, crops.fine),
            "dice": 0.2 * dice(fine, crops.fine, everywhere).mean(),
        }


def teach(task: nn.Module, draw: Callable[[], Crops], steps: int, journal: Journal) -> None:
    """Take so many steps; the rate falls linearly to 0."""
    weights = [weight for weight in task.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=_RATE, weight_decay=0.02, betas=(0.9, 0.98))
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1.0, (step + 1) / 100) * (1 - step / steps)
        terms: dict[str, Tensor] = task(draw())
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(weights, 2.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            values = {name: value.item() for name, value in terms.items()}
            journal.write(step + 1, values)
            journal.show(step + 1, values)


def main(
    store: Annotated[
        Path, typer.Option(help="folder with rendered shards, best of twice the network's size")
    ],
    output: Annotated[Path, typer.Option(help="folder for what is learned")],
    steps: Annotated[int, typer.Option(min=1, help=f"of {_BATCH} crops each")] = 9000,
    part: Annotated[str, typer.Option(help=f"one of {', '.join(PARTS)}")] = PARTS[0],
    seed: Annotated[int, typer.Option(help="of everything random")] = 0,
    start: Annotated[Path | None, typer.Option(help="weights to go on from, instead of chance")] = None,
) -> None:
    """Teach the closer look or the outliner."""
    if part not in PARTS:
        raise typer.BadParameter(f"expected one of {', '.join(PARTS)}, got {part!r}")
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    config, rng = TinyConfig(), Random(seed)
    pool = ShardPool(store, "train")
    if not len(pool):
        raise typer.BadParameter(f"expected finished train shards in {store}, got none")
    model = None if start is None else load_weights(start)[0]
    task: nn.Module = Naming(config, model) if part == "closer" else Outlining(model)
    output.mkdir(parents=True, exist_ok=True)
    journal = Journal(output, steps)
    teach(task, lambda: draw_crops(pool, config, rng), steps, journal)
    journal.close()
    torch.save(task.state_dict(), output / f"{part}.pt")


if __name__ == "__main__":
    typer.run(main)
