"""Pictures between processes: have Fast DDS share memory that they fit into."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

import ivm_ros

PROFILE = Path(ivm_ros.__file__).parent / "assets" / "fastdds.xml"
"""One more transport of Fast DDS; the file says why."""

# up to Jazzy, and from Kilted on
_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
# read where a program is started
_BESIDE = ("DEFAULT_FASTRTPS_PROFILES.xml", "DEFAULT_FASTDDS_PROFILES.xml")


def share_pictures(environment: MutableMapping[str, str], folder: Path) -> bool:
    """Choose `PROFILE` for the process, before rclpy starts, unless its user has chosen any.

    Args:
        environment: of the process. A variable that is there, even an empty one, is the user's choice.
        folder: where the process runs; a profile that Fast DDS finds there is one, too.

    Returns:
        Whether it was chosen. Other middlewares do not look at it.
    """
    if any(name in environment for name in _VARIABLES) or any((folder / name).exists() for name in _BESIDE):
        return False
    environment.update(dict.fromkeys(_VARIABLES, str(PROFILE)))
    return True
