"""Run one node as a process: start, spin, and end calmly on SIGINT and SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from ivm_ros.nodes.executor import CalmExecutor
from ivm_ros.nodes.memory import keep_freed_memory
from ivm_ros.nodes.shared_memory import share_pictures


def run_node(make: Callable[[], Node], args: list[str] | None = None, threads: int = 4) -> int:
    """Spin the node that `make` returns until it is interrupted or shut down.

    Args:
        make: builds the node; a ValueError it raises is a bad parameter. A node that ends by itself has
            a Future `ended`, whose result is the exit status.
        args: command line, for `--ros-args`; None takes the process's own.
        threads: how many callbacks may run at once; a service that waits must not hold up the camera.

    Returns:
        The exit status: the node's own where it ended by itself, 2 where it was started with a bad
        parameter, else 0.
    """
    node: Node | None = None
    ended: Any = None
    started = False
    keep_freed_memory()
    share_pictures(os.environ, Path.cwd())
    try:
        rclpy.init(args=args)
        started = True
        node = make()
        executor = CalmExecutor(num_threads=threads)
        executor.add_node(node)
        ended = getattr(node, "ended", None)
        if ended is None:
            executor.spin()
        else:  # not by a shutdown of its own: Kilted would destroy the node on the thread that asks for it
            executor.spin_until_future_complete(ended)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception as error:
        if started and not rclpy.ok():
            pass  # told to end while it started: what it was doing could not go on
        elif node is None and isinstance(error, ValueError):
            print(f"cannot start: {error}", file=sys.stderr)
            return 2
        else:
            raise
    finally:
        _ignore_interruptions()
        if node is not None:
            node.destroy_node()
        if rclpy.ok():  # Humble has no try_shutdown
            rclpy.shutdown()
        _ignore_interruptions()  # rclpy has put back the handlers that it found
    return ended.result() if ended is not None and ended.done() else 0


def _ignore_interruptions() -> None:
    """End undisturbed: with `ros2 launch`, Ctrl-C often comes twice, from the terminal and from launch."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
