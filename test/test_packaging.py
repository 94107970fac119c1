"""The package as it is installed: versions, interfaces, dependencies, and what stands in share/ and lib/."""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INTERFACES = sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")])
ROS_PACKAGE = re.compile(r"\w+_(msgs|interfaces)|rclpy|launch|launch_ros")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def imported(path: Path) -> set[str]:
    """The top-level names that a Python file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.fixture
def prefix(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where ament finds ivm_ros; the wheels from PyPI leave AMENT_PREFIX_PATH to the user."""
    packages = pytest.importorskip("ament_index_python.packages", reason="no ROS 2 installed")
    if not os.environ.get("AMENT_PREFIX_PATH"):
        monkeypatch.setenv("AMENT_PREFIX_PATH", sys.prefix)
    return Path(packages.get_package_prefix("ivm_ros"))


def test_version_is_the_same_everywhere() -> None:
    version = ElementTree.fromstring(read("package.xml")).findtext("version")
    assert re.findall(r'^version = "(.+)"$', read("pyproject.toml"), re.MULTILINE) == [version]
    released = re.findall(r"^## \[(\d.*?)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert released[0] == version


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_interface_is_built_and_every_field_has_a_comment(path: Path) -> None:
    assert f"{path.parent.name}/{path.name}" in read("CMakeLists.txt")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    fields = [line for line in lines if line and not line.startswith(("#", "---"))]
    assert fields
    for field in fields:
        assert re.search(r"\S\s+# \w", field), f"{path.name}: expected a comment after `{field}`"


def test_every_ros_package_that_is_imported_is_a_dependency() -> None:
    declared = {
        element.text
        for element in ElementTree.fromstring(read("package.xml"))
        if element.tag in ("depend", "exec_depend")
    }
    sources = [*ROOT.glob("ivm_ros/**/*.py"), *ROOT.glob("launch/*.py")]
    used = {name for path in sources for name in imported(path) if ROS_PACKAGE.fullmatch(name)}
    assert {"rclpy", "sensor_msgs", "launch_ros"} <= used
    assert used <= declared


def test_every_file_in_the_package_goes_into_the_wheel() -> None:
    (listed,) = re.findall(r"^ivm_ros = \[(.+?)\]", read("pyproject.toml"), re.MULTILINE | re.DOTALL)
    patterns = [pattern.rpartition("/")[2] for pattern in re.findall(r'"(.+?)"', listed)]
    files = [
        path for path in ROOT.glob("ivm_ros/**/*.*") if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert any(path.suffix == ".safetensors" for path in files)
    assert [path.name for path in files if not any(fnmatch(path.name, pattern) for pattern in patterns)] == []


@pytest.mark.parametrize("script", sorted(ROOT.glob("scripts/*")), ids=lambda path: path.name)
def test_script_calls_a_main_that_exists(script: Path) -> None:
    assert os.access(script, os.X_OK)
    (module,) = re.findall(
        r"^from (ivm_ros\S+) import main$", script.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert callable(importlib.import_module(module).main)


def test_pip_installs_the_same_command_as_colcon() -> None:
    assert 'ivm-ros = "ivm_ros.cli:main"' in read("pyproject.toml")
    assert "from ivm_ros.cli import main" in read("scripts/ivm-ros")


def test_share_has_launch_config_and_interfaces(prefix: Path) -> None:
    share = prefix / "share" / "ivm_ros"
    for folder in ("launch", "config", "msg", "srv"):
        expected = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
        assert expected
        assert expected <= {path.name for path in (share / folder).iterdir()}, f"{folder}: install again"
    assert (share / "package.xml").is_file()


@pytest.mark.parametrize("name", ["camera_node", "grounding_node"])
def test_ros2_run_finds_the_node(prefix: Path, name: str) -> None:
    assert os.access(prefix / "lib" / "ivm_ros" / name, os.X_OK)


def test_message_survives_serialization() -> None:
    serialization = pytest.importorskip("rclpy.serialization", reason="no ROS 2 installed")
    from ivm_ros.msg import Grounding, Target

    message = Grounding(
        instruction="the red cup", targets=[Target(x_min=1.0, x_max=3.5, label="cup")], existence=0.5
    )
    assert serialization.deserialize_message(serialization.serialize_message(message), Grounding) == message
