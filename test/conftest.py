"""For every test: ROS stays on this machine; for those that need it: a graph, and a grounding node in it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

# Before anything imports rclpy: discovery must not reach other machines, and the log must not fill the home.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"  # Jazzy and later
os.environ.pop("ROS_LOCALHOST_ONLY", None)
os.environ["PYTHONUNBUFFERED"] = "1"
# Before anything imports torch: spinning threads of several test processes stall each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["RCUTILS_COLORIZED_OUTPUT"] = "0"


def pytest_addoption(parser):
    parser.addoption(
        "--golden-root",
        type=lambda text: Path(text).resolve(),
        default=Path(__file__).parent / "golden",
        metavar="DIR",
        help="golden numbers of the published systems, a folder for each (%(default)s)",
    )

    parser.addoption(
        "--soak",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long test_faults.py injects faults, all nodes together; 0: each fault once",
    )


@pytest.fixture(scope="session")
def soak(pytestconfig) -> float:
    """Return for how many seconds faults are injected."""
    return pytestconfig.getoption("soak")


@pytest.fixture(scope="session")
def golden_root(pytestconfig) -> Path:
    """Return the folder of golden numbers."""
    return pytestconfig.getoption("golden_root")


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """Give a module a ROS graph of its own: no other test, robot or run is in its domain."""
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from ros_graph import Graph

    with Graph(tmp_path_factory.mktemp("graph")) as graph:
        yield graph


@pytest.fixture
def client(graph):
    """Give a test the client's node of the graph; what the test subscribed to ends with it."""
    yield graph.client
    graph.client.forget()


@pytest.fixture(scope="module")
def grounding(graph):
    """Start one grounding node for a module, active, with a fake model and no instruction."""
    node = graph.start("fake_grounding_node", {"model": "color"})
    graph.client.until(lambda: graph.client.state() == "active", node.log())
    return node


@pytest.fixture
def start(graph, client):
    """Start a node that waits for a manager, in a namespace of its own; return its process and name."""
    from managed import FAKE

    started = []

    def start(module=FAKE, namespace="", **parameters):
        namespace = namespace or f"/node_{next(_NUMBERS)}"
        given = {"autostart": False, **parameters}
        if module == FAKE:
            given.setdefault("model", "color")
        started.append(graph.start(module, given, namespace))
        return started[-1], f"{namespace}/grounding"

    yield start
    for node in started:
        node.end()


_NUMBERS = itertools.count()


@pytest.fixture
def configure(client):
    """Set parameters of the module's grounding node for one test."""
    before = {}

    def configure(name, value):
        before.setdefault(name, client.parameter(name))
        result = client.set_parameter(name, value)
        assert result.successful, result.reason

    yield configure
    for name, value in before.items():
        client.set_parameter(name, value)


@pytest.fixture
def say(client, configure):
    """Set what is grounded, through the parameter, for one test."""
    return lambda *instructions: configure("instruction", "\n".join(instructions))
