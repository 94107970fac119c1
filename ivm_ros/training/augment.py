"""Random crops, flips and camera faults for a view and its instance map."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def close_up(image: Pixels, instances: Pixels, rng: Random, size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Return a randomly changed part of a view and its instance map, at another (width, height).

    Made for a size smaller than the view's: a window of about that size costs less to learn from than the
    same window enlarged, and shows as much.
    """
    centre = _object(instances, rng) if rng.random() < 0.7 else (rng.random(), rng.random())
    return _finish(*_crop(image, instances, centre, rng.uniform(0.4, 0.85), rng, size), rng)


def augment(image: Pixels, instances: Pixels, rng: Random, whole: float = 0.2) -> tuple[Pixels, Pixels]:
    """Return a randomly changed (H, W, 3) RGB view and its (H, W) instance map, at the same size.

    Of those views that are not shown whole most are zoomed in on an object, so that shapes are seen large.
    Colours keep their names: brightness, contrast and white balance move, hue does not.

    Args:
        image: view.
        instances: its map.
        rng: decides everything.
        whole: share of the views that are shown whole.
    """
    draw = rng.random() * 0.8 / max(1 - whole, 1e-9)
    if draw < 0.5:
        image, instances = _crop(image, instances, _object(instances, rng), rng.uniform(0.35, 0.7), rng)
    elif draw < 0.8:
        centre = rng.random(), rng.random()
        image, instances = _crop(image, instances, centre, rng.uniform(0.55, 1.0), rng)
    return _finish(image, instances, rng)


def _finish(image: Pixels, instances: Pixels, rng: Random) -> tuple[Pixels, Pixels]:
    if rng.random() < 0.5:
        image, instances = image[:, ::-1], instances[:, ::-1]
    return _photograph(np.ascontiguousarray(image), rng), np.ascontiguousarray(instances)


def _object(instances: Pixels, rng: Random) -> tuple[float, float]:
    """Return a visible object's centroid, moved a little, as shares of width and height."""
    height, width = instances.shape
    visible = np.unique(instances[::2, ::2])[1:].tolist()
    if not visible:
        return 0.5, 0.5
    ys, xs = np.nonzero(instances == rng.choice(visible))
    x, y = float(xs.mean()) / width, float(ys.mean()) / height
    return x + rng.uniform(-0.15, 0.15), y + rng.uniform(-0.15, 0.15)


def _crop(
    image: Pixels,
    instances: Pixels,
    centre: tuple[float, float],
    scale: float,
    rng: Random,
    size: tuple[int, int] | None = None,
) -> tuple[Pixels, Pixels]:
    """Cut a window of about `scale` times the sides out round a centre, and bring it to a size."""
    height, width = instances.shape
    aspect = rng.uniform(0.8, 1.25) ** 0.5
    w, h = (min(side, round(side * scale * by)) for side, by in ((width, aspect), (height, 1 / aspect)))
    x = min(max(round(centre[0] * width - w / 2), 0), width - w)
    y = min(max(round(centre[1] * height - h / 2), 0), height - h)
    window = slice(y, y + h), slice(x, x + w)
    size = size or (width, height)
    image = np.asarray(cv2.resize(image[window], size), np.uint8)
    nearest = cv2.resize(instances[window], size, interpolation=cv2.INTER_NEAREST)
    return image, np.asarray(nearest, np.uint8)


def _photograph(image: Pixels, rng: Random) -> Pixels:
    gamma, contrast, brightness = rng.uniform(0.75, 1.3), rng.uniform(0.75, 1.2), rng.uniform(0.75, 1.3)
    balance = np.array([rng.uniform(0.92, 1.08) for _ in range(3)])
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * brightness * balance
    table = (np.clip((levels - 0.45) * contrast + 0.45, 0, 1) * 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), np.uint8)
    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)
    if rng.random() < 0.25:
        noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(image.shape, np.float32)
        image = np.clip(image + noise * rng.uniform(1, 9), 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(35, 90)])[1]
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return image
