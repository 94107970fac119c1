"""Pictures between processes: nodes have shared memory that a picture fits into, and no wider network."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ElementTree
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from ivm_ros.nodes.shared_memory import PROFILE, SEGMENT, share_pictures

PICTURE = 640 * 480 * 3
PIECE = 4096  # bytes, less than what goes at once
NAMES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dict[Path, int]:
    """Return the free bytes of each folder with shared memory, to be filled; others there are not."""
    free = {Path("/dev/shm"): 2**30}

    def disk_usage(folder: Path) -> Usage:
        if folder not in free:
            raise FileNotFoundError(folder)
        return Usage(2**40, 2**40 - free[folder], free[folder])

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    return free


def test_the_profile_is_chosen_for_every_version_of_fast_dds(memory: Any, tmp_path: Path) -> None:
    environment = {"HOME": "/home/robot"}
    assert share_pictures(environment, tmp_path)
    assert environment == {"HOME": "/home/robot", **dict.fromkeys(NAMES, str(PROFILE))}
    (size,) = (node.text for node in ElementTree.parse(PROFILE).iter() if node.tag.endswith("segment_size"))
    assert size == str(SEGMENT)


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, value) for name in NAMES for value in ("", "/dds.xml")), (TRANSPORTS, "UDPv4")],
)
def test_what_the_user_has_chosen_stays(name: str, value: str, memory: Any, tmp_path: Path) -> None:
    environment = {name: value}
    assert not share_pictures(environment, tmp_path)
    assert environment == {name: value}


@pytest.mark.parametrize("name", ["DEFAULT_FASTRTPS_PROFILES.xml", "DEFAULT_FASTDDS_PROFILES.xml"])
def test_a_profile_where_the_node_is_started_stays(name: str, memory: Any, tmp_path: Path) -> None:
    (tmp_path / name).write_text("<profiles/>")
    environment: dict[str, str] = {}
    assert not share_pictures(environment, tmp_path)
    assert not environment


def test_it_needs_room_for_a_graph(memory: dict[Path, int], tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    room = tmp_path / "shm"
    assert not share_pictures(environment, tmp_path, room), "there is no such folder"
    memory[room] = 64 * 2**20  # what a container has
    assert not share_pictures(environment, tmp_path, room)
    assert not environment
    memory[room] += 1
    assert share_pictures(environment, tmp_path, room)


def segments(pid: int) -> list[Path]:
    """Return the files of Fast DDS's shared memory for what a process sends, as it has them open."""
    paths = {line.split()[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()}
    kinds = ("/dev/shm/fastrtps_", "/dev/shm/fastdds_")
    return [Path(path) for path in paths if path.startswith(kinds) and "port" not in path.rsplit("/", 1)[1]]


def sockets(pid: int) -> list[str]:
    """Return the addresses of a process's UDP sockets, without their ports."""
    inodes = {
        target[8:-1]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if (target := str(link.readlink())).startswith("socket:[")
    }
    rows = [line.split() for line in Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]]
    return sorted(row[1].split(":")[0] for row in rows if row[9] in inodes)


def opened(logs: Path, environment: dict[str, str]) -> tuple[int, float, list[str]]:
    """Run a camera node on a graph of its own, and look at it when a picture has come from it.

    Returns:
        The size of its largest segment, bytes; how much of a picture that came lies in its segments, 0 to
        1; and its sockets.
    """
    from rclpy.qos import qos_profile_sensor_data
    from ros_graph import Graph
    from sensor_msgs.msg import Image

    with Graph(logs) as graph:
        graph.environment.update(environment)
        camera = graph.start("ivm_ros.nodes.camera_node", {"rate": 5.0})
        graph.client.listen("/image", Image, qos_profile_sensor_data)
        graph.client.wait("/image")
        shared = [path.read_bytes() for path in segments(camera.pid)]
        found = 0.0
        for image in graph.client.received("/image"):
            data = bytes(image.data)
            assert len(data) == PICTURE
            pieces = [data[at : at + PIECE] for at in range(0, PICTURE, PIECE)]
            found = max(found, sum(any(p in part for part in shared) for p in pieces) / len(pieces))
        return max(map(len, shared), default=0), found, sockets(camera.pid)


def test_pictures_use_the_memory_and_no_socket_more_than_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    if rclpy.get_rmw_implementation_identifier() != "rmw_fastrtps_cpp":
        pytest.skip("needs Fast DDS")
    for name in (*NAMES, TRANSPORTS):  # of the shell that runs the tests
        monkeypatch.delenv(name, raising=False)
    if not share_pictures({}, Path.cwd()):
        pytest.skip("needs more than 64 MiB free in /dev/shm, and no profile of Fast DDS here")
    room, found, heard = opened(tmp_path, {})
    usual, found_usually, heard_usually = opened(tmp_path, dict.fromkeys(NAMES, ""))
    assert room >= SEGMENT > PICTURE > usual
    assert found > 0.8 > found_usually  # a few pieces are cut, where one message ends
    assert heard == heard_usually
