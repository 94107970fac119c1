"""Scenes in bulk: the training store, rendered by several processes and resumable.

python -m ivm_ros.datasets.tabletop.generate STORE --scenes 8000 --apart 5 --scale 2 --workers 2
python -m ivm_ros.datasets.tabletop.generate STORE --world varied --scenes 8000 --apart 5 --scale 2
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from .held_out.world import NEW
from .processes import in_processes
from .seeds import SPLITS
from .store import complete_shards, write_shard
from .varied.world import VARIED
from .world import KNOWN, World

SHARD_SCENES = 250
STORE_SIZE = (256, 192)
"""(width, height) of the views of a store, and of those that questions are decided on."""
WORLDS: dict[str, World] = {"known": KNOWN, "varied": VARIED, "new": NEW}
"""What scenes are made from: one design of each kind, several, or what is held out; see `world`, `varied` and
`held_out`."""
USUAL = "known"
"""Of these; shards of it are named by their split alone."""


@dataclass(frozen=True)
class _ShardTask:
    stem: Path
    seeds: range
    size: tuple[int, int]
    world: str


def _render_shard(task: _ShardTask) -> None:
    from .renderer import VIEWS, TabletopRenderer  # needs an OpenGL library

    seeds = task.seeds
    renderer = TabletopRenderer(task.size, world=WORLDS[task.world])
    try:
        scenes = [scene for seed in seeds for scene in renderer.render(seed)]
    finally:
        renderer.close()
    write_shard(
        task.stem, scenes, [seed for seed in seeds for _ in range(VIEWS)], [*range(VIEWS)] * len(seeds)
    )


def write_store(
    folder: Path,
    split: str,
    scenes: int,
    workers: int = 1,
    apart: int = 1,
    scale: int = 1,
    world: str = USUAL,
) -> list[Path]:
    """Render scenes into shards and return the stems of all that the split now has, of whatever world.

    Finished shards are kept, so that an interrupted call can be repeated, and can be read while it goes on.

    Args:
        folder: of the store; made if missing.
        split: "train", "validation" or "test"; each has seeds of its own.
        scenes: how many, rounded up to whole shards; each gives two views.
        workers: processes.
        apart: of a scene's seed from the next. Scenes whose seeds are near share a pool of objects, so that
            5 gives five times the objects.
        scale: of the views, times `STORE_SIZE`.
        world: one of `WORLDS`; a store may have scenes of all.

    Raises:
        ValueError: see `check_request`.
    """
    check_request(split, scenes, apart, world)
    seeds = SPLITS[split]
    shards = -(-scenes // SHARD_SCENES)
    folder.mkdir(parents=True, exist_ok=True)
    step = SHARD_SCENES * apart
    name = split if world == USUAL else f"{split}-{world}"
    wanted = {
        folder / f"{name}-{shard:05d}": seeds[shard * step : (shard + 1) * step : apart]
        for shard in range(shards)
    }
    finished = set(complete_shards(folder))
    size = STORE_SIZE[0] * scale, STORE_SIZE[1] * scale
    missing = [_ShardTask(stem, seeds, size, world) for stem, seeds in wanted.items() if stem not in finished]
    for _ in in_processes(_render_shard, missing, workers, f"rendering {name} shards"):
        pass  # each shard is on disk when it is done
    return [stem for stem in complete_shards(folder) if stem.name.startswith(f"{split}-")]


def check_request(split: str, scenes: int, apart: int, world: str) -> None:
    """Refuse what `write_store` cannot render; arguments as of it.

    Raises:
        ValueError: no such split or world, the split must not have such a world, or has not so many seeds.
    """
    for name, names in ((split, SPLITS), (world, WORLDS)):
        if name not in names:
            raise ValueError(f"expected one of {', '.join(names)}, got {name!r}")
    if world == "new" and split != "test":
        raise ValueError(f"expected the split test for the world that is held out, got {split}")
    most = len(SPLITS[split]) // (SHARD_SCENES * apart) * SHARD_SCENES
    if scenes > most:
        raise ValueError(
            f"expected at most {most} scenes {apart} apart, got {scenes}; ask for fewer, or for nearer ones"
        )


def main(
    folder: Annotated[Path, typer.Argument(help="where the shards go")],
    scenes: Annotated[int, typer.Option(min=1, help="scenes; each gives two views")] = 12_000,
    split: Annotated[str, typer.Option(help="train, validation or test")] = "train",
    workers: Annotated[int, typer.Option(min=1, help="processes")] = 1,
    apart: Annotated[int, typer.Option(min=1, help="seeds from scene to scene; more are more objects")] = 1,
    scale: Annotated[int, typer.Option(min=1, max=8, help="of the views, times 256x192")] = 1,
    world: Annotated[str, typer.Option(help=f"one of {', '.join(WORLDS)}; new is for tests")] = USUAL,
) -> None:
    """Render a training store."""
    try:
        check_request(split, scenes, apart, world)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    stems = write_store(folder, split, scenes, workers, apart, scale, world)
    print(f"{len(stems)} shards of {2 * SHARD_SCENES} views in {folder}")


if __name__ == "__main__":
    typer.run(main)
