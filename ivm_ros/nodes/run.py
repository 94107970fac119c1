"""Run one node as a process: start, spin, and end calmly on SIGINT and SIGTERM."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node


def run_node(make: Callable[[], Node], args: list[str] | None = None, threads: int = 4) -> int:
    """Spin the node that `make` returns until it is interrupted or shut down.

    Args:
        make: builds the node; a ValueError it raises is a bad parameter.
        args: command line, for `--ros-args`; None takes the process's own.
        threads: how many callbacks may run at once; a service that waits must not hold up the camera.

    Returns:
        The exit status: 2 where the node was started with a bad parameter, else the node's own
        `exit_status`, 0 where it has none.
    """
    node: Node | None = None
    try:
        rclpy.init(args=args)
        node = make()
        executor = MultiThreadedExecutor(num_threads=threads)
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ValueError as error:
        if node is not None:
            raise
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    finally:
        _ignore_interruptions()
        if node is not None:
            node.destroy_node()
        if rclpy.ok():  # Humble has no try_shutdown
            rclpy.shutdown()
        _ignore_interruptions()  # rclpy has put back the handlers that it found
    return getattr(node, "exit_status", 0)


def _ignore_interruptions() -> None:
    """End undisturbed: with `ros2 launch`, Ctrl-C often comes twice, from the terminal and from launch."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
