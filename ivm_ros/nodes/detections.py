"""Targets as vision_msgs/Detection2DArray, where vision_msgs is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from std_msgs.msg import Header

from ivm_ros.grounding import Grounding

try:
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose
except ImportError:
    Detection2DArray = None  # not on PyPI; robots have it


def detections_message(groundings: Sequence[Grounding], header: Header) -> Any:
    """Return every target of every instruction, centre-form boxes in pixels of the image.

    `class_id` is the instruction that found the target, `score` is in [0, 1].
    """
    array = Detection2DArray(header=header)
    for grounding in groundings:
        for target in grounding.targets:
            x_min, y_min, x_max, y_max = target.box
            detection = Detection2D(header=header)
            detection.bbox.center.position.x = (x_min + x_max) / 2
            detection.bbox.center.position.y = (y_min + y_max) / 2
            detection.bbox.size_x = x_max - x_min
            detection.bbox.size_y = y_max - y_min
            hypothesis = ObjectHypothesisWithPose()
            hypothesis.hypothesis.class_id = grounding.instruction
            hypothesis.hypothesis.score = target.score
            detection.results.append(hypothesis)
            array.detections.append(detection)
    return array
