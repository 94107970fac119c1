"""The suite `overhead`: what the grounding node costs without its model, against a node as usually written.

Two nodes, each a process, get the same frames of 640x480 in turns, 30 a second in all, on a ROS graph of
their own. One is the grounding node, with a model that answers at once; the other does the same in one
callback, with copies as cv_bridge makes them and the whole frame blended in float32. All three outputs have
a listener.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ivm_ros.bench.programs import printed, private_graph, running
from ivm_ros.bench.suite import Alternative, Comparison, Options, require_agreement
from ivm_ros.bench.timing import Elapsed, Plan, Seconds, ratio

_FRAMES, _BRIEFLY = 220, 150
_GREY_LEVELS = 2
_PATIENCE = 90.0  # seconds, beyond what the frames take
_PLAIN, _OURS = "plain node", "grounding node"
_PROGRAMS = {"plain": "ivm_ros.nodes.measuring.plain", "grounding": "ivm_ros.nodes.measuring.instant"}
_CAMERA = "ivm_ros.nodes.measuring.camera"


@dataclass(frozen=True, eq=False)
class Measured:
    """What a run of both nodes found, frame by frame.

    Attributes:
        inside: (frames,) seconds by node, from the call of its callback to the return of its last `publish`.
        trip: (frames,) seconds by node, from the camera's `publish` to its callback with the last answer.
        grey_levels: by how much the nodes' pictures differ at most.
    """

    inside: Mapping[str, Seconds]
    trip: Mapping[str, Seconds]
    grey_levels: float


def suite(options: Options) -> Iterator[Comparison]:
    """Compare the two nodes: the time inside of them, then what the listener sees."""
    if importlib.util.find_spec("rclpy") is None:
        raise ImportError("needs ROS 2: expected the package rclpy, which is not installed")
    runs: list[Measured] = []
    frames = _BRIEFLY if options.brief else _FRAMES
    yield Comparison(
        "640x480 rgb8 to masked image, mask and grounding: from the callback to the last publish",
        (
            Alternative(_PLAIN, "as usually written"),
            Alternative(_OURS, "without the model", key=""),
        ),
        measure=lambda plan, elapsed: _measure(runs, frames, "inside", plan, elapsed),
        percentiles=(50, 99),
    )
    yield Comparison(
        "the same as the camera sees it: from its publish to the last of three answers",
        (
            Alternative(_PLAIN, "with the middleware, twice", key="plain_round_trip"),
            Alternative(_OURS, "the same", key="round_trip"),
        ),
        measure=lambda plan, elapsed: _measure(runs, frames, "trip", plan, elapsed),
        percentiles=(50, 99),
    )


def _measure(
    runs: list[Measured], frames: int, what: str, plan: Plan, elapsed: Elapsed
) -> dict[str, Seconds]:
    """Return times of all runs; add runs until there is one, and as many as the plan's precision takes."""
    started = time.perf_counter()
    while True:
        if runs:
            times = {
                name: np.concatenate([getattr(run, what)[node] for run in runs])
                for name, node in ((_PLAIN, "plain"), (_OURS, "grounding"))
            }
            precise = plan.precision is None or ratio(times[_OURS], times[_PLAIN]).width <= plan.precision
            if precise or time.perf_counter() - started >= plan.limit:
                return times
        run = run_nodes(frames)
        require_agreement("the nodes' pictures, in grey levels,", run.grey_levels, _GREY_LEVELS)
        runs.append(run)
        elapsed(time.perf_counter() - started)


def run_nodes(frames: int) -> Measured:
    """Run both nodes and the camera, and return the times of the frames that both answered.

    Args:
        frames: to each node.

    Raises:
        OSError: a node or the camera failed; the text has what they printed.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as nodes:
        folder = Path(name)
        environment = private_graph(folder)
        processes = []
        for node, program in _PROGRAMS.items():
            arguments = [str(folder / f"{node}.npz"), *_arguments(node)]
            process = running(program, arguments, environment, folder / f"{node}.txt")
            processes.append(nodes.enter_context(process))
        sent = [str(folder / "camera.npz"), str(frames), *_PROGRAMS]
        with running(_CAMERA, sent, environment, folder / "camera.txt") as camera:
            deadline = time.monotonic() + _PATIENCE + frames / 10.0
            while camera.poll() is None and time.monotonic() < deadline:
                if any(process.poll() is not None for process in processes):
                    break  # nothing will answer the camera
                time.sleep(0.05)
            status = camera.poll()
        nodes.close()  # they write their times now
        if status != 0 or not all((folder / f"{node}.npz").exists() for node in _PROGRAMS):
            raise OSError(f"the nodes could not be measured:\n{printed(folder)}")
        return _read(folder)


def _arguments(node: str) -> list[str]:
    """Return a node's command line: its place, what it grounds, and a camera whose frames are not lost."""
    reliable = f"qos_overrides./{node}/image.subscription.reliability:=reliable"
    return ["--ros-args", "-r", f"__ns:=/{node}", "-p", "instruction:='the red cup'", "-p", reliable]


def _read(folder: Path) -> Measured:
    """Return the times of the frames that both nodes have answered."""
    archives = {}
    for path in folder.glob("*.npz"):
        with np.load(path) as archive:
            archives[path.stem] = dict(archive)
    camera = archives["camera"]
    frames = sorted(set(camera["plain_frames"]) & set(camera["grounding_frames"]))
    inside, trip = {}, {}
    for node in _PROGRAMS:
        row = dict(zip(camera[f"{node}_frames"], range(len(camera[f"{node}_frames"])), strict=True))
        rows = [row[frame] for frame in frames]
        trip[node] = camera[f"{node}_seconds"][rows]
        own = dict(zip(archives[node]["stamps"], archives[node]["seconds"], strict=True))
        inside[node] = np.array([own[stamp] for stamp in camera[f"{node}_stamps"][rows]])
    return Measured(inside, trip, float(camera["grey_levels"]))
