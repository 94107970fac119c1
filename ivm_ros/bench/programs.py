"""Programs that a suite runs beside itself, each a process of its own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 10.0  # seconds until a program that was interrupted is killed


def private_graph(folder: Path) -> dict[str, str]:
    """Return the environment for a ROS graph of its own, that no other robot hears or is heard in.

    Args:
        folder: for what ROS logs.
    """
    return {
        **os.environ,
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, 100)),  # above, ports collide
        "ROS_LOG_DIR": str(folder / "log"),
    }


def printed(folder: Path) -> str:
    """Return what all programs printed whose logs are the text files of a folder."""
    return "\n".join(log.read_text(errors="replace").strip() for log in sorted(folder.glob("*.txt")))


@contextmanager
def running(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module as a program, and interrupt it at the end.

    Args:
        module: as `python -m` takes it.
        arguments: of the program.
        environment: all of its variables.
        log: file for what it prints.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdout=file, stderr=subprocess.STDOUT, env=environment
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
