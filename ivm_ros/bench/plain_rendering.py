"""IVM's highlight written out plainly, and a target to show with it; no torch, which is slow to import."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Heatmap, Image
from ivm_ros.rendering import RenderSettings

Logits = npt.NDArray[np.float32]

SETTINGS = RenderSettings(mode="highlight", fill="white", threshold=0.5)


def target_logits() -> Logits:
    """Return (256, 256) logits of one object with an uneven edge, from -8 to 6, the same every time."""
    rows, columns = np.mgrid[:256, :256].astype(np.float32)
    distance = np.hypot((columns - 150) / 40, (rows - 120) / 44)
    noise = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
    logits = 6 * (1 - distance) + 4 * cv2.GaussianBlur(noise, (0, 0), 4)
    return np.clip(logits, -8, 6).astype(np.float32)


def plain_highlight(image: Image, heatmap: Heatmap) -> Image:
    """Return IVM's current picture as its formula says it (IVM spec 2.1), on the whole frame in float32."""
    probability = heatmap[..., None]
    if probability.max() < SETTINGS.threshold:
        probability = probability + np.float32(SETTINGS.threshold)
    selected = np.where(probability > SETTINGS.threshold, np.float32(1), np.float32(0))
    side = 2 * int(image.shape[0] * 0.05) + 1
    dilated = cv2.dilate(selected, np.ones((side, side), np.uint8))
    weight = cv2.GaussianBlur(dilated, (side, side), 0)[..., None]
    picture = image * weight + np.array((255, 255, 255), np.float32) * (1 - weight)
    return np.rint(picture).astype(np.uint8)


def target_heatmap(shape: tuple[int, int]) -> Heatmap:
    """Return the (H, W) probabilities of `target_logits`, by OpenCV."""
    full = cv2.resize(target_logits(), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return (1.0 / (1.0 + np.exp(-full))).astype(np.float32)
