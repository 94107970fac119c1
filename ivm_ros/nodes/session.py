"""What the grounding node, its services and its diagnostics share: parameters, model and cameras."""

from __future__ import annotations

import gc
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

import ivm_ros
from ivm_ros.grounding import Grounder
from ivm_ros.messages import stamp_seconds
from ivm_ros.model_worker import ModelWorker
from ivm_ros.models.options import parse_options
from ivm_ros.nodes.camera_lane import CameraLane
from ivm_ros.nodes.grounding_parameters import (
    PARAMETERS,
    camera_names,
    check_values,
    render_settings,
    split_instructions,
)
from ivm_ros.nodes.memory import give_back_memory
from ivm_ros.nodes.outputs import Style
from ivm_ros.nodes.parameters import Parameters
from ivm_ros.nodes.recovery import Recovery
from ivm_ros.remote.grounder import RemoteGrounder, load_remote
from ivm_ros.tracing import Trace
from ivm_ros.tracking.registry import load_tracker
from ivm_ros.tracking.tracker import Tracker

_AFTER_INTERRUPTION = 2.0  # seconds for a call to come back with an error
_WARM_UP_SIZE = (480, 640, 3)

Load = Callable[..., Grounder]
"""What loads a model; `ivm_ros.load` is one."""


class ModelNotReadyError(RuntimeError):
    """There is no model, or it has not come back from a frame of an earlier activation."""


class Session:
    """One grounding node's model and cameras, from `load` to `release`, and what it says of itself.

    `load` makes grounder and outputs, `start` the streams; `stop` and `release` take them back, from
    whatever state.

    Args:
        node: has the parameters, publishes, tells the time and logs.
        load: loads the model where it runs in this process.

    Attributes:
        parameters: of the node, checked.
        style: of the outputs, as the parameters say.
        cameras: one lane for each; the first is what services mean by default.
        grounder: None until loaded.
        trace: of the last half minute.
        problem: the last one, in words; empty when a model has loaded since.
    """

    def __init__(self, node: LifecycleNode, load: Load = ivm_ros.load) -> None:
        self._node, self._load = node, load
        self.parameters = Parameters(node, PARAMETERS, check_values, self._on_parameters)
        self.style = self._style(self.parameters.values)
        self.trace = Trace()
        instructions = split_instructions(self.parameters["instruction"])
        self.cameras = {
            name: CameraLane(node, self, name, instructions)
            for name in camera_names(self.parameters["cameras"])
        }
        self.grounder: Grounder | None = None
        self.problem = ""
        self.recovery = Recovery(node, self.parameters, self.announce, self._load_anew)
        self._make_tracker: Callable[[], Tracker] | None = None
        self._worker: ModelWorker | None = None
        self._hanging: ModelWorker | None = (
            None  # closed, but the model has not come back from its last frame
        )
        self._changing = threading.RLock()  # transitions, and loading anew
        self._started = False  # by a transition; a model that is being loaded anew does not run meanwhile

    @property
    def running(self) -> bool:
        """Return whether the streams run."""
        return self._worker is not None

    @property
    def stuck(self) -> bool:
        """Return whether the model has not come back from a call in time."""
        worker = self._worker
        return worker is not None and worker.stuck

    @property
    def model_name(self) -> str:
        """Return the grounder's name; the parameter's until it is loaded."""
        return self.grounder.name if self.grounder is not None else str(self.parameters["model"])

    def model_health(self) -> dict[str, str]:
        """Return what is known of the model's process, for /diagnostics; nothing where it has none."""
        if not isinstance(self.grounder, RemoteGrounder):
            return {}
        status = self.grounder.status
        return {
            "model_process": status.state,
            "model_process_id": str(status.pid or ""),
            "model_process_restarts": str(status.restarts),
            "model_process_restarts_in": f"{status.restarts_in:.1f}",
            "model_process_problem": status.problem,
        }

    def load(self) -> None:
        """Load the model, warm it up, make the publishers.

        Raises:
            Exception: whatever a checkpoint or a device can go wrong with; nothing is held then.
        """
        with self._changing:
            try:
                self._load_model()
                for lane in self.cameras.values():
                    lane.open()
            except Exception:
                self.release()
                raise

    def start(self) -> None:
        """Start the worker and the streams.

        Raises:
            ModelNotReadyError: there is no model, or an earlier worker still waits for it.
        """
        with self._changing:
            self._start()
            self._started = True
        if not any(lane.instructions for lane in self.cameras.values()):
            self._node.get_logger().info("waiting for an instruction on the topic `instruction`")

    def stop(self, patience: float = 5.0) -> None:
        """Stop the streams, waiting at most `patience` seconds for them; the model stays loaded."""
        self._started = False
        self.recovery.cancel()
        with self._changing:
            self._stop(patience)

    def release(self) -> None:
        """Give the model and the publishers back."""
        with self._changing:
            for lane in self.cameras.values():
                lane.close()
            self._release_model()

    def check(self) -> None:
        """End a call of the model that takes longer than the parameter allows."""
        worker, deadline = self._worker, self.parameters["model_deadline"]
        if worker is not None and deadline > 0:
            worker.check(deadline)

    def set_instructions(self, instructions: tuple[str, ...], camera: str = "") -> None:
        """Ground these from the next frame on, on one camera or (empty) on all; none pauses."""
        for lane in self.cameras.values():
            if camera in ("", lane.name):
                lane.set_instructions(instructions)

    def age_of(self, header: Header) -> float:
        """Return the seconds since a stamp on the node's clock; NaN where the stamp is not set."""
        stamp = stamp_seconds(header.stamp)  # rclpy's own Time refuses stamps before 1970
        return self._node.get_clock().now().nanoseconds * 1e-9 - stamp if stamp else math.nan

    def report(self, problem: str) -> None:
        """Log a problem (at most once a second) and keep it for /diagnostics."""
        if not self._node.context.ok():
            return  # the process ends: what fails now fails for that, and nobody is there to be told
        self.problem = problem
        self._node.get_logger().warning(problem, throttle_duration_sec=1.0)

    def announce(self, problem: str) -> None:
        """Log what is done about a problem, always, and keep it for /diagnostics."""
        self.problem = problem
        self._node.get_logger().error(problem)

    def _load_anew(self) -> bool:
        """Load the model in place of the one that runs, and go on; return False if stopped meanwhile."""
        with self._changing:
            if not self._started:
                return False
            self._stop(patience=1.0)
            self._release_model()
            self._load_model()
            self._start()
            return True

    def _start(self) -> None:
        if self.grounder is None:  # the node was stopped while the model could not be loaded anew
            raise ModelNotReadyError(
                "expected a loaded model, there is none; clean up and configure to load it"
            )
        if self._hanging is not None and not self._hanging.close(timeout=0.0):
            raise ModelNotReadyError(
                "the model still hangs in its last frame; clean up and configure to load it anew"
            )
        self._hanging = None
        self._worker = ModelWorker(self.grounder, self.recovery.on_failure, self.trace)
        for lane in self.cameras.values():
            lane.start(self._worker, self._make_tracker() if self._make_tracker is not None else None)

    def _load_model(self) -> None:
        started = time.monotonic()
        name, checkpoint = self.parameters["model"], self.parameters["checkpoint"]
        options = parse_options(self.parameters["model_options"].split())
        self._node.get_logger().info(
            f"loading model {name!r}" + (f" from {checkpoint}" if checkpoint else "")
        )
        python, device = self.parameters["model_python"], self.parameters["device"]
        if python:
            log = self._node.get_logger().info
            self.grounder = load_remote(python, name, checkpoint or None, device, options, log=log)
        else:
            self.grounder = self._load(name, checkpoint=checkpoint or None, device=device, **options)
        self.grounder(np.zeros(_WARM_UP_SIZE, np.uint8), "the red cup")
        self._make_tracker = self._load_tracker()
        self.problem = ""
        self._node.get_logger().info(f"model {name!r} ready in {time.monotonic() - started:.1f} s")

    def _load_tracker(self) -> Callable[[], Tracker] | None:
        if self.parameters["tracker"] == "none":
            return None
        return load_tracker(
            self.parameters["tracker"],
            checkpoint=self.parameters["tracker_checkpoint"] or None,
            device=self.parameters["device"],
            **parse_options(self.parameters["tracker_options"].split()),
        )

    def _release_model(self) -> None:
        if self.grounder is not None and self._hanging is None:
            self.grounder.close()
        self.grounder = self._hanging = self._make_tracker = None  # what hangs keeps its model
        gc.collect()  # a model's modules refer to each other; its memory is wanted now
        give_back_memory()

    def _stop(self, patience: float) -> None:
        end = time.monotonic() + patience
        for lane in self.cameras.values():
            lane.stop(max(0.0, end - time.monotonic()))
        worker, self._worker = self._worker, None
        if worker is None or worker.close(max(0.05, end - time.monotonic())):
            return
        interrupted = self.grounder is not None and self.grounder.interrupt()
        if not (interrupted and worker.close(_AFTER_INTERRUPTION)):
            self._hanging = worker

    def _on_parameters(self, names: set[str], values: dict[str, Any]) -> None:
        self.style = self._style(values)
        for lane in self.cameras.values():
            lane.tune()
        if "instruction" in names:
            self.set_instructions(split_instructions(values["instruction"]))

    @staticmethod
    def _style(values: dict[str, Any]) -> Style:
        return Style(render_settings(values), values["publish_target_masks"], values["jpeg_quality"])
