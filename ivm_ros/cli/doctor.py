"""`ivm-ros doctor`: what of this machine is usable, and what to do about the rest."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import ivm_ros
from ivm_ros.cli.memory import fit_here
from ivm_ros.models.registry import ModelEntry, memory_needs, require_libraries


class Finding(NamedTuple):
    """One line of the doctor's table."""

    subject: str
    state: str  # "ok", "absent" (optional) or "broken" (needed)
    text: str
    remedy: str = ""


_OPTIONAL = {
    "rosbags": ("playing rosbag2 and MCAP files", "pip install 'ivm-ros[bags]'"),
    "rosbags.image": ("Bayer, YUV and 16-bit encodings", "pip install 'ivm-ros[bags]'"),
    "mujoco": ("rendering tabletop scenes", "pip install 'ivm-ros[sim]'"),
    "pycocotools": ("masks of published datasets", "pip install 'ivm-ros[datasets]'"),
    "transformers": ("IVM", "pip install 'ivm-ros[transformers]'"),
    "sentencepiece": ("InstanceVG", "pip install 'ivm-ros[instancevg]'"),
    "bitsandbytes": ("weights in 8 and 4 bits", "pip install 'ivm-ros[quantised]'"),
    "tensorboard": ("training curves", "pip install 'ivm-ros[train]'"),
    "tkinter": ("the demo's window", "apt install python3-tk"),
    "launch_ros": ("ros2 launch", "apt install ros-$ROS_DISTRO-launch-ros (not on PyPI)"),
    "vision_msgs": ("~/detections", "apt install ros-$ROS_DISTRO-vision-msgs (not on PyPI)"),
}
"""Optional modules: what each is for, and how to get it."""


def _python() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.machine()}, {cores} cores")
    for name in ("numpy", "cv2"):
        yield Finding(name, "ok", importlib.import_module(name).__version__)


def _ros() -> Iterator[Finding]:
    rclpy = importlib.import_module("rclpy")
    distro = os.environ.get("ROS_DISTRO") or f"PyPI wheels, rclpy {_version('ros-rclpy')}"
    yield Finding("ROS 2", "ok", f"{distro}, RMW {rclpy.get_rmw_implementation_identifier()}")
    interfaces = importlib.import_module("ivm_ros.msg").Grounding
    interfaces.__class__.__import_type_support__()  # loads the compiled part, which is what can be missing
    yield Finding("ROS 2 interfaces", "ok", "ivm_ros/Grounding and its type support load")


def _torch() -> Iterator[Finding]:
    torch = importlib.import_module("torch")
    yield Finding("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            gpu = torch.cuda.get_device_properties(index)
            yield Finding(f"cuda:{index}", "ok", f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB")
    else:
        yield Finding("cuda", "absent", "no GPU that torch can use", "models run on the CPU")


def _optional() -> Iterator[Finding]:
    for module, (purpose, remedy) in _OPTIONAL.items():
        if _installed(module):
            yield Finding(module, "ok", purpose)
        else:
            yield Finding(module, "absent", f"no {purpose}", remedy)


def _models() -> Iterator[Finding]:
    for entry in ivm_ros.available():
        yield _answer(entry) if entry.ships else _prospect(entry)


def _answer(entry: ModelEntry) -> Finding:
    """Load a model that ships with the package, and ask it something."""
    try:
        started = time.monotonic()
        grounder = ivm_ros.load(entry.name)
        loaded = time.monotonic()
        grounder(np.zeros((480, 640, 3), np.uint8), "the red cup")
    except Exception as error:  # whatever can be wrong with weights or devices
        return Finding(f"model {entry.name}", "broken", str(error), "install ivm-ros again")
    return Finding(
        f"model {entry.name}",
        "ok",
        f"{entry.description}; loads in {loaded - started:.1f} s, "
        f"first answer in {time.monotonic() - loaded:.1f} s",
    )


def _prospect(entry: ModelEntry) -> Finding:
    """Say what a model needs whose weights somebody else has."""
    remedy = f"get its files (docs/{entry.name}.md), give them with --checkpoint"
    try:
        require_libraries(entry.name)
        needs = memory_needs(entry.name)
    except ImportError as error:
        return Finding(f"model {entry.name}", "absent", f"{entry.description}; {error}", remedy)
    fit = f"; {fit_here(needs)}" if needs else ""
    return Finding(f"model {entry.name}", "absent", f"{entry.description}{fit}", remedy)


_CHECKS: dict[str, tuple[Callable[[], Iterator[Finding]], str]] = {
    "Python": (_python, "pip install ivm-ros"),
    "ROS 2": (_ros, "source /opt/ros/jazzy/setup.bash, or run `make install`"),
    "torch": (_torch, "pip install torch"),
    "optional": (_optional, ""),
    "models": (_models, ""),
}
"""Checks by name, with what helps where one fails altogether."""


def examine() -> list[Finding]:
    """Run all checks; one that raises is a finding too."""
    findings: list[Finding] = []
    for name, (check, remedy) in _CHECKS.items():
        try:
            findings.extend(check())
        except Exception as error:  # a broken installation may raise anything
            findings.append(Finding(name, "broken", f"{type(error).__name__}: {error}", remedy))
    return findings


def run_doctor() -> int:
    """Print the findings; return 1 if something needed is broken."""
    styles = {"ok": "[green]ok[/]", "absent": "[yellow]absent[/]", "broken": "[bold red]broken[/]"}
    table = Table("", "", "what is there", "what to do", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    console = Console()
    with console.status("looking around"):
        findings = examine()
    for finding in findings:
        table.add_row(finding.subject, styles[finding.state], escape(finding.text), escape(finding.remedy))
    console.print(table)
    broken = [finding.subject for finding in findings if finding.state == "broken"]
    if broken:
        console.print(f"[bold red]not usable:[/] {', '.join(broken)}")
    return 1 if broken else 0


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is missing
        return False


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
