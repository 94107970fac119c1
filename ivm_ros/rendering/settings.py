"""What the picture looks like, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from ivm_ros.rendering.backgrounds import NAMED_FILLS
from ivm_ros.rendering.modes import MODES

NOT_FOUND_RULES = ("pass_through", "blank", "hold")
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
