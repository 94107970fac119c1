"""A grounding and its image become the picture that a policy gets.

A mode is a pair: how the heatmap becomes a weight per pixel (three published generations of
IVM's post-processing, IVM spec sections 2.1 to 2.3), and what is shown where the weight is low.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ivm_ros.grounding import Grounding, Heatmap, Image

Weight = npt.NDArray[np.float32]
Background = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Region = tuple[slice, slice]

NOT_FOUND_RULES = ("pass_through", "blank", "hold")
NAMED_FILLS = {"white": (255, 255, 255), "black": (0, 0, 0), "gray": (128, 128, 128)}
_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class RenderSettings:
    """What the picture looks like; the defaults are IVM's.

    Attributes:
        mode: a name of `MODES`.
        fill: what stands where nothing matters: "white", "black", "gray", "mean" (of the image) or "#rrggbb".
        threshold: heatmap value in [0, 1] above which a pixel matters (all but the soft modes).
        crop: cut the picture to what matters.
        not_found: when nothing was found, show the whole image ("pass_through"), nothing of it
            ("blank"), or what the last grounding showed ("hold"; whoever keeps the last one applies it).
        dilate_rate: dilation reach as a share of the image's height (soft modes: width).
        dilate_kernel: side of the dilation and blur kernels of the hard modes, odd pixels.
        blur_kernel: side of the Gaussian that blurs the background, odd pixels.
        range_threshold: soft modes keep everything where the heatmap spans no more than this.
        box_threshold: soft modes crop to where the weight is above this.
        min_reserved: soft modes keep this share of the image everywhere.

    Raises:
        ValueError: a value is out of range; the message names it.
    """

    mode: str = "highlight"
    fill: str = "white"
    threshold: float = 0.5
    crop: bool = False
    not_found: str = "pass_through"
    dilate_rate: float = 0.05
    dilate_kernel: int = 21
    blur_kernel: int = 201
    range_threshold: float = 0.5
    box_threshold: float = 0.5
    min_reserved: float = 0.2

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"expected a mode of {', '.join(MODES)}, got {self.mode!r}")
        if self.not_found not in NOT_FOUND_RULES:
            raise ValueError(f"expected not_found of {', '.join(NOT_FOUND_RULES)}, got {self.not_found!r}")
        if self.fill not in (*NAMED_FILLS, "mean") and not _HEX_COLOR.fullmatch(self.fill):
            raise ValueError(
                f"expected a fill of {', '.join(NAMED_FILLS)}, mean or '#rrggbb', got {self.fill!r}"
            )
        for name in ("threshold", "range_threshold", "box_threshold", "min_reserved", "dilate_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"expected {name} in [0, 1], got {getattr(self, name)}")
        for name in ("dilate_kernel", "blur_kernel"):
            size = getattr(self, name)
            if not (1 <= size <= 999 and size % 2 == 1):
                raise ValueError(f"expected {name} to be odd, 1 to 999 pixels, got {size}")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all settings."""
        return tuple(setting.name for setting in fields(cls))


class _Weights(NamedTuple):
    """How much of each pixel is kept, where that can be non-zero, and what a crop cuts to."""

    values: Weight  # (H, W) of `region`
    region: Region  # outside of it every weight is `outside`
    outside: float
    kept: npt.NDArray[np.bool_]  # (H, W) of `region`


def _whole(shape: tuple[int, ...]) -> Region:
    return slice(0, shape[0]), slice(0, shape[1])


def _blurred_dilation(selected: npt.NDArray[np.uint8], kernel: int) -> _Weights:
    """Dilate with a square, then blur, both of side `kernel`; computed only where it is not zero.

    `selected` is (H, W) uint8 0/1. The result equals the full-frame one: beyond twice the reach
    of the kernel, plus the one pixel at which OpenCV's border mirrors, everything is zero.
    """
    x, y, width, height = cv2.boundingRect(selected)
    if width == 0:
        return _Weights(np.zeros((0, 0), np.float32), (slice(0, 0), slice(0, 0)), 0.0, np.zeros((0, 0), bool))
    reach = 2 * (kernel // 2) + 1
    region = (
        slice(max(0, y - reach), min(selected.shape[0], y + height + reach)),
        slice(max(0, x - reach), min(selected.shape[1], x + width + reach)),
    )
    dilated = cv2.dilate(selected[region], np.ones((kernel, kernel), np.uint8))
    values = cv2.GaussianBlur(dilated.astype(np.float32), (kernel, kernel), 0)
    return _Weights(np.clip(values, 0.0, 1.0), region, 0.0, values > 0)


def _dilated_weights(heatmap: Heatmap, settings: RenderSettings) -> _Weights:
    """IVM's current rule (IVM spec 2.1): threshold, dilate and blur by a share of the height."""
    if heatmap.max() < settings.threshold:  # IVM's "not found": the whole image is kept
        whole = np.ones(heatmap.shape, np.float32)
        return _Weights(whole, _whole(heatmap.shape), 1.0, whole > 0)
    selected = (heatmap > settings.threshold).view(np.uint8)
    return _blurred_dilation(selected, 2 * int(heatmap.shape[0] * settings.dilate_rate) + 1)


def _hard_weights(heatmap: Heatmap, settings: RenderSettings) -> _Weights:
    """IVM's first rule (IVM spec 2.3): threshold, dilate and blur with kernels of a fixed size."""
    return _blurred_dilation((heatmap > settings.threshold).view(np.uint8), settings.dilate_kernel)


def _soft_weights(heatmap: Heatmap, settings: RenderSettings) -> _Weights:
    """IVM's legacy rule (IVM spec 2.2): grey dilation and blur of the heatmap, stretched to its range."""
    kernel = 2 * int(heatmap.shape[1] * settings.dilate_rate) + 1
    spread = cv2.GaussianBlur(cv2.dilate(heatmap, np.ones((kernel, kernel), np.uint8)), (kernel, kernel), 0)
    low, high = float(spread.min()), float(spread.max())
    top = 1.0 - settings.min_reserved
    if high - low > settings.range_threshold:
        soft = ((spread - low) / (high - low) * top).astype(np.float32)
    else:
        soft = np.full(heatmap.shape, top, np.float32)
    return _Weights(soft, _whole(heatmap.shape), 0.0, soft > settings.box_threshold)


def _soft_reserved_weights(heatmap: Heatmap, settings: RenderSettings) -> _Weights:
    """The legacy rule with the reserved share added back, as its highlight has it."""
    soft = _soft_weights(heatmap, settings)
    return soft._replace(values=np.clip(soft.values + settings.min_reserved, 0.0, 1.0))


def fill_color(image: Image, fill: str) -> tuple[int, int, int]:
    """Return the RGB colour that `fill` names for this image."""
    if fill == "mean":
        red, green, blue = (round(value) for value in cv2.mean(image)[:3])
        return red, green, blue
    if fill.startswith("#"):
        return int(fill[1:3], 16), int(fill[3:5], 16), int(fill[5:7], 16)
    return NAMED_FILLS[fill]


def _filled(image: Image, settings: RenderSettings) -> Background:
    row = np.tile(np.array(fill_color(image, settings.fill), np.uint8), image.shape[1])
    background = np.empty(image.shape, np.uint8)
    background.reshape(len(image), -1)[:] = row  # by the row: by the pixel it takes a hundred times as long
    return background


def _blurred(image: Image, settings: RenderSettings) -> Background:
    # In float32, as published: OpenCV's fixed-point blur of bytes is off by up to a grey level.
    return cv2.GaussianBlur(image.astype(np.float32), (settings.blur_kernel, settings.blur_kernel), 0)


def _grayscale(image: Image, settings: RenderSettings) -> Background:
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _dimmed(image: Image, settings: RenderSettings) -> Background:
    return cv2.convertScaleAbs(image, alpha=0.25)


class Mode(NamedTuple):
    """One way to show a grounding.

    Attributes:
        weights: heatmap -> how much of each pixel is kept.
        background: what stands where nothing is kept; None keeps the image and puts the weights into
            a fourth channel.
        help: one line for people.
    """

    weights: Callable[[Heatmap, RenderSettings], _Weights]
    background: Callable[[Image, RenderSettings], Background] | None
    help: str


MODES: dict[str, Mode] = {
    "highlight": Mode(_dilated_weights, _filled, "the target with a soft edge on the fill colour (IVM)"),
    "blur": Mode(_dilated_weights, _blurred, "the target sharp, the rest blurred"),
    "gray": Mode(_dilated_weights, _grayscale, "the target in colour, the rest gray"),
    "dim": Mode(_dilated_weights, _dimmed, "the target bright, the rest at a quarter of its brightness"),
    "alpha": Mode(_dilated_weights, None, "the image with the mask as a fourth channel"),
    "soft_highlight": Mode(_soft_reserved_weights, _filled, "IVM's legacy highlight, graded by the heatmap"),
    "soft_blur": Mode(_soft_weights, _blurred, "IVM's legacy blur, graded by the heatmap"),
    "soft_alpha": Mode(_soft_weights, None, "IVM's legacy RGBA image, graded by the heatmap"),
    "hard_highlight": Mode(_hard_weights, _filled, "IVM's first highlight, kernels of a fixed size"),
    "hard_blur": Mode(_hard_weights, _blurred, "IVM's first blur, kernels of a fixed size"),
    "hard_alpha": Mode(_hard_weights, None, "IVM's first RGBA image, kernels of a fixed size"),
}


def composite(image: Image, heatmap: Heatmap, settings: RenderSettings) -> Image:
    """Blend `image` and the mode's background by the heatmap, as the published formulas do.

    Args:
        image: (H, W, 3) uint8 RGB.
        heatmap: (H, W) float32 in [0, 1].
        settings: mode and numbers; `not_found` plays no part here.

    Returns:
        (H, W, 3) uint8, or (H, W, 4) for the alpha modes, rounded to nearest; smaller with `crop`.
    """
    mode = MODES[settings.mode]
    weights = mode.weights(heatmap, settings)
    if mode.background is None:
        alpha = np.full(heatmap.shape, round(255 * weights.outside), np.uint8)
        alpha[weights.region] = np.rint(weights.values * 255.0)
        picture = np.dstack((image, alpha))
    else:
        background = mode.background(image, settings)
        region = weights.region
        if weights.values.size:
            background[region] = cv2.blendLinear(
                np.ascontiguousarray(image[region], dtype=background.dtype),
                np.ascontiguousarray(background[region]),
                weights.values,
                1.0 - weights.values,
            )
        picture = _to_bytes(background)
    return picture[_crop_region(weights)] if settings.crop else picture


def _to_bytes(picture: Background) -> Image:
    return np.rint(picture).astype(np.uint8) if picture.dtype == np.float32 else picture.view(np.uint8)


def _crop_region(weights: _Weights) -> Region:
    """Return the rectangle around the kept pixels, or everything where there are none."""
    x, y, width, height = cv2.boundingRect(weights.kept.view(np.uint8)) if weights.kept.size else (0, 0, 0, 0)
    if width == 0:
        return slice(None), slice(None)
    top, left = weights.region[0].start + y, weights.region[1].start + x
    return slice(top, top + height), slice(left, left + width)


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
    # Warm spots that are no targets do not matter: the picture shows what the targets and the mask say.
    heatmap = grounding.heatmap * grounding.mask
    if grounding.found and heatmap.max() >= settings.threshold:
        return composite(image, heatmap, settings)
    mode = MODES[settings.mode]
    keep = settings.not_found != "blank"
    if mode.background is None:
        return np.dstack((image, np.full(image.shape[:2], 255 if keep else 0, np.uint8)))
    return image.copy() if keep else _to_bytes(mode.background(image, settings))
