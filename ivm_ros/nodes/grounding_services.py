"""The grounding node's services: set the instruction, and ground one image once.

A service callback only waits: the model's work is the stream's, and every answer has a status
code and a reason in words.
"""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from std_msgs.msg import Header

from ivm_ros.frames import Frame
from ivm_ros.grounding import InvalidInstructionError, check_instruction
from ivm_ros.messages import MessageError, check_color_image, mask_message, picture_message, rgb_image
from ivm_ros.nodes.grounding_message import grounding_messages
from ivm_ros.nodes.grounding_parameters import MAX_SERVICE_TIMEOUT
from ivm_ros.nodes.outputs import Source
from ivm_ros.nodes.session import Session
from ivm_ros.rendering import render
from ivm_ros.srv import Ground, SetInstruction
from ivm_ros.stream import FrameError, NoImageError, StreamClosedError

_STATUS = {
    InvalidInstructionError: Ground.Response.INVALID_INSTRUCTION,
    MessageError: Ground.Response.INVALID_IMAGE,
    FrameError: Ground.Response.INVALID_IMAGE,
    NoImageError: Ground.Response.NO_IMAGE,
    StreamClosedError: Ground.Response.INACTIVE,
    FutureTimeoutError: Ground.Response.TIMEOUT,
}
"""Status codes of what can go wrong; everything else is the model's failure."""


class GroundingServices:
    """Serves `~/ground` and `~/set_instruction` in every lifecycle state."""

    def __init__(self, node: Node, session: Session) -> None:
        self._session = session
        # One caller waits at a time, the others in the middleware: however many there are, they hold
        # one thread of the executor.
        waiting, quick = MutuallyExclusiveCallbackGroup(), MutuallyExclusiveCallbackGroup()
        node.create_service(Ground, "~/ground", self._on_ground, callback_group=waiting)
        node.create_service(
            SetInstruction, "~/set_instruction", self._on_set_instruction, callback_group=quick
        )

    def _on_set_instruction(
        self, request: SetInstruction.Request, response: SetInstruction.Response
    ) -> SetInstruction.Response:
        try:
            instructions = tuple(check_instruction(text) for text in request.instructions)
        except InvalidInstructionError as error:
            response.status, response.reason = response.INVALID_INSTRUCTION, str(error)
            return response
        self._session.set_instructions(instructions)
        response.status = response.SUCCESS
        response.reason = f"grounding {'; '.join(instructions)}" if instructions else "paused: no instruction"
        return response

    def _on_ground(self, request: Ground.Request, response: Ground.Response) -> Ground.Response:
        try:
            self._ground(request, response)
        except Exception as error:  # the caller is told, and the node goes on
            response.status = _STATUS.get(type(error), Ground.Response.MODEL_FAILED)
            response.reason = str(error) or type(error).__name__
            if response.status == Ground.Response.MODEL_FAILED:
                self._session.report(f"grounding failed: {type(error).__name__}: {error}")
        return response

    def _ground(self, request: Ground.Request, response: Ground.Response) -> None:
        """Fill `response`, or raise what `_STATUS` names."""
        session = self._session
        stream, grounder = session.stream, session.grounder
        if stream is None or grounder is None:
            raise StreamClosedError("expected an active node; activate it, for example `ros2 lifecycle set`")
        instructions = (request.instruction,) if request.instruction else session.instructions
        if not instructions:
            raise InvalidInstructionError("expected an instruction, in the request or set before; got none")
        frame = None
        if request.image.data or request.image.width or request.image.height:
            check_color_image(request.image)
            source = Source(request.image.header, request.image.encoding)
            frame = Frame(lambda: rgb_image(request.image), source)
        timeout = request.timeout if request.timeout > 0 else session.parameters["service_timeout"]
        timeout = min(timeout, MAX_SERVICE_TIMEOUT)  # infinity is more than a clock can hold
        answer = stream.request(instructions[:1], frame)
        try:
            result = answer.result(timeout)
        except FutureTimeoutError as error:
            answer.cancel()
            raise FutureTimeoutError(f"expected an answer within {timeout:g} s") from error
        header: Header = result.frame.context.header
        (response.grounding,) = grounding_messages(
            result,
            header,
            grounder.name,
            session.parameters["publish_target_masks"],
            session.age_of(header),
            0.0,
        )
        (grounding,) = result.groundings
        response.mask = mask_message(grounding.mask, header)
        picture = render(result.image, grounding, session.settings)
        response.masked_image = picture_message(picture, result.frame.context.encoding, header)
        response.status = response.SUCCESS
        response.reason = f"{len(grounding.targets)} found" if grounding.found else "nothing matches"
