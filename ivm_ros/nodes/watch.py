"""Run a watcher in this process while something else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from ivm_ros.grounding import Image
from ivm_ros.nodes.watcher import Watcher

_PATIENCE = 5.0  # seconds for the picture at work; whoever interrupts a demo does not wait for ever


@contextmanager
def watching(namespace: str, on_picture: Callable[[str, Image], None]) -> Iterator[Watcher]:
    """Spin a `Watcher` on a thread for the time of a `with` block."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # signals are the caller's
    watcher = Watcher(namespace, on_picture)
    executor = SingleThreadedExecutor()
    executor.add_node(watcher)

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin, name="watcher", daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        executor.shutdown(_PATIENCE)
        thread.join(_PATIENCE)
        watcher.destroy_node()
        if rclpy.ok():
            rclpy.shutdown()
