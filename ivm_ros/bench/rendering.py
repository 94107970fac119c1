"""The suite `rendering`: the picture for a policy, against IVM's post-processing written out plainly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ivm_ros.bench.plain_rendering import SETTINGS, Logits, plain_highlight, target_logits
from ivm_ros.bench.suite import Alternative, Comparison, Options, require_agreement
from ivm_ros.clip import load_clip
from ivm_ros.grounding import Heatmap, Image
from ivm_ros.rendering import composite, composite_logits

_WORKING_SIDE = 1024  # IVM resizes its logits to this square first
_GREY_LEVELS = 2


def suite(options: Options) -> Iterator[Comparison]:
    """Compare on a frame of the recorded clip, with logits (256, 256) of a target of 8 % of the image."""
    image, logits = next(load_clip().frames()), target_logits()
    heatmap = plain_heatmap(logits, image.shape[:2])
    size = f"{image.shape[1]}x{image.shape[0]}, target {(heatmap > SETTINGS.threshold).mean():.0%} of it"
    yield from (  # both are checked before either is timed
        _comparison("logits", f"256x256 logits to picture, {size}", image, logits),
        _comparison("heatmap", f"heatmap to picture, {size}", image, heatmap),
    )


def _comparison(start: str, title: str, image: Image, values: npt.NDArray[np.float32]) -> Comparison:
    """Check that the pictures from `values`, logits or heatmap, agree; return what is to be timed."""
    plain, ours, key = _WAYS[start]
    difference = np.abs(plain(image, values).astype(np.int16) - ours(image, values)).max()
    levels = require_agreement("the pictures' grey levels", float(difference), _GREY_LEVELS)
    return Comparison(
        title,
        (
            Alternative(f"plain, from {start}", "formula on the whole frame", lambda: plain(image, values)),
            Alternative(
                f"ours, from {start}",
                "only where weights are not zero",
                lambda: ours(image, values),
                key=key,
                numbers={"grey_levels": levels},
            ),
        ),
    )


def plain_heatmap(logits: Logits, shape: tuple[int, ...]) -> Heatmap:
    """Return the (H, W) probabilities of (h, w) logits: two bilinear steps, then the sigmoid (IVM spec 1)."""
    square = F.interpolate(
        torch.from_numpy(logits)[None, None], (_WORKING_SIDE, _WORKING_SIDE), mode="bilinear"
    )
    full = F.interpolate(square, (shape[0], shape[1]), mode="bilinear")
    return full.sigmoid()[0, 0].numpy()


def _plain_from_logits(image: Image, logits: Logits) -> Image:
    return plain_highlight(image, plain_heatmap(logits, image.shape))


def _ours(image: Image, heatmap: Heatmap) -> Image:
    return composite(image, heatmap, SETTINGS)


def _ours_from_logits(image: Image, logits: Logits) -> Image:
    return composite_logits(image, logits, SETTINGS, _WORKING_SIDE)


_WAYS = {
    "logits": (_plain_from_logits, _ours_from_logits, ""),
    "heatmap": (plain_highlight, _ours, "from_heatmap"),
}
"""Where to start from: the plain way, ours, and the key of ours in the JSON."""
