"""One end of a bond: what it has heard of the other end, and what it says next. No ROS in it.

A bond is how a lifecycle manager such as Nav2's learns that a node it activated is alive: both ends say
"active" again and again under one id, until one says that it leaves (bond_core's protocol).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum

CONNECT_TIMEOUT = 10.0
"""Seconds until an end that has heard nothing gives up; bond_core's default."""


class BondState(Enum):
    """Where an end is in its life."""

    WAITING = "waiting"  # nothing has come from the other end
    FORMED = "formed"
    LEFT = "left"  # this end has said goodbye
    BROKEN = "broken"  # the other end has, or never came


class BondStates:
    """The states of one end; its methods may be called from any thread.

    Once formed, a bond does not break because the other end is silent: a manager that only stalls would
    hear nothing more from here either, and take the node for dead. Nav2's own nodes do the same.

    Args:
        now: tells the time in seconds; must not go back.
        connect_timeout: seconds to wait for the other end.
    """

    def __init__(self, now: Callable[[], float], connect_timeout: float = CONNECT_TIMEOUT) -> None:
        self._now = now
        self._deadline = now() + connect_timeout
        self._state = BondState.WAITING
        self._lock = threading.Lock()

    @property
    def state(self) -> BondState:
        """Return where this end is now."""
        with self._lock:
            if self._state is BondState.WAITING and self._now() >= self._deadline:
                self._state = BondState.BROKEN
            return self._state

    def beats(self) -> bool:
        """Return whether it is time to say "active", when it is time to say anything."""
        return self.state in (BondState.WAITING, BondState.FORMED)

    def hear(self, active: bool) -> bool:
        """Take what the other end says; return whether to answer at once that this end leaves too."""
        alive = self.beats()
        with self._lock:
            if alive:
                self._state = BondState.FORMED if active else BondState.BROKEN
            return not active and self._state is BondState.BROKEN

    def leave(self) -> bool:
        """End it; return whether there is anybody to say goodbye to."""
        alive = self.beats()
        with self._lock:
            if alive:
                self._state = BondState.LEFT
            return alive
