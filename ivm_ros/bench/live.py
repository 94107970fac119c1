"""The suite `live`: ivm-tiny on a real ROS graph, from the camera's stamp to the mask's arrival.

Three processes: the camera node with the recorded clip, the grounding node, and a node that listens to the
mask alone, so that nothing is rendered, written or shown that a robot would not ask for.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ivm_ros.bench.programs import printed, private_graph, running
from ivm_ros.bench.suite import Alternative, Comparison, Options
from ivm_ros.bench.timing import Elapsed, Plan, Seconds, ratio

FAST, USUAL = 60.0, 30.0
"""Pictures that the camera makes a second: more than are asked for, so that the model is what limits; and as
most cameras do, so that every picture can be answered."""
_SECONDS = 6.0  # of each run
_WARM = 0.5  # seconds at the beginning that do not count
_PATIENCE = 60.0  # seconds until the first mask, at most


@dataclass(frozen=True)
class _Way:
    """One way to run the graph.

    Attributes:
        key: in the JSON.
        options: of the model.
        rate: of the camera, pictures a second.
        one_core: the node keeps to one, see docs/live.md.
    """

    key: str
    options: tuple[str, ...] = ()
    rate: float = FAST
    one_core: bool = False

    @property
    def said(self) -> str:
        """What it is, for people."""
        where = ", node on one core" if self.one_core else ""
        return f"{' '.join(self.options) or 'as `load` picks'}, camera {self.rate:g} Hz{where}"


_WAYS = {
    "PyTorch": _Way("torch", ("engine=torch",)),
    "default": _Way(""),
    "bfloat16": _Way("bfloat16", ("precision=bfloat16",)),
    "one core": _Way("one_core", one_core=True),
    "one core, usual camera": _Way("usual", rate=USUAL, one_core=True),
}
"""By name."""


def _ways() -> dict[str, _Way]:
    """Return the ways that this system has: only Linux lets a process choose its cores."""
    return {name: way for name, way in _WAYS.items() if not way.one_core or hasattr(os, "sched_getaffinity")}


def suite(options: Options) -> Iterator[Comparison]:
    """Compare the engines of ivm-tiny in the node."""
    if importlib.util.find_spec("rclpy") is None:
        raise ImportError("needs ROS 2: expected the package rclpy, which is not installed")
    numbers: dict[str, dict[str, float]] = {name: {} for name in _ways()}
    yield Comparison(
        "ivm-tiny in the node, 640x480: age of a mask when it comes, from the camera's stamp",
        tuple(
            Alternative(name, way.said, key=way.key, numbers=numbers[name]) for name, way in _ways().items()
        ),
        measure=lambda plan, elapsed: _measure(options.device, numbers, plan, elapsed),
        percentiles=(50, 99),
    )


def _measure(
    device: str, numbers: Mapping[str, dict[str, float]], plan: Plan, elapsed: Elapsed
) -> dict[str, Seconds]:
    """Run each way in turns until the ratios are as precise as the plan wants, or its time is over."""
    started = time.perf_counter()
    ways = _ways()
    ages: dict[str, list[Seconds]] = {name: [] for name in ways}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    while True:
        for name, way in ways.items():
            seconds, fps = run_graph(device, way.options, _SECONDS, way.rate, way.one_core)
            ages[name].append(seconds)
            rates[name].append(fps)
            elapsed(time.perf_counter() - started)
        times = {name: np.concatenate(runs) for name, runs in ages.items()}
        fewest = min(map(len, times.values()))  # a ratio is of as many
        paired = {
            name: each[np.linspace(0, len(each) - 1, fewest).astype(int)] for name, each in times.items()
        }
        first, *others = paired.values()
        precise = plan.precision is None or all(ratio(o, first).width <= plan.precision for o in others)
        if precise or time.perf_counter() - started >= plan.limit:
            for name, found in rates.items():
                numbers[name].update(fps=float(np.median(found)), fps_best=max(found))
            return paired


def run_graph(
    device: str, model_options: Sequence[str], seconds: float, rate: float = FAST, one_core: bool = False
) -> tuple[Seconds, float]:
    """Run camera, grounding node and listener; return (masks,) ages in seconds, and masks a second.

    Args:
        device: of the model, as torch names it, or "auto".
        model_options: of ivm-tiny, such as "engine=onnx".
        seconds: from the first mask on.
        rate: of the camera, pictures a second.
        one_core: the grounding node keeps to the last one; Linux alone can do so.

    Raises:
        OSError: no mask came, or a node failed; the text has what they printed.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as nodes:
        folder = Path(name)
        environment = private_graph(folder)
        archive = folder / "masks.npz"
        grounding = ["-p", "instruction:='the red cup'", "-p", f"device:='{device}'"]
        if one_core:
            grounding += ["-p", f"cores:={max(os.sched_getaffinity(0))}"]
        if model_options:
            grounding += ["-p", f"model_options:='{' '.join(model_options)}'"]
        programs = {
            "measuring.mask_listener": [str(archive), "--ros-args", "-r", "mask:=grounding/mask"],
            "grounding_node": ["--ros-args", *grounding],
            "camera_node": ["--ros-args", "-p", f"rate:={rate}"],
        }
        processes = [
            nodes.enter_context(
                running(
                    f"ivm_ros.nodes.{module}",
                    [*arguments, "-r", "__ns:=/live"],
                    environment,
                    folder / f"{module}.txt",
                )
            )
            for module, arguments in programs.items()
        ]
        deadline = time.monotonic() + _PATIENCE
        ready = folder / "masks.npz.first"
        while not ready.exists() and time.monotonic() < deadline:
            if any(process.poll() is not None for process in processes):
                break
            time.sleep(0.05)
        if ready.exists():
            time.sleep(seconds)
        nodes.close()  # the listener writes now
        if not archive.exists():
            raise OSError(f"the graph could not be measured:\n{printed(folder)}")
        with np.load(archive) as found:
            came, stamps = found["came"] * 1e-9, found["stamps"] * 1e-9
        if not len(came):
            raise OSError(f"expected masks, but none came:\n{printed(folder)}")
        counted = came >= came[0] + _WARM
        if counted.sum() < 2:
            raise OSError(f"expected masks for {seconds:g} s, got {len(came)}:\n{printed(folder)}")
        came, stamps = came[counted], stamps[counted]
        return came - stamps, (len(came) - 1) / float(came[-1] - came[0])
