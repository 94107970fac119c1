"""Meshes and textures of robosuite (MIT licence), where that package is installed; it is never imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ivm_ros.datasets.tabletop import meshes
from ivm_ros.datasets.tabletop.assets import ANY, Asset, Part

ROBOSUITE: dict[str, tuple[str, float, tuple[str, ...], str | None]] = {
    "milk": ("milk", 1.0, ("white", "blue", "green"), "ceramic"),
    "cereal": ("cereal", 1.25, ANY, "cereal"),
    "bread": ("bread", 1.3, ("brown",), "bread"),
    "can": ("can", 1.3, ANY, "soda"),
    "lemon": ("lemon", 1.3, ("yellow",), "lemon"),
    "bottle": ("bottle", 1.25, ANY, None),
}
"""Kind -> robosuite's mesh, a factor to real size, colours, and the texture made for it."""


def robosuite_folder() -> Path | None:
    """Return robosuite's asset folder without importing the package, or None where it is not installed."""
    found = importlib.util.find_spec("robosuite")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "models" / "assets"
    return folder if folder.is_dir() else None


def robosuite_asset(kind: str, folder: Path) -> Asset:
    """Return robosuite's mesh of a kind of `ROBOSUITE`; `folder` is `robosuite_folder()`."""
    name, factor, colors, picture = ROBOSUITE[kind]
    mesh = meshes.read_obj(folder / "objects" / "meshes" / f"{name}.obj").scaled(factor)
    lies = kind in ("milk", "can", "bottle")
    return Asset(kind, (Part(mesh),), colors, ("plain", "picture"), lies=lies, picture=picture)
