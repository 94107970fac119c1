"""Groundings become ivm_ros/Grounding messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.frames import GroundedFrame
from ivm_ros.grounding import Target
from ivm_ros.messages import mask_message
from ivm_ros.msg import Grounding as GroundingMessage
from ivm_ros.msg import Target as TargetMessage
from ivm_ros.msg import Timings as TimingsMessage


class About(NamedTuple):
    """What a message says of itself."""

    model: str  # the grounder's name
    camera: str  # empty where there is one
    age: float  # seconds from the stamp to now; NaN where the stamp is not set
    grounded_age: float  # the same of the image that the model saw


def grounding_messages(
    result: GroundedFrame, target_masks: bool, about: About, rendered: float = 0.0, published: float = 0.0
) -> Iterator[GroundingMessage]:
    """Yield one message per instruction.

    Args:
        result: the grounded frame; the context of its frames is a `Source`.
        target_masks: whether each target carries its own mask.
        about: what the messages say of themselves.
        rendered: seconds that making the frame's other messages took.
        published: seconds that handing those to the middleware took.
    """
    header, delay = result.frame.context.header, result.frame.context.delay
    timings = TimingsMessage(received=delay, rendered=rendered, published=published, **vars(result.timings))
    for index, (grounding, trust) in enumerate(zip(result.groundings, result.trust, strict=True)):
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
            targets=[
                _target_message(target, sure, header, target_masks)
                for target, sure in zip(grounding.targets, trust, strict=True)
            ],
            tracked=result.tracked,
            grounded_stamp=result.key.context.header.stamp,
            lost=result.lost,
            timings=timings,
            **about._asdict(),
        )


def _target_message(target: Target, trust: float, header: Header, with_mask: bool) -> TargetMessage:
    x_min, y_min, x_max, y_max = target.box
    message = TargetMessage(
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        point_x=target.point[0],
        point_y=target.point[1],
        score=target.score,
        trust=trust,
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
