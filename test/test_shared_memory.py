"""Pictures between processes: nodes have shared memory that a picture fits into, and no wider network."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivm_ros.nodes.shared_memory import PROFILE, share_pictures

PICTURE = 640 * 480 * 3
NAMES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def test_the_profile_is_chosen_for_every_version_of_fast_dds(tmp_path: Path) -> None:
    environment = {"HOME": "/home/robot"}
    assert share_pictures(environment, tmp_path)
    assert environment == {"HOME": "/home/robot", **dict.fromkeys(NAMES, str(PROFILE))}
    assert PROFILE.is_file()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", "/etc/robot/dds.xml"])
def test_what_the_user_has_chosen_stays(name: str, value: str, tmp_path: Path) -> None:
    environment = {name: value}
    assert not share_pictures(environment, tmp_path)
    assert environment == {name: value}


@pytest.mark.parametrize("name", ["DEFAULT_FASTRTPS_PROFILES.xml", "DEFAULT_FASTDDS_PROFILES.xml"])
def test_a_profile_where_the_node_is_started_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("<profiles/>")
    environment: dict[str, str] = {}
    assert not share_pictures(environment, tmp_path)
    assert not environment


def segments(pid: int) -> list[int]:
    """Return the sizes of Fast DDS's shared memory that a process has open, bytes."""
    sizes = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if "/dev/shm/fastrtps_" in line and "port" not in line.rsplit("/", 1)[1]:
            first, last = line.split()[0].split("-")
            sizes.append(int(last, 16) - int(first, 16))
    return sizes


def sockets(pid: int) -> list[str]:
    """Return the addresses and multicast groups of a process's UDP sockets, without their ports."""
    inodes = {
        target[8:-1]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if (target := str(link.readlink())).startswith("socket:[")
    }
    rows = [line.split() for line in Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]]
    return sorted(row[1].split(":")[0] for row in rows if row[9] in inodes)


def opened(logs: Path, environment: dict[str, str]) -> tuple[list[int], list[str]]:
    """Return the segments and sockets of a camera node on a graph of its own."""
    from rclpy.qos import qos_profile_sensor_data
    from ros_graph import Graph
    from sensor_msgs.msg import Image

    with Graph(logs) as graph:
        graph.environment.update(environment)
        camera = graph.start("ivm_ros.nodes.camera_node", {"rate": 5.0})
        graph.client.listen("/image", Image, qos_profile_sensor_data)
        graph.client.wait("/image")
        return segments(camera.pid), sockets(camera.pid)


def test_a_node_has_room_for_pictures_and_no_socket_more_than_without(tmp_path: Path) -> None:
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    if rclpy.get_rmw_implementation_identifier() != "rmw_fastrtps_cpp":
        pytest.skip("needs Fast DDS")
    room, heard = opened(tmp_path, {})
    usual, heard_usually = opened(tmp_path, dict.fromkeys(NAMES, ""))
    assert max(room) > 8 * PICTURE > PICTURE > max(usual)
    assert heard == heard_usually
