"""`ivm-ros demo`: the main job, live, on a real ROS 2 graph of separate processes."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ivm_ros.cli.choice import ModelChoice
from ivm_ros.cli.demo_pictures import Album, Window, open_window
from ivm_ros.cli.demo_report import demo_report
from ivm_ros.cli.processes import NodeProcess
from ivm_ros.clip import Clip, load_clip

_NAMESPACE = "/ivm_demo"
_START_UP = 120.0  # seconds; a cold disk and a slow CPU included
_MEANINGS = {
    "frames_in": "frames that the camera published",
    "groundings_out": "groundings that came back",
    "fps": "groundings a second",
    "age_ms_p50": "age of a grounding when published, ms, median",
    "age_ms_p99": "the same, 99th percentile",
    "mask_iou_mean": "mean IoU of the mask with the truth",
}


class DemoError(RuntimeError):
    """A node of the demo did not do its part; the text has what it printed."""


def run_demo(
    headless: bool,
    seconds: float,
    instruction: str,
    choice: ModelChoice,
    source: str,
    tracking: Mapping[str, str | float],
    report: Path | None,
    output: Path,
) -> int:
    """Run the demo; return the exit status: 0, or 1 where a node failed.

    Args:
        headless: without a window.
        seconds: how long.
        instruction: what to find; empty: the clip's first.
        choice: of the model.
        source: of the camera.
        tracking: parameters of the grounding node that say how it tracks.
        report: file for the numbers; None: in the output folder.
        output: folder for video and contact sheet.
    """
    console = Console()
    clip = load_clip() if source == "clip" else None
    instruction = instruction or (clip.default_instruction if clip else "")
    if not instruction:
        raise ValueError("expected --instruction with a source of your own")
    window, reason = (None, "headless") if headless else open_window("ivm_ros")
    _private_graph()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # and the nodes with it
    title = f"[bold]{escape(instruction)}[/]  model {choice.name}, camera {escape(source)}"
    console.print(title, highlight=False, soft_wrap=True)
    album = Album(output / "demo.mp4", clip.fps if clip else 20.0)
    with ExitStack() as nodes:
        camera = nodes.enter_context(NodeProcess("ivm_ros.nodes.camera_node", {"source": source}, _NAMESPACE))
        grounding = nodes.enter_context(
            NodeProcess(
                "ivm_ros.nodes.grounding_node",
                {**choice.parameters(), **tracking, "instruction": instruction},
                _NAMESPACE,
            )
        )
        try:
            result = _watch(console, [camera, grounding], album, window, seconds, clip, instruction)
        except DemoError as error:
            console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
            return 1
    result = {"instruction": instruction, "model": choice.name, "source": source, **result}
    console.print(_table(result))
    if album.close(output / "demo.png"):
        why = f" ({reason})" if reason else ""
        console.print(f"look at {output / 'demo.png'} and {output / 'demo.mp4'}{why}", soft_wrap=True)
    report = report or output / "report.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(result, indent=2) + "\n")
    console.print(f"the numbers are in {report}", soft_wrap=True)
    return 0


def _private_graph() -> None:
    """Keep the demo's graph on this machine and apart from other robots'; what the user set stands."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(random.randint(1, 100)))  # above, ports collide


def _watch(
    console: Console,
    nodes: list[NodeProcess],
    album: Album,
    window: Window | None,
    seconds: float,
    clip: Clip | None,
    instruction: str,
) -> dict[str, Any]:
    """Watch the graph until the time is up or the window is closed; return the measurements."""
    from ivm_ros.nodes.watch import watching  # ROS reads the environment when it is first imported

    truth_at = None
    if clip is not None and instruction in clip.instructions:
        truth_at = lambda position: clip.truth(round(position * clip.fps) % len(clip), instruction)  # noqa: E731
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
    )
    with watching(_NAMESPACE, album.add) as watcher, Progress(*columns, console=console) as progress:
        task = progress.add_task("loading the model", total=None)
        deadline = time.monotonic() + _START_UP
        while not watcher.started:
            _check(nodes, time.monotonic() < deadline)
            time.sleep(0.02)
        watcher.clear()
        album.clear()
        progress.update(task, description="grounding", total=seconds)
        start = time.monotonic()
        while (elapsed := time.monotonic() - start) < seconds and not (window and window.closed):
            _check(nodes, True)
            progress.update(task, completed=elapsed)
            picture = album.newest()
            if window is not None and picture is not None:
                window.show(picture)
            time.sleep(0.02)
        progress.update(task, completed=seconds, description="done")
        seen = watcher.snapshot()
    if window is not None:
        window.destroy()
    return demo_report(elapsed, seen.positions, seen.groundings, seen.masks, truth_at)


def _check(nodes: list[NodeProcess], in_time: bool) -> None:
    for node in nodes:
        if not node.running or not in_time:
            what = "ended" if in_time else "has not answered in time"
            raise DemoError(f"{node.name} {what}:\n{node.log().strip() or '(it printed nothing)'}")


def _table(result: dict[str, Any]) -> Table:
    table = Table(show_header=False)
    for name, meaning in _MEANINGS.items():
        value = result[name]
        table.add_row(name, "-" if value is None else f"{value:g}", f"[dim]{meaning}[/]")
    return table
