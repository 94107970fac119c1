"""Tell the robot's camera what matters: find what an instruction is about, and show a policy only that.

`ivm_ros.load("ivm-tiny")(image, "the red cup").targets[0].box`. The ROS interfaces that are generated at
installation, `ivm_ros.msg` and `ivm_ros.srv`, stand beside these modules and import this file too: it must
stay light.
"""

from __future__ import annotations

from pkgutil import extend_path
from typing import Any

__path__ = extend_path(__path__, __name__)  # an editable install keeps the interfaces in site-packages

_FROM_MODELS = ("available", "load")


def __getattr__(name: str) -> Any:
    if name in _FROM_MODELS:
        from ivm_ros import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_FROM_MODELS]
