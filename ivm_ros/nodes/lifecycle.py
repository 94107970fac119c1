"""What rclpy's lifecycle nodes lack: an answer to a transition that the state does not have."""

from __future__ import annotations

from lifecycle_msgs.srv import ChangeState
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode


def refuse_wrong_transitions(node: LifecycleNode) -> None:
    """Have the node answer `success: false` to a transition out of another state, and say so in its log.

    By itself rclpy raises out of the service's callback: the process ends, and the caller waits.
    """
    service = node._service_change_state  # rclpy has no other way in
    change_state = service.callback

    def answer(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        try:
            return change_state(request, response)
        except rclpy_implementation.RCLError:
            wanted = request.transition.label or request.transition.id
            node.get_logger().warning(f"transition refused: there is no {wanted!r} out of the current state")
            response.success = False
            return response

    service.callback = answer
