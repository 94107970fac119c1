"""The files that InstanceVG and BEiT-3 were released as; spec sections 4 and 13.

A released file is a training run's: weights, optimizer, schedule, scores. Nothing but the weights is kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError, fit, read_state_dict
from ivm_ros.models.instancevg.beit3 import Beit3
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.keys import canonical_state, query_count

_POSITIONS = "backbone.encoder.embed_positions.A.weight"
_FIXED_ROWS = 3  # of the table of picture positions: two never used, and the class token's


def read_released(
    path: Path, config: InstanceVgConfig | None = None
) -> tuple[InstanceVgConfig, dict[str, Tensor]]:
    """Read a released `.pth`, its weights under our names.

    Args:
        path: the file.
        config: its sizes; told from the file if None, which then is one of the published sizes.

    Raises:
        CheckpointError: the file is missing, unreadable, of no known size, or its copies differ.
    """
    released = read_state_dict(path, inside=("state_dict",))
    try:
        state = canonical_state(released)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    config = config or _published(state, path)
    count = query_count(released)
    return (config if count is None else config.with_queries(count)), state


def _published(state: Mapping[str, Tensor], path: Path) -> InstanceVgConfig:
    known = {config.backbone.width: config for config in (InstanceVgConfig.base(), InstanceVgConfig.large())}
    words = state.get("backbone.text_embed.weight")
    width = words.shape[-1] if words is not None else None
    if width not in known:
        raise CheckpointError(
            f"expected {path} to hold an InstanceVG whose encoder has a width of {list(known)}, "
            f"got {width}; other sizes need a config.json beside it"
        )
    return known[width]


def read_beit3(path: Path, config: InstanceVgConfig) -> dict[str, Tensor]:
    """Read a pretrained BEiT-3 file (`beit3_base_patch16_224.pth`, `..._large_...`) to start training from.

    Its grid of positions is resized to the model's. What the file has beside the encoder are heads of other
    tasks, and left out.

    Returns:
        The state dict of an `InstanceVg`'s `backbone`.

    Raises:
        CheckpointError: the file is missing or unreadable, or its encoder does not fit.
    """
    stored = read_state_dict(path, inside=("model", "module"))
    encoder = {key: tensor for key, tensor in stored.items() if re.match(r"(module\.)?beit3\.", key)}
    state = canonical_state(encoder)
    if _POSITIONS in state:
        state[_POSITIONS] = resize_positions(state[_POSITIONS], config.grid)
    state = {name.removeprefix("backbone."): tensor for name, tensor in state.items()}
    with torch.device("meta"):
        shapes = Beit3(config.backbone, config.grid).state_dict()
    report = fit(shapes, state)
    if not report.fits:
        raise CheckpointError(f"{path} does not fit the encoder:\n{report}")
    return state


def resize_positions(table: Tensor, grid: int) -> Tensor:
    """Resize a (3 + g * g, E) table of picture positions to (3 + grid * grid, E), bicubic.

    Raises:
        CheckpointError: the table is of no square grid.
    """
    side = math.isqrt(max(len(table) - _FIXED_ROWS, 0))
    if side == 0 or side * side + _FIXED_ROWS != len(table):
        raise CheckpointError(f"expected positions of a square grid and {_FIXED_ROWS} more, got {len(table)}")
    fixed, places = table[:_FIXED_ROWS], table[_FIXED_ROWS:]
    if side == grid:
        return table
    image = places.float().T.unflatten(1, (side, side))[None]
    resized = F.interpolate(image, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([fixed, resized[0].flatten(1).T.to(table.dtype)])
