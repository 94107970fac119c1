"""What the node does when its model fails again and again, as its parameter says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode

from ivm_ros.model_worker import ModelStuckError
from ivm_ros.nodes.parameters import Parameters

RULES = ("continue", "reload", "deactivate")
"""After too many failures in a row: try the next frame, load the model anew, or go inactive."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds between attempts to load, doubled each time


class Recovery:
    """Acts on failures of the model; each failure is counted and reported by whoever met it.

    Args:
        node: goes inactive.
        parameters: say what to do, and after how many failures.
        report: is told what is done.
        load_anew: loads the model in place of the one that runs; returns False where the node was stopped
            meanwhile, and raises whatever can go wrong.

    Attributes:
        reloads: how often the model was loaded anew.
    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: Parameters,
        report: Callable[[str], None],
        load_anew: Callable[[], bool],
    ) -> None:
        self.reloads = 0
        self._node, self._parameters = node, parameters
        self._report, self._load_anew = report, load_anew
        self._acting = threading.Lock()  # held from the decision to act until it is done
        self._stopped = threading.Event()

    @property
    def acting(self) -> bool:
        """Return whether it is at work."""
        return self._acting.locked()

    def cancel(self) -> None:
        """Wait for nothing any more: the node is stopped on purpose."""
        self._stopped.set()

    def on_failure(self, error: Exception, in_a_row: int) -> None:
        """Act if the model has failed too often in a row, or does not come back at all; does not block."""
        rule, limit = self._parameters["on_failure"], self._parameters["failure_limit"]
        enough = in_a_row >= limit or isinstance(error, ModelStuckError)
        if rule == "continue" or not enough or not self._acting.acquire(blocking=False):
            return
        self._stopped.clear()
        self._report(f"{in_a_row} failures of the model in a row, will {rule}; the last one: {error}")
        act = {"reload": self._reload, "deactivate": self._deactivate}[rule]
        threading.Thread(target=self._run, args=(act,), name="recovery", daemon=True).start()

    def _run(self, act: Callable[[], None]) -> None:
        try:
            act()
        finally:
            self._acting.release()

    def _deactivate(self) -> None:
        with suppress(rclpy_implementation.RCLError):  # somebody else was quicker
            self._node.trigger_deactivate()

    def _reload(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopped.is_set():
            try:
                self.reloads += self._load_anew()
                return
            except Exception as error:  # whatever a checkpoint or a device can go wrong with
                self._report(f"cannot load the model anew: {error}; next attempt in {pause:g} s")
            self._stopped.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
