"""From IVM's logits to a probability for each pixel of the image, and what is read off it.

IVM spec sections 1 and 2.1. Logits are interpolated, never probabilities; `rendering` makes pictures of them.
"""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from ivm_ros.grounding import Heatmap


def resize_logits(logits: Tensor, height: int, width: int) -> Tensor:
    """Return (B, 1, height, width) logits of (B, 1, h, w) ones, bilinear."""
    return F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)


def heatmap(logits: Tensor, network_side: int, size: tuple[int, int]) -> Heatmap:
    """Return the probability per pixel as IVM does: to the network's input size, then to the image's.

    Args:
        logits: (1, 1, h, w) of the mask decoder, any floating dtype, any device.
        network_side: side of the squashed image that the network saw, in pixels.
        size: (width, height) of the image.

    Returns:
        (height, width) float32 in [0, 1].
    """
    return one_step_heatmap(resize_logits(logits.float(), network_side, network_side), size)


def one_step_heatmap(logits: Tensor, size: tuple[int, int]) -> Heatmap:
    """Return the probability per pixel with one interpolation alone, as IVM's ratio and box have it.

    Args:
        logits: (1, 1, h, w), any floating dtype, any device.
        size: (width, height) of the image.

    Returns:
        (height, width) float32 in [0, 1].
    """
    width, height = size
    probability: Heatmap = resize_logits(logits.float(), height, width)[0, 0].sigmoid().cpu().numpy()
    return probability


def kept_ratio(probability: Heatmap, threshold: float = 0.1) -> float:
    """Return the share of pixels whose probability is above `threshold`, in [0, 1]."""
    return float(np.count_nonzero(probability > threshold)) / probability.size


def bounding_box(probability: Heatmap, threshold: float = 0.6) -> tuple[int, int, int, int] | None:
    """Return the box around all pixels above `threshold`, or None where there are none.

    Returns:
        (x_min, y_min, x_max, y_max): indices of the outermost pixels, so both ends are inside; IVM's
        convention. A `Target`'s box is half-open instead.
    """
    ys, xs = np.nonzero(probability > threshold)
    if xs.size == 0:
        return None
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())
