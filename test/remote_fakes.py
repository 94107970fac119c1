"""A grounder for the model's process that fails in every way; what to do is in the instruction.

Tests call `start`; the process imports this file as well, and calls one of the loaders.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
from fakes import ColorGrounder

from ivm_ros.grounding import Grounding, InvalidInstructionError

HERE = Path(__file__).parent
NOT_NEEDED = ("rclpy", "rich", "typer", "torch", "cv2")


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


class Features:
    """An encoded picture; counts how many there are."""

    alive = 0

    def __init__(self, image):
        Features.alive += 1
        self.image = image

    def __del__(self):
        Features.alive -= 1


class FaultyGrounder(ColorGrounder):
    """Does what the first word names, and else what a ColorGrounder does."""

    name = "faulty"

    def encode(self, image):
        return Features(super().encode(image))

    def ground(self, features, instruction):
        fault = getattr(self, f"_{instruction.split()[0]}", None)
        if fault is not None:
            answer = fault()
            if isinstance(answer, str):
                return Grounding(answer, np.zeros(features.image.shape[:2], np.float32))
        grounding = super().ground(features.image, instruction)
        if instruction.startswith("nan"):
            object.__setattr__(grounding, "heatmap", np.full(features.image.shape[:2], np.nan, np.float32))
        return grounding

    def _memory(self):
        raise MemoryError("all of it is gone")

    def _cuda(self):
        raise OutOfMemoryError("CUDA out of memory")

    def _refused(self):
        raise InvalidInstructionError("not this one")

    def _odd(self):
        raise LookupError("nowhere")

    def _exit(self):
        print("the last words", flush=True)
        os._exit(3)

    def _killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def _crash(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def _hang(self):
        print("hangs now", flush=True)
        threading.Event().wait()

    def _forked(self):
        """Leave a process behind that holds every descriptor, and die."""
        pid = os.fork()
        if pid == 0:
            threading.Event().wait()
        print("left behind", pid, flush=True)
        self._killed()

    def _noise(self):
        os.write(1, b'{"answer": 1}\n' + b"\xff\x00" * 100_000 + b"\rhalf\r")
        print("to stdout")
        print("to stderr", file=sys.stderr)

    def _garbage(self):
        """Write into the sockets, as a library that mixes up descriptors does."""
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                    os.write(int(descriptor), b"\xff" * 64)
            except OSError:
                continue

    def _alive(self):
        return str(Features.alive)

    def _modules(self):
        return " ".join(["of", *(name for name in NOT_NEEDED if name in sys.modules)])

    def _memories(self):
        return Path("/proc/self/maps").read_text()

    def _variables(self):
        return repr({name: os.environ.get(name) for name in ("PYTHONPATH", "PYTHONHOME")})


def load(name, checkpoint, device, **options):
    if checkpoint is not None and not Path(checkpoint).exists():
        raise FileNotFoundError(f"no {checkpoint}")
    print("loaded", name, device, options)
    return FaultyGrounder()


def load_never(name, checkpoint, device):
    threading.Event().wait()


def load_and_exit(name, checkpoint, device):
    sys.exit("no such device")


def start(python=sys.executable, loader="load", path=(), **options):
    """Start a model's process with a loader of this file."""
    from ivm_ros.remote import load_remote

    modules = os.pathsep.join([str(HERE), *map(str, path)])
    return load_remote(
        python, "faulty", loader=f"remote_fakes:{loader}", environment={"PYTHONPATH": modules}, **options
    )
