"""Teach ivm-tiny which of its finds are pieces of one object, once it finds what it finds.

python -m ivm_ros.training.ivm_tiny.joining --store STORE --weights RUN/ivm_tiny.safetensors --output JOINED

Nothing else of the network changes. What is taught are pairs of finds in views that it was trained on, by the
true object that each lies in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from rich.progress import track
from torch import Tensor

from ivm_ros.checkpoints import read_metadata
from ivm_ros.models.ivm_tiny.encoder import Features, normalise
from ivm_ros.models.ivm_tiny.files import load_weights, save_weights
from ivm_ros.models.ivm_tiny.joiner import SAME, Joiner, pairs
from ivm_ros.models.ivm_tiny.model import Found, IvmTiny, maxima, strongest
from ivm_ros.training.ivm_tiny.data import Batch, make_batch
from ivm_ros.training.ivm_tiny.views import ShardPool

NOWHERE, UNCLEAR = -1, -2
"""Labels of finds that lie in no object, and of those that nobody can tell."""
_INSIDE, _OUTSIDE = 0.6, 0.25
"""Share of a find in one object from which it is of that object, and up to which it is of none."""
_VIEWS = 8  # of a batch
_WHOLE = 0.7  # share of the views that are shown whole
_PAIRS, _RATE = 4096, 3e-3


def owners(found: Found, truth: Tensor) -> Tensor:
    """Return (N,) which of (M, h, w) true masks in [0, 1] each find lies in, or `NOWHERE` or `UNCLEAR`."""
    inside = (found.masks > 0).float().flatten(1)
    if not len(truth):
        return torch.full((len(inside),), NOWHERE)
    shares = inside @ truth.flatten(1).T / inside.sum(dim=1, keepdim=True).clamp(min=1)
    best, owner = shares.max(dim=1)
    return torch.where(best > _INSIDE, owner, torch.where(best < _OUTSIDE, NOWHERE, UNCLEAR))


def examples(found: Found, owner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pairs of finds, in one order and in the other, and whether they are of one object.

    Pairs with a find that is unclear, or of which neither lies in an object, teach nothing.
    """
    described = pairs(found.masks, found.sure)
    first, second = torch.triu_indices(len(owner), len(owner), 1)
    one, other = owner[first], owner[second]
    clear = (one != UNCLEAR) & (other != UNCLEAR) & ((one != NOWHERE) | (other != NOWHERE))
    first, second = first[clear], second[clear]
    return described[first, second], described[second, first], (owner[first] == owner[second]).float()


@torch.no_grad()
def seen(model: IvmTiny, batch: Batch) -> Iterator[tuple[Found, Tensor]]:
    """Yield what the network finds in each view of a batch before any is joined, and whose each find is."""
    features = model.image(normalise(batch.images))
    truth = F.avg_pool2d(batch.masks[:, None].float(), 4)[:, 0]
    for number in range(len(batch.images)):
        mine = Features(*(part[number : number + 1] for part in features))
        cells, heat = strongest(maxima(mine.heat))
        found = model.pieces(model.masks(mine, cells), heat)
        yield found, owners(found, truth[batch.image == number])


def gather(model: IvmTiny, pool: ShardPool, views: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the `examples` of so many views; of the split train they are augmented.

    Raises:
        ValueError: there are none.
    """
    rng, parts = Random(seed), []
    for _ in track(range(-(-views // _VIEWS)), f"looking at {pool.split} views"):
        batch = make_batch(pool.draw(_VIEWS, rng), rng, 0, model.config, split=pool.split, whole=_WHOLE)
        parts += [examples(*each) for each in seen(model, batch)]
    there, back, same = (torch.cat(column) for column in zip(*parts, strict=True))
    if not len(same):
        raise ValueError(
            f"expected finds in {views} views of {pool.split}, got at most one each; train longer first"
        )
    return there, back, same


def teach(joiner: Joiner, there: Tensor, back: Tensor, same: Tensor, steps: int, seed: int) -> None:
    """Fit a joiner to examples; the rate falls linearly to 0."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(joiner.parameters(), lr=_RATE, weight_decay=0.01)
    for step in track(range(steps), "learning"):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - step / steps)
        drawn = torch.randint(len(same), (_PAIRS,), generator=generator)
        logits = joiner.of_pairs(there[drawn], back[drawn])
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(logits, same[drawn]).backward()
        optimizer.step()


@torch.no_grad()
def judged(joiner: Joiner, there: Tensor, back: Tensor, same: Tensor) -> tuple[float, float]:
    """Return precision and recall of what is joined; NaN where there is nothing to tell by."""
    joined, truth = joiner.of_pairs(there, back).sigmoid() > SAME, same > 0.5
    right = (joined & truth).sum()
    return float(right / joined.sum()), float(right / truth.sum())


def main(
    store: Annotated[Path, typer.Option(help="folder with rendered shards")],
    weights: Annotated[Path, typer.Option(help="weights of a training run")],
    output: Annotated[Path, typer.Option(help="safetensors file to write")],
    views: Annotated[int, typer.Option(min=8, help="to learn from")] = 8000,
    steps: Annotated[int, typer.Option(min=1, help="of learning")] = 8000,
    seed: Annotated[int, typer.Option(help="of everything random")] = 0,
) -> None:
    """Teach the joiner of ivm-tiny."""
    taught, asked = (ShardPool(store, split) for split in ("train", "validation"))
    for pool in (taught, asked):
        if not len(pool):
            raise typer.BadParameter(f"expected finished {pool.split} shards in {store}, got none")
    torch.manual_seed(seed)
    model, calibration = load_weights(weights)
    learned = gather(model, taught, views, seed)
    held = gather(model, asked, max(8, views // 10), seed)
    joiner = Joiner()
    torch.nn.init.normal_(joiner.judge[4].weight, std=0.1)  # type: ignore[arg-type]
    teach(joiner, *learned, steps, seed)
    precision, recall = judged(joiner, *held)
    print(
        f"pairs joined on validation views: {precision:.3f} rightly, {recall:.3f} of all that belong together"
    )
    model.joiner.load_state_dict(joiner.state_dict())
    notes = {key: value for key, value in read_metadata(weights).items() if key == "step"}
    save_weights(model, output, notes, calibration)


if __name__ == "__main__":
    typer.run(main)
