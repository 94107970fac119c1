"""The launch files, run as `ros2 launch` runs them, where launch_ros is installed (it is not on PyPI)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI; needs an apt ROS 2")

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import PythonLaunchDescriptionSource
from ros_client import PATIENCE
from test_packaging import prefix

from ivm_ros.msg import Grounding

ROOT = Path(__file__).parent.parent
ARGUMENTS = {
    "grounding": {
        *("model", "checkpoint", "device", "image", "image_transport", "instruction", "display_mode"),
        *("model_options", "model_python", "cores", "tracker", "cameras"),
        *("autostart", "namespace", "params_file", "log_level"),
    },
    "demo": {
        *("source", "loop", "camera_params_file", "instruction", "model", "checkpoint", "device"),
        *("model_options", "model_python", "cores", "tracker"),
        *("display_mode", "namespace", "params_file", "log_level"),
    },
}
LAUNCH = """
import sys
from launch import LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [tuple(argument.split(":=", 1)) for argument in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(
    IncludeLaunchDescription(PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)
)
sys.exit(service.run())
"""


class Launch:
    """A launch file in a process of its own, and its output in `log`."""

    def __init__(self, graph, name, arguments, log):
        file = prefix() / "share/ivm_ros/launch" / f"{name}.launch.py"
        paths = [str(prefix()), os.environ.get("AMENT_PREFIX_PATH", "")]
        environment = {"AMENT_PREFIX_PATH": os.pathsep.join(filter(None, paths)), **graph.environment}
        command = [sys.executable, "-c", LAUNCH, str(file)]
        command += [f"{argument}:={value}" for argument, value in arguments.items()]
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def text(self):
        return self.log.read_text(errors="replace")

    def wait(self):
        """Wait for the end; return the exit status."""
        return self.process.wait(PATIENCE)

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(PATIENCE)


@pytest.fixture
def launch(graph, tmp_path):
    """Give a test a function that launches; what it launched ends with the test."""
    launched = []

    def launch(name, **arguments):
        launched.append(Launch(graph, name, arguments, tmp_path / f"{len(launched)}.log"))
        return launched[-1]

    yield launch
    for each in launched:
        each.kill()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_is_documented(name):
    source = PythonLaunchDescriptionSource(str(ROOT / "launch" / f"{name}.launch.py"))
    entities = source.get_launch_description(LaunchContext()).entities
    declared = {e.name: e.description for e in entities if isinstance(e, DeclareLaunchArgument)}
    assert set(declared) == ARGUMENTS[name]
    assert all(len(description) > 10 for description in declared.values())


def test_arguments_reach_the_node_and_empty_ones_leave_it_to_the_file(launch, graph, client, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "/**:\n  ros__parameters:\n    device: cpu\n    max_rate: 7.0\n    autostart: true\n"
        "    display: {mode: gray, fill: black}\n"
    )
    launch(
        "grounding",
        params_file=file,
        namespace="arm",
        image="/wrist/image_raw",
        instruction="5",  # text, though it looks like a number
        display_mode="blur",
        autostart="false",
        device="",
    )
    node = "/arm/grounding"
    expected = {
        **{"instruction": "5", "display.mode": "blur", "autostart": False},
        **{"device": "cpu", "max_rate": 7.0, "display.fill": "black"},
    }
    assert {name: client.parameter(name, node) for name in expected} == expected
    assert client.state(node) == "unconfigured"
    assert client.change_state("configure", node)
    assert client.change_state("activate", node)
    client.until(lambda: graph.client.node.count_subscribers("/wrist/image_raw"), "a subscriber of the image")


@pytest.mark.parametrize("whom", [os.kill, os.killpg], ids=["launch", "group"])
def test_demo_grounds_the_clip_and_ends_calmly(launch, client, whom):
    """Ctrl-C in a terminal reaches launch and the nodes, and launch passes it on as well."""
    demo = launch("demo")
    client.listen("grounding/grounding", Grounding)
    message = client.wait("grounding/grounding", lambda message: message.found)
    assert (message.image_width, message.image_height) == (640, 480)
    assert message.header.frame_id == "camera_optical_frame"
    whom(demo.process.pid, signal.SIGINT)
    assert demo.wait() == 0
    assert "Traceback" not in demo.text()
    assert "process has died" not in demo.text()


def test_demo_ends_with_its_camera(launch, tmp_path):
    demo = launch("demo", source=tmp_path / "missing")
    assert demo.wait() == 0
    assert f"got '{tmp_path}/missing'" in demo.text()


def test_a_bad_argument_is_explained(launch):
    grounding = launch("grounding", display_mode="fancy")
    grounding.wait()
    assert "display.mode: expected one of highlight" in grounding.text()
