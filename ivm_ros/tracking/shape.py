"""How a target as a whole has moved: an affine map from the newest picture to the key's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Affine = npt.NDArray[np.float64]
"""(2, 3): x, y of the newest picture to x, y of the key's."""

_FEWEST = 12  # points of a fit
_ENOUGH = 400
_ROUNDS = 3
_STIFFNESS = 20.0  # squared pixels that speak against a change of shape, so that few points only shift
_OUTLIER = 1.0  # pixels


def fitted_affine(now: npt.NDArray, key: npt.NDArray) -> Affine | None:
    """Fit an affine map, by least squares with weights that let outliers go.

    Args:
        now: (N, 2) x, y of pixels of the newest picture.
        key: (N, 2) where they were in the key's.

    Returns:
        None where there are too few points.
    """
    if len(now) < _FEWEST:
        return None
    step = max(1, len(now) // _ENOUGH)
    points, shift = now[::step].astype(np.float64), (key[::step] - now[::step]).astype(np.float64)
    middle = points.mean(axis=0)
    design = np.column_stack([points - middle, np.ones(len(points))])
    weights = np.ones(len(points))
    stiffness = np.diag([_STIFFNESS, _STIFFNESS, 1e-9])
    solution = np.zeros((3, 2))
    for _ in range(_ROUNDS):
        weighted = design * weights[:, None]
        solution = np.linalg.solve(design.T @ weighted + stiffness, weighted.T @ shift)
        off = np.abs(shift - design @ solution).sum(axis=1)
        weights = 1.0 / (1.0 + (off / _OUTLIER) ** 2)
    linear = solution[:2].T
    return np.column_stack([linear + np.eye(2), solution[2] - linear @ middle])


def mapped(affine: Affine, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return where (..., 2) float32 points lead."""
    return points @ affine[:, :2].T.astype(np.float32) + affine[:, 2].astype(np.float32)


def growth(affine: Affine) -> float:
    """Return the target's area on the newest picture over that on the key's; infinite where it has none."""
    determinant = abs(float(np.linalg.det(affine[:, :2])))
    return 1.0 / determinant if determinant > 1e-6 else float("inf")
