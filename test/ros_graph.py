"""A ROS graph for tests: node processes in a domain of their own, and a client that talks to them."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from pathlib import Path
from typing import Any

from ros_client import Client

from ivm_ros.cli.processes import NodeProcess


class _Domain:
    """A ROS domain that no other process of these tests uses at the same time."""

    def __init__(self) -> None:
        for number in random.SystemRandom().sample(range(1, 101), 100):  # above, ports collide
            self._lock = (Path(tempfile.gettempdir()) / f"ivm_ros_test_domain_{number}").open("w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._lock.close()
                continue
            self.number = number
            return
        raise RuntimeError("expected a free ROS domain between 1 and 100, all are in use")

    def release(self) -> None:
        self._lock.close()


class Graph:
    """The nodes of one domain; ends them all when it is left.

    Args:
        logs: folder for what ROS logs.
    """

    def __init__(self, logs: Path) -> None:
        self._domain = _Domain()
        self.environment = {
            "ROS_DOMAIN_ID": str(self._domain.number),
            "ROS_LOG_DIR": str(logs),
            "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))),
        }
        self.domain = self._domain.number
        self._nodes: list[NodeProcess] = []
        self.client = Client(self._domain.number)

    def start(
        self, module: str, parameters: dict[str, Any] | None = None, namespace: str = "/"
    ) -> NodeProcess:
        """Start a node as a process of its own; `module` is what `python -m` takes."""
        node = NodeProcess(module, parameters or {}, namespace, self.environment)
        self._nodes.append(node)
        self.client.processes[f"{node.name} in {namespace}"] = node.pid
        return node

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_: object) -> None:
        for node in self._nodes:
            node.__exit__(None, None, None)
        self.client.destroy()
        self._domain.release()
