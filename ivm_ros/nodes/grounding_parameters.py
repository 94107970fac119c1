"""The grounding node's parameters, and the settings that they make."""

from __future__ import annotations

import re
from typing import Any

from ivm_ros.grounding import check_instructions
from ivm_ros.models.options import parse_options
from ivm_ros.nodes.parameters import Parameter
from ivm_ros.nodes.recovery import RULES
from ivm_ros.rendering import MODES, NOT_FOUND_RULES, RenderSettings
from ivm_ros.tracking.registry import available
from ivm_ros.tracking.tracker import LOST_RULES

_RENDER_PREFIX = "display."
_CAMERA_NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")
MAX_SERVICE_TIMEOUT = 600.0
"""Seconds that `~/ground` waits at most."""

PARAMETERS = (
    Parameter("model", "ivm-tiny", "Name of the model; `ivm-ros doctor` lists them."),
    Parameter("checkpoint", "", "The model's weights, a file or folder; empty for those that ship with it."),
    Parameter("device", "auto", "Where the model runs: auto, cpu, cuda, cuda:1 ..."),
    Parameter(
        "model_options",
        "",
        "The model's own options as NAME=VALUE, with spaces between, such as 'precision=4bit'.",
    ),
    Parameter(
        "model_python",
        "",
        "A Python with its own libraries that runs the model as a process of its own; empty: in the node.",
    ),
    Parameter(
        "cores",
        "",
        "Which processor cores the node keeps to, counted from 0, not how many: '0 1'. Empty: all.",
        digits=True,
    ),
    Parameter("autostart", True, "Configure and activate at start-up; false leaves that to a manager."),
    Parameter(
        "image_transport",
        "raw",
        "Subscribe to sensor_msgs/Image on `image` (raw) or CompressedImage on `image/compressed`.",
        choices=("raw", "compressed"),
    ),
    Parameter(
        "cameras",
        "",
        "Names of several cameras, with spaces between; each has its topics below its name. Empty: one.",
    ),
    Parameter("instruction", "", "What to ground at start; several go on lines of their own.", live=True),
    Parameter(
        "max_rate",
        0.0,
        "Ground at most this many frames a second; 0 grounds as many as the model can.",
        live=True,
        minimum=0.0,
        maximum=1000.0,
    ),
    Parameter(
        "tracker",
        "none",
        "Carries what the model found onto the frames that come before its next answer; none, or one of: "
        + ", ".join(f"{entry.name} ({entry.description})" for entry in available()),
        choices=("none", *(entry.name for entry in available())),
    ),
    Parameter("tracker_checkpoint", "", "The tracker's weights, a folder, where it has any."),
    Parameter("tracker_options", "", "The tracker's own options as NAME=VALUE, with spaces between."),
    Parameter(
        "tracking.lost",
        "drop",
        "What becomes of a target that tracking has lost, until the model's next answer: left out, or held.",
        live=True,
        choices=LOST_RULES,
    ),
    Parameter(
        "grounding_rate",
        0.0,
        "With a tracker, ask the model about at most this many frames a second; 0: as many as it can.",
        live=True,
        minimum=0.0,
        maximum=1000.0,
    ),
    Parameter(
        "model_deadline",
        60.0,
        "Seconds after which a call of the model is given up; 0: never.",
        live=True,
        minimum=0.0,
        maximum=86400.0,
    ),
    Parameter(
        "on_failure",
        "continue",
        "What to do when the model has failed `failure_limit` times in a row, or does not come back.",
        live=True,
        choices=RULES,
    ),
    Parameter(
        "failure_limit",
        3,
        "How many failures in a row are too many.",
        live=True,
        minimum=1,
        maximum=1000,
    ),
    Parameter(
        "service_timeout",
        10.0,
        "Seconds after which `~/ground` gives up, where the request names no time.",
        live=True,
        minimum=0.1,
        maximum=MAX_SERVICE_TIMEOUT,
    ),
    Parameter(
        "camera_timeout",
        2.0,
        "Seconds without a frame after which /diagnostics says that the camera stopped.",
        live=True,
        minimum=0.1,
        maximum=600.0,
    ),
    Parameter("publish_target_masks", True, "Put each target's own mask into `~/grounding`.", live=True),
    Parameter(
        "jpeg_quality", 90, "Quality of the topics `.../compressed`.", live=True, minimum=1, maximum=100
    ),
    Parameter("trace_folder", "", "Where `~/save_trace` writes; empty: ROS's folder of logs.", live=True),
    Parameter(
        "display.mode",
        "highlight",
        "How `~/masked_image` shows the target.",
        live=True,
        choices=tuple(MODES),
    ),
    Parameter(
        "display.fill",
        "white",
        "What stands where nothing matters: white, black, gray, mean or '#rrggbb'.",
        live=True,
    ),
    Parameter(
        "display.threshold",
        0.5,
        "Heatmap value above which a pixel matters.",
        live=True,
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter("display.crop", False, "Cut `~/masked_image` to the target.", live=True),
    Parameter(
        "display.not_found",
        "pass_through",
        "What `~/masked_image` shows when nothing is found: all of the image, nothing, or as before.",
        live=True,
        choices=NOT_FOUND_RULES,
    ),
    Parameter(
        "display.dilate_rate",
        0.05,
        "Margin around the target as a share of the image's height (soft modes: width).",
        live=True,
        minimum=0.0,
        maximum=0.5,
    ),
    Parameter(
        "display.dilate_kernel",
        21,
        "Margin of the hard modes: kernel side in pixels, odd.",
        live=True,
        minimum=1,
        maximum=999,
    ),
    Parameter(
        "display.blur_kernel",
        201,
        "Strength of the blurred background: kernel side in pixels, odd.",
        live=True,
        minimum=1,
        maximum=999,
    ),
    Parameter(
        "display.range_threshold",
        0.5,
        "Soft modes keep everything where the heatmap spans no more than this.",
        live=True,
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter(
        "display.box_threshold",
        0.5,
        "Soft modes crop to where the weight is above this.",
        live=True,
        minimum=0.0,
        maximum=1.0,
    ),
    Parameter(
        "display.min_reserved",
        0.2,
        "Soft modes keep this share of the image everywhere.",
        live=True,
        minimum=0.0,
        maximum=1.0,
    ),
)


def render_settings(values: dict[str, Any]) -> RenderSettings:
    """Return the display settings of these parameter values; ValueError says which one is out of range."""
    return RenderSettings(**{name: values[_RENDER_PREFIX + name] for name in RenderSettings.names()})


def split_instructions(text: str) -> tuple[str, ...]:
    """Return the instructions of a text, one per non-empty line.

    Raises:
        InvalidInstructionError: one of them is unusable, or there are too many.
    """
    return check_instructions([line for line in text.splitlines() if line.strip()])


def camera_names(text: str) -> tuple[str, ...]:
    """Return the names of the cameras in a text; one without a name for an empty one.

    Raises:
        ValueError: one of them cannot be part of a topic's name, or two are the same.
    """
    names = tuple(text.split()) or ("",)
    bad = [name for name in names if name and not _CAMERA_NAME.fullmatch(name)]
    if bad or len(set(names)) < len(names):
        raise ValueError(
            f"cameras: expected different names of letters, digits and single underscores, such as "
            f"'front wrist'; got {text!r}"
        )
    return names


def check_values(values: dict[str, Any]) -> None:
    """Raise ValueError with the reason if these values do not work together."""
    render_settings(values)
    split_instructions(values["instruction"])
    parse_options(values["model_options"].split())
    parse_options(values["tracker_options"].split())
    camera_names(values["cameras"])
