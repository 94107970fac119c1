"""The picture: image and background, mixed by the weights."""

from __future__ import annotations

import cv2
import numpy as np

from ivm_ros.grounding import Grounding, Heatmap, Image
from ivm_ros.rendering.backgrounds import Background
from ivm_ros.rendering.edges import ONE, Region
from ivm_ros.rendering.logits import Logits, heat_of_logits
from ivm_ros.rendering.modes import MODES
from ivm_ros.rendering.settings import RenderSettings
from ivm_ros.rendering.weights import Heat, Weights

_STRIP = 30_000  # pixels that are mixed at once


def composite(image: Image, heatmap: Heatmap, settings: RenderSettings) -> Image:
    """Blend `image` and the mode's background by the heatmap, as the published formulas do.

    Args:
        image: (H, W, 3) uint8 RGB.
        heatmap: (H, W) float32 in [0, 1].
        settings: mode and numbers; `not_found` plays no part here.

    Returns:
        (H, W, 3) uint8, or (H, W, 4) for the alpha modes, rounded to nearest; smaller with `crop`.
    """
    return _composite(image, Heat.of(heatmap), settings)


def composite_logits(image: Image, logits: Logits, settings: RenderSettings, between: int = 1024) -> Image:
    """Blend as `composite` does, from the logits that the heatmap is made of; IVM's, unless told otherwise.

    Where only the picture is wanted, this spares the heatmap.

    Args:
        image: (H, W, 3) uint8 RGB.
        logits: (h, w) float32.
        settings: mode and numbers; `not_found` plays no part here.
        between: side of the square that logits are enlarged to before they get the image's size (IVM spec 1).

    Returns:
        (H, W, 3) uint8, or (H, W, 4) for the alpha modes, rounded to nearest; smaller with `crop`.
    """
    height, width = image.shape[:2]
    above = settings.threshold if MODES[settings.mode].thresholded else 0.0
    return _composite(image, heat_of_logits(logits, (height, width), between, above), settings)


def render(image: Image, grounding: Grounding, settings: RenderSettings) -> Image:
    """Return the picture that a policy gets, with the not-found rule applied.

    Args:
        image: (H, W, 3) uint8 RGB.
        grounding: what was found in it, of the same size.
        settings: how it is shown. With `not_found="hold"` and nothing found, the whole image is shown:
            the caller that remembers an earlier grounding passes that one instead.

    Raises:
        ValueError: the sizes differ.
    """
    if image.shape[:2] != grounding.heatmap.shape:
        raise ValueError(f"expected a grounding of {image.shape[:2]}, got {grounding.heatmap.shape}")
    heat = _heat_of_targets(grounding)
    if grounding.found and heat.reaches(settings.threshold):
        return _composite(image, heat, settings)
    mode = MODES[settings.mode]
    keep = settings.not_found != "blank"
    if mode.background is None:
        return _with_alpha(image, 255 if keep else 0)
    return image.copy() if keep else _to_bytes(mode.background(image, settings))


def _heat_of_targets(grounding: Grounding) -> Heat:
    """Return the heat where the mask is; warm spots that are no targets do not matter."""
    height, width = grounding.heatmap.shape
    mask = grounding.mask
    left, top, columns, rows = cv2.boundingRect(mask.view(np.uint8)) if grounding.found else (0, 0, 0, 0)
    region = slice(top, top + rows), slice(left, left + columns)
    return Heat(grounding.heatmap[region], region, (height, width), mask[region])


def _composite(image: Image, heat: Heat, settings: RenderSettings) -> Image:
    mode = MODES[settings.mode]
    weights = mode.rule(heat, settings)
    if mode.background is None:
        picture = _with_alpha(image, round(255 * weights.outside))
        picture[weights.region][..., 3] = np.rint(weights.values * 255.0)
    elif weights.outside:
        picture = image.copy()
    else:
        background = mode.background(image, settings)
        if weights.share.size:
            _mix(image[weights.region], background[weights.region], weights)
        picture = _to_bytes(background)
    return picture[_crop_region(weights)] if settings.crop else picture


def _with_alpha(image: Image, alpha: int) -> Image:
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    if alpha != 255:
        picture[..., 3] = alpha
    return picture


def _mix(image: Image, background: Background, weights: Weights) -> None:
    """Move `background` towards `image` by the weights, in place; all of (h, w)."""
    if background.dtype == np.float32:
        values = weights.values
        cv2.blendLinear(image.astype(np.float32), background, values, 1.0 - values, dst=background)
        return
    # Of bytes, 16 bits are enough: a weight is known to 1/32767, and the result is rounded once.
    share = weights.share
    if share.dtype == np.float32:
        share = np.rint(share * ONE).astype(np.uint16)
    height, width = share.shape
    rows = max(1, _STRIP // width)  # by the strip: what is in the cache need not be fetched again
    for top in range(0, height, rows):
        strip = slice(top, top + rows)
        under = background[strip].astype(np.int16)
        mixed = image[strip].astype(np.int16)
        mixed -= under
        every = cv2.cvtColor(share[strip], cv2.COLOR_GRAY2RGB).view(np.int16)
        cv2.multiply(mixed, every, dst=mixed, scale=1.0 / ONE)
        mixed += under
        np.copyto(background[strip], mixed, casting="unsafe")


def _to_bytes(picture: Background) -> Image:
    return np.rint(picture).astype(np.uint8) if picture.dtype == np.float32 else picture.view(np.uint8)


def _crop_region(weights: Weights) -> Region:
    """Return the rectangle around the kept pixels, or everything where there are none."""
    x, y, width, height = cv2.boundingRect(weights.kept.view(np.uint8)) if weights.kept.size else (0, 0, 0, 0)
    if width == 0:
        return slice(None), slice(None)
    top, left = weights.region[0].start + y, weights.region[1].start + x
    return slice(top, top + height), slice(left, left + width)
