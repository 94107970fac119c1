"""A grounding and its image become the picture that a policy gets.

A mode is a pair: how the heatmap becomes a weight per pixel (three published generations of
IVM's post-processing, IVM spec sections 2.1 to 2.3), and what is shown where the weight is low.

`settings` and `modes` say what there is, `weights`, `edges` and `backgrounds` how it is made, and
`pictures` puts it together. Work is done only where a weight can differ from the rest of the picture.
"""

from ivm_ros.rendering.backgrounds import NAMED_FILLS, fill_color
from ivm_ros.rendering.modes import MODES, Mode
from ivm_ros.rendering.pictures import composite, composite_logits, render
from ivm_ros.rendering.settings import NOT_FOUND_RULES, RenderSettings

__all__ = [
    "MODES",
    "NAMED_FILLS",
    "NOT_FOUND_RULES",
    "Mode",
    "RenderSettings",
    "composite",
    "composite_logits",
    "fill_color",
    "render",
]
