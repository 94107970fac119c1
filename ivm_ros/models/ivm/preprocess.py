"""Pictures to the two branches' inputs: squashed to a square, then normalised; spec section 3."""

from __future__ import annotations

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from ivm_ros.grounding import Image

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def squash(image: Image, side: int) -> Image:
    """Resize an (H, W, 3) uint8 RGB image to (side, side, 3), its aspect ratio given up.

    Pillow's bicubic filter, as the model was trained; those of OpenCV and torch differ by a grey level.
    """
    return np.array(PIL.Image.fromarray(image).resize((side, side), PIL.Image.Resampling.BICUBIC))


def sam_pixels(squashed: Image) -> Tensor:
    """Return the image encoder's (3, S, S) float32 input of a squashed (S, S, 3) uint8 image."""
    return _normalise(squashed, *_IMAGENET)


def clip_pixels(squashed: Image, side: int) -> Tensor:
    """Return CLIP's (3, side, side) float32 input of the same squashed image; not padded, as LLaVA would."""
    return _normalise(squash(squashed, side), *_CLIP)


def _normalise(image: Image, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    pixels = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
