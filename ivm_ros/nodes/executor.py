"""An executor that outlives what it waits for: rclpy's own ends with the process instead."""

from __future__ import annotations

from typing import Any

from rclpy.executors import MultiThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation

_ATTEMPTS = 100  # far more than there are things that could be destroyed between two looks


class CalmExecutor(MultiThreadedExecutor):
    """Looks again when something was destroyed on one thread while this one was about to wait for it.

    A lifecycle node destroys its subscriptions while the executor runs. rclpy gathers what to wait for, and
    leaves out what is gone by then, but not the events of a subscription or publisher: it raises
    InvalidHandle out of `spin`.
    """

    def wait_for_ready_callbacks(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next callback that is ready; what is gone is not gathered a second time."""
        for _ in range(_ATTEMPTS):
            try:
                return super().wait_for_ready_callbacks(*args, **kwargs)
            except rclpy_implementation.InvalidHandle:
                continue
        return super().wait_for_ready_callbacks(*args, **kwargs)
