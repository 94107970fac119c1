"""Pictures between processes: have Fast DDS share memory that they fit into."""

from __future__ import annotations

import shutil
from collections.abc import MutableMapping
from pathlib import Path

import ivm_ros

PROFILE = Path(ivm_ros.__file__).parent / "assets" / "fastdds.xml"
"""One more transport of Fast DDS; the file says why."""
SEGMENT = 16 * 2**20
"""Bytes that it takes for each process, all of them when it starts."""

# up to Jazzy, and from Kilted on
_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
# who names the transports, such as UDPv4 between containers, wants no other
_CHOSEN = (*_VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS")
# read where a program is started
_BESIDE = ("DEFAULT_FASTRTPS_PROFILES.xml", "DEFAULT_FASTDDS_PROFILES.xml")
_SHM = Path("/dev/shm")
_GRAPH = 4  # camera, grounding node and two more: a full /dev/shm would stop the last of them


def share_pictures(environment: MutableMapping[str, str], folder: Path, room: Path = _SHM) -> bool:
    """Choose `PROFILE` for the process, before rclpy starts, unless its user has chosen or memory is short.

    Args:
        environment: of the process. A variable that is there, even an empty one, is the user's choice.
        folder: where the process runs; a profile that Fast DDS finds there is one, too.
        room: where shared memory is. With no more than four times `SEGMENT` free nothing is chosen: a
            container has 64 MiB by default, for all of its processes. Nor where there is no such folder.

    Returns:
        Whether it was chosen. Other middlewares do not look at it.
    """
    if any(name in environment for name in _CHOSEN) or any((folder / name).exists() for name in _BESIDE):
        return False
    try:
        free = shutil.disk_usage(room).free
    except OSError:
        return False
    if free <= _GRAPH * SEGMENT:
        return False
    environment.update(dict.fromkeys(_VARIABLES, str(PROFILE)))
    return True
