"""What the renderer knows of one picture: the types that generator, instructions and training share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SceneObject:
    """One object on the table.

    Attributes:
        instance: its value in `Scene.instances`, 1..255.
        kind: a name of `vocabulary.KINDS`, such as "cup".
        color: a name of `vocabulary.COLORS`, or None where it has no single nameable colour.
        material: a name of `vocabulary.MATERIALS`, or None where it is not nameable.
        size: "small" or "large" where it is clearly so for its kind, else None.
        distance: metres from the camera to its centre.
        position: (x, y, z) of its centre in the camera's optical frame, metres (x right, y down, z forward).
        on: instance of the object that it stands on or lies in; None for the table.
    """

    instance: int
    kind: str
    color: str | None
    material: str | None
    size: str | None
    distance: float
    position: tuple[float, float, float]
    on: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON line."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> SceneObject:
        """Rebuild from `to_json`'s values."""
        return cls(**{**record, "position": tuple(record["position"])})


@dataclass(frozen=True, eq=False)
class Scene:
    """One rendered view.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        instances: (H, W) uint8; 0 is table and background, else the `instance` of the visible object.
        depth: (H, W) uint16 millimetres along the optical axis; 0 where unknown. None if not rendered.
        intrinsics: (fx, fy, cx, cy) in pixels.
        objects: every object in the scene, visible or not.
    """

    image: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.uint16] | None
    intrinsics: tuple[float, float, float, float]
    objects: tuple[SceneObject, ...]
