"""The ways to show a grounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ivm_ros.grounding import Heatmap, Image
from ivm_ros.rendering.backgrounds import Background, blurred, dimmed, filled, grayscale
from ivm_ros.rendering.weights import Heat, Weights, dilated, hard, soft, soft_reserved

if TYPE_CHECKING:
    from ivm_ros.rendering.settings import RenderSettings


class Mode(NamedTuple):
    """One way to show a grounding.

    Attributes:
        rule: heat -> how much of each pixel is kept.
        background: what stands where nothing is kept; None keeps the image and puts the weights into
            a fourth channel.
        help: one line for people.
    """

    rule: Callable[[Heat, RenderSettings], Weights]
    background: Callable[[Image, RenderSettings], Background] | None
    help: str

    @property
    def thresholded(self) -> bool:
        """Whether heat below the threshold plays no part."""
        return self.rule not in (soft, soft_reserved)

    def weights(self, heatmap: Heatmap, settings: RenderSettings) -> Weights:
        """Return how much of each pixel is kept for an (H, W) heatmap."""
        return self.rule(Heat.of(heatmap), settings)


MODES: dict[str, Mode] = {
    "highlight": Mode(dilated, filled, "the target with a soft edge on the fill colour (IVM)"),
    "blur": Mode(dilated, blurred, "the target sharp, the rest blurred"),
    "gray": Mode(dilated, grayscale, "the target in colour, the rest gray"),
    "dim": Mode(dilated, dimmed, "the target bright, the rest at a quarter of its brightness"),
    "alpha": Mode(dilated, None, "the image with the mask as a fourth channel"),
    "soft_highlight": Mode(soft_reserved, filled, "IVM's legacy highlight, graded by the heatmap"),
    "soft_blur": Mode(soft, blurred, "IVM's legacy blur, graded by the heatmap"),
    "soft_alpha": Mode(soft, None, "IVM's legacy RGBA image, graded by the heatmap"),
    "hard_highlight": Mode(hard, filled, "IVM's first highlight, kernels of a fixed size"),
    "hard_blur": Mode(hard, blurred, "IVM's first blur, kernels of a fixed size"),
    "hard_alpha": Mode(hard, None, "IVM's first RGBA image, kernels of a fixed size"),
}
