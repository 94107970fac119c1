"""Groundings become ivm_ros/Grounding messages."""

from __future__ import annotations

from collections.abc import Iterator

from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.frames import GroundedFrame
from ivm_ros.grounding import Target
from ivm_ros.messages import mask_message
from ivm_ros.msg import Grounding as GroundingMessage
from ivm_ros.msg import Target as TargetMessage
from ivm_ros.msg import Timings as TimingsMessage


def grounding_messages(
    result: GroundedFrame, header: Header, model: str, target_masks: bool, age: float, rendered: float
) -> Iterator[GroundingMessage]:
    """Yield one message per instruction.

    Args:
        result: the grounded frame.
        header: of the image it was made of.
        model: the grounder's name.
        target_masks: whether each target carries its own mask.
        age: seconds from the header's stamp to now; NaN where the stamp is not set.
        rendered: seconds that the frame's other topics took.
    """
    timings = TimingsMessage(rendered=rendered, **vars(result.timings))
    for index, grounding in enumerate(result.groundings):
        width, height = grounding.size
        yield GroundingMessage(
            header=header,
            instruction=grounding.instruction,
            instruction_index=index,
            instruction_count=len(result.groundings),
            image_width=width,
            image_height=height,
            found=grounding.found,
            existence=grounding.existence,
            targets=[_target_message(target, header, target_masks) for target in grounding.targets],
            model=model,
            age=age,
            timings=timings,
        )


def _target_message(target: Target, header: Header, with_mask: bool) -> TargetMessage:
    x_min, y_min, x_max, y_max = target.box
    message = TargetMessage(
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        point_x=target.point[0],
        point_y=target.point[1],
        score=target.score,
        label=target.label,
        mask_x=int(x_min),
        mask_y=int(y_min),
        mask=ImageMessage(),
    )
    if with_mask:
        # Boxes may have fractions of pixels: everything that they touch is inside the cut.
        message.mask = mask_message(
            target.mask[int(y_min) : -int(-y_max // 1), int(x_min) : -int(-x_max // 1)], header
        )
    return message
