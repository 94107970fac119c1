"""The grounding node's services: set the instruction, and ground one image once.

A service callback only waits: the model's work is the stream's, and every answer has a status
code and a reason in words.
"""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.logging import get_logging_directory
from rclpy.node import Node
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from ivm_ros.frames import Frame, FrameError
from ivm_ros.grounding import InvalidInstructionError, check_instructions
from ivm_ros.messages import MessageError, check_color_image, mask_message, picture_message, rgb_image
from ivm_ros.nodes.camera_lane import CameraLane
from ivm_ros.nodes.grounding_message import About, grounding_messages
from ivm_ros.nodes.grounding_parameters import MAX_SERVICE_TIMEOUT
from ivm_ros.nodes.outputs import Source
from ivm_ros.nodes.session import Session
from ivm_ros.one_shots import ClosedError, NoImageError
from ivm_ros.rendering import render
from ivm_ros.srv import Ground, SetInstruction


class UnknownCameraError(ValueError):
    """A request names a camera that the node does not have."""


_STATUS = {
    InvalidInstructionError: Ground.Response.INVALID_INSTRUCTION,
    MessageError: Ground.Response.INVALID_IMAGE,
    FrameError: Ground.Response.INVALID_IMAGE,
    NoImageError: Ground.Response.NO_IMAGE,
    ClosedError: Ground.Response.INACTIVE,
    UnknownCameraError: Ground.Response.INVALID_CAMERA,
    FutureTimeoutError: Ground.Response.TIMEOUT,
}
"""Status codes of what can go wrong; everything else is the model's failure."""


class GroundingServices:
    """Serves `~/ground`, `~/set_instruction` and `~/save_trace` in every lifecycle state."""

    def __init__(self, node: Node, session: Session) -> None:
        self._session = session
        # One caller waits at a time, the others in the middleware: however many there are, they hold
        # one thread of the executor.
        waiting, quick = MutuallyExclusiveCallbackGroup(), MutuallyExclusiveCallbackGroup()
        node.create_service(Ground, "~/ground", self._on_ground, callback_group=waiting)
        node.create_service(
            SetInstruction, "~/set_instruction", self._on_set_instruction, callback_group=quick
        )
        node.create_service(Trigger, "~/save_trace", self._on_save_trace, callback_group=quick)

    def _on_set_instruction(
        self, request: SetInstruction.Request, response: SetInstruction.Response
    ) -> SetInstruction.Response:
        try:
            instructions = check_instructions(request.instructions)
        except InvalidInstructionError as error:
            response.status, response.reason = response.INVALID_INSTRUCTION, str(error)
            return response
        try:
            self._lane(request.camera)
        except UnknownCameraError as error:
            response.status, response.reason = response.INVALID_CAMERA, str(error)
            return response
        self._session.set_instructions(instructions, request.camera)
        response.status = response.SUCCESS
        response.reason = f"grounding {'; '.join(instructions)}" if instructions else "paused: no instruction"
        return response

    def _on_save_trace(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        folder = self._session.parameters["trace_folder"] or get_logging_directory()
        path = Path(folder).expanduser() / time.strftime("ivm_ros_%Y-%m-%d_%H-%M-%S.trace.json")
        try:
            spans = self._session.trace.save(path)
        except OSError as error:
            response.message = f"cannot write {path}: {error}"
        else:
            response.success = True
            response.message = f"{path}: {spans} spans; open it at ui.perfetto.dev"
        return response

    def _lane(self, camera: str) -> CameraLane:
        """Return the camera of this name, the first one for none."""
        cameras = self._session.cameras
        lane = cameras.get(camera or next(iter(cameras)))
        if lane is None:
            raise UnknownCameraError(
                f"expected a camera of {', '.join(cameras)}; got {camera!r}"
                if "" not in cameras
                else f"expected no camera's name, there is one only; got {camera!r}"
            )
        return lane

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
        session, lane = self._session, self._lane(request.camera)
        stream = lane.stream
        if stream is None:
            raise ClosedError("expected an active node; activate it, for example `ros2 lifecycle set`")
        instructions = (request.instruction,) if request.instruction else lane.instructions
        if not instructions:
            raise InvalidInstructionError("expected an instruction, in the request or set before; got none")
        frame = None
        if request.image.data or request.image.width or request.image.height:
            check_color_image(request.image)
            source = Source(request.image.header, request.image.encoding)
            frame = Frame(lambda: rgb_image(request.image), source)
        timeout = request.timeout if request.timeout > 0 else session.parameters["service_timeout"]
        timeout = min(timeout, MAX_SERVICE_TIMEOUT)  # infinity is more than a clock can hold
        answer = stream.one_shots.request(instructions[:1], frame)
        try:
            result = answer.result(timeout)
        except FutureTimeoutError as error:
            answer.cancel()
            raise FutureTimeoutError(f"expected an answer within {timeout:g} s") from error
        header: Header = result.frame.context.header
        age = session.age_of(header)
        about = About(session.model_name, lane.name, age, age)
        (response.grounding,) = grounding_messages(result, session.style.target_masks, about)
        (grounding,) = result.groundings
        response.mask = mask_message(grounding.mask, header)
        picture = render(result.image, grounding, session.style.settings)
        response.masked_image = picture_message(picture, result.frame.context.encoding, header)
        response.status = response.SUCCESS
        response.reason = f"{len(grounding.targets)} found" if grounding.found else "nothing matches"
