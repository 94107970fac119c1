"""MuJoCo with an OpenGL library that needs no screen; every room that renders takes `mujoco` from here."""

from __future__ import annotations

import os
import sys

if sys.platform == "linux":
    if "mujoco" in sys.modules and "MUJOCO_GL" not in os.environ:
        raise ImportError(
            "expected MuJoCo to be imported by ivm_ros first, but it already is, with a library that needs a "
            "screen; set the environment variable MUJOCO_GL=osmesa (or egl) before starting Python"
        )
    os.environ.setdefault(
        "MUJOCO_GL", "osmesa"
    )  # read by MuJoCo when it is imported; "egl" is the other choice
    os.environ.setdefault("LP_NUM_THREADS", "0")  # one process is one thread of the software renderer

try:
    import mujoco
except ImportError as error:
    raise ImportError(
        f"rendering scenes needs MuJoCo and, on Linux, libosmesa6 or EGL ({error}); "
        "install them with: pip install 'ivm_ros[sim]' and apt-get install libosmesa6"
    ) from error

__all__ = ["mujoco"]
