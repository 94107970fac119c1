"""An executor that outlives what it waits for: rclpy's own ends with the process instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.executors import MultiThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation

_ATTEMPTS = 100  # far more than there are things that could be destroyed between two looks


class CalmExecutor(MultiThreadedExecutor):
    """Goes on when something is destroyed on one thread while this one is about to wait for it or to take it.

    A lifecycle node destroys its subscriptions while the executor runs. rclpy gathers what to wait for, and
    leaves out what is gone by then, but not the events of a subscription or publisher: it raises
    InvalidHandle out of `spin`. It does the same when an event is ready, and gone before it is taken.
    """

    def wait_for_ready_callbacks(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next callback that is ready; what is gone is not gathered a second time."""
        for _ in range(_ATTEMPTS):
            try:
                return super().wait_for_ready_callbacks(*args, **kwargs)
            except rclpy_implementation.InvalidHandle:
                continue
        return super().wait_for_ready_callbacks(*args, **kwargs)

    def _make_handler(self, entity: Any, node: Any, take: Callable[[Any], Any], *rest: Any) -> Any:
        """Return the task that calls back; where `entity` is gone before it is taken, nothing is called.

        rclpy calls this for all that is ready, and takes None for "there is nothing to do", as it does
        itself where a subscription, timer, client or service is gone by then.
        """

        def take_if_there(entity: Any) -> Any:
            try:
                return take(entity)
            except rclpy_implementation.InvalidHandle:
                return None

        return super()._make_handler(entity, node, take_if_there, *rest)
