"""Start nodes as processes of their own, and end them as Ctrl-C would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

_PATIENCE = 10.0  # seconds until a node that was asked to end is killed


class NodeProcess:
    """One node of this package in a process of its own; a context manager that ends it.

    Args:
        module: such as "ivm_ros.nodes.grounding_node".
        parameters: ROS parameters.
        namespace: of the node.
        environment: variables that it gets on top of this process's.
    """

    def __init__(
        self,
        module: str,
        parameters: Mapping[str, Any],
        namespace: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = module.rpartition(".")[2]
        # Read through a handle of its own: one that is shared with the node would move the node's too.
        handle, path = tempfile.mkstemp(prefix=f"{self.name}-", suffix=".log")
        self._log = Path(path)
        command = [sys.executable, "-m", module, "--ros-args", "-r", f"__ns:={namespace}"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={_yaml(value)}"]
        with os.fdopen(handle, "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
            )

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        self._log.unlink(missing_ok=True)

    @property
    def running(self) -> bool:
        """Return whether the process is alive."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def log(self) -> str:
        """Return what the node has printed."""
        return self._log.read_text(errors="replace")

    def send(self, by: signal.Signals) -> None:
        """Send the node a signal and do not wait."""
        self._process.send_signal(by)

    def end(self, by: signal.Signals = signal.SIGINT) -> int:
        """Interrupt the node and return its exit status; negative where it had to be killed."""
        if self.running:
            self.send(by)
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()


def _yaml(value: Any) -> str:
    """Return a value as the YAML that a ROS command line takes; text is quoted, so that '1' stays text.

    JSON's quotes are YAML's double ones, which alone keep the lines of a text apart.
    """
    return json.dumps(value, ensure_ascii=False)
