"""The nodes' pages against live nodes, and the example of a policy beside one."""

from __future__ import annotations

import os
import re

import pytest
from fakes import red_square
from pages import DOCS, NODES, section, table, tables

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

_STANDARD = re.compile(
    r"/(describe_parameters|get_parameter_types|get_parameters|list_parameters|set_parameters"
    r"|set_parameters_atomically|get_type_description)$"
)
_STANDARD_TOPICS = {"/rosout", "/parameter_events", "/clock"}


def resolved(name, node):
    return name.replace("~", f"/{node}") if name.startswith("~") else "/" + name.lstrip("/")


@pytest.fixture(scope="module")
def live(graph):
    """Start both nodes, each named like its page, and return the graph."""
    graph.start("fake_grounding_node", {"model": "color"})
    graph.start("ivm_ros.nodes.camera_node", {"rate": 5.0})
    client = graph.client
    client.until(lambda: client.state() == "active", "an active node")
    client.until(lambda: set(NODES) <= set(client.node.get_node_names()), "both nodes")
    return graph


def endpoints(client, what, name):
    """Return topic or service -> type of one node, without what every node has."""
    read = getattr(client.node, f"get_{what}_names_and_types_by_node")
    found = {topic: kind for topic, (kind, *_) in read(name, "/")}
    return {
        topic: kind
        for topic, kind in found.items()
        if topic not in _STANDARD_TOPICS
        and not _STANDARD.search(topic)
        and not topic.endswith("/transition_event")  # standard, of every lifecycle node
    }


def missing():
    """Return the topics of messages whose packages are not installed here."""
    from ivm_ros.nodes.bond import Status
    from ivm_ros.nodes.detections import Detection2DArray

    kinds = {"bond": Status, "~/detections": Detection2DArray}
    return tuple(topic for topic, kind in kinds.items() if kind is None)


def documented(name, title, column, optional=()):
    rows = table(NODES[name], title)
    return {resolved(row[column], name): row["Type"] for row in rows if row[column] not in optional}


@pytest.mark.parametrize("name", NODES)
def test_published_topics(live, name):
    expected = documented(name, "Published topics", "Topic", missing())
    live.client.until(
        lambda: endpoints(live.client, "publisher", name) == expected,
        f"{expected}; there is {endpoints(live.client, 'publisher', name)}",
    )


@pytest.mark.parametrize("name", NODES)
def test_subscribed_topics(live, name):
    expected = documented(name, "Subscribed topics", "Topic", ("image/compressed", *missing()))
    live.client.until(
        lambda: endpoints(live.client, "subscriber", name) == expected,
        f"{expected}; there is {endpoints(live.client, 'subscriber', name)}",
    )


@pytest.mark.parametrize("name", NODES)
def test_services(live, name):
    if name == "camera":
        expected = {}
        assert section(NODES[name], "Services").strip().startswith("None")
    else:
        expected = {
            resolved(row["Service"], name): row["Type"] for row in tables(section(NODES[name], "Services"))[0]
        }
    live.client.until(
        lambda: endpoints(live.client, "service", name) == expected,
        f"{expected}; there is {endpoints(live.client, 'service', name)}",
    )


@pytest.mark.parametrize("name", NODES)
def test_qos(live, name):
    """Reliability and durability; DDS does not tell others a depth."""
    for title, read in (
        ("Published topics", "get_publishers_info_by_topic"),
        ("Subscribed topics", "get_subscriptions_info_by_topic"),
    ):
        for row in table(NODES[name], title):
            topic = resolved(row["Topic"], name)
            infos = [info for info in getattr(live.client.node, read)(topic) if info.node_name == name]
            assert infos or row["Topic"] in ("image/compressed", *missing())
            for info in infos:
                assert info.qos_profile.reliability.name.lower().replace("_", " ") == row["Reliability"]
            durabilities = {info.qos_profile.durability.name.lower().replace("_", " ") for info in infos}
            both = {"volatile", "transient local"}
            if infos:
                assert durabilities == (both if row["Durability"] == "both" else {row["Durability"]})


def test_statuses():
    from ivm_ros.srv import Ground, SetInstruction

    rows = tables(section(NODES["grounding"], "Services"))[1]
    for service in (Ground, SetInstruction):
        constants = {
            name: value
            for name, value in type(service.Response).__prepare__("", ()).items()
            if name.isupper() and isinstance(value, int)
        }
        assert {
            row["Name"]: int(row["Status"]) for row in rows if row["Service"] == service.__name__
        } == constants


def test_diagnostics(live):
    live.client.set_parameter("instruction", "the red thing")
    from sensor_msgs.msg import Image

    from ivm_ros.nodes.camera_lane import STAGES

    live.client.listen("grounding/mask", Image)
    live.client.until(lambda: live.client.received("grounding/mask"), "a mask of the recorded clip")
    values = live.client.diagnostics(lambda status, values: "age_ms_p50" in values)
    live.client.forget()
    live.client.set_parameter("instruction", "")
    del values["message"], values["level"]  # added by the client
    documented = [key for row in table(NODES["grounding"], "Diagnostics") for key in row["Key"].split(", ")]
    assert set(values) == {
        key.replace("STAGE", stage)
        for key in documented
        for stage in (STAGES if "STAGE" in key else ("",))
        if not key.startswith("model_process")  # this one's model has no process of its own
    }


# -- the example of a policy -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def policy(live, graph):
    """Start the example beside a grounding node of its own, in a namespace."""
    graph.environment["PYTHONPATH"] += os.pathsep + str(DOCS / "examples")
    parameters = {"model": "color", "instruction": "the red thing"}
    graph.start("fake_grounding_node", parameters, namespace="/arm")
    return graph.start("policy_node", namespace="/arm")


@pytest.mark.parametrize(
    ("pixels", "seconds_ago", "expected"),
    [
        (red_square(), 0, r"acting on \(12, 16, 3\)"),
        (red_square()[6:], 0, "not found: the red thing"),
        (red_square(), 10, r"too old: 1\d\.\d\d s"),
    ],
    ids=["found", "not found", "too old"],
)
def test_the_policy_acts_on_what_is_fresh_and_found(policy, graph, pixels, seconds_ago, expected):
    def camera():
        message = graph.client.image(pixels)
        message.header.stamp.sec -= seconds_ago
        graph.client.publish("arm/image", message)

    said = len(policy.log())
    graph.client.until(lambda: re.search(expected, policy.log()[said:]), expected, meanwhile=camera)
