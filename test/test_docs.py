"""The documentation says what the code does: pages against live nodes, links, pictures, examples."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import fields
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from fakes import red_square

import ivm_ros
from ivm_ros.cli.ground import read_image, write_image
from ivm_ros.clip import load_clip
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.rendering import MODES, NAMED_FILLS, RenderSettings, render

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
NODES = {"grounding": DOCS / "grounding_node.md", "camera": DOCS / "camera_node.md"}
NO_ROS = "needs ROS 2 and the interfaces: pip install -e ."
LINK = re.compile(r"\]\(([^)\s]+)\)")


def section(page, title):
    """Return the text under the heading `## title`, up to the next one."""
    match = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL)
    assert match, f"{page.name} has no section {title!r}"
    return match.group(1)


def tables(text):
    """Return every table as a list of rows, each a dict from column to text without backticks."""
    result = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in row.strip("|\n").split(" | ")] for row in block.splitlines()
        ]
        head = [name.strip("| ") for name in head]
        result.append(
            [
                dict(zip(head, (cell.strip("| ").replace("`", "") for cell in row), strict=True))
                for row in rows
            ]
        )
    return result


def table(page, title):
    """Return the only table of a section; empty where the section says None."""
    found = tables(section(page, title))
    if not found:
        assert section(page, title).strip().startswith("None")
        return []
    (rows,) = found
    return rows


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture(scope="module")
def ros():
    """Skip where there is no ROS 2, before a graph is asked for."""
    pytest.importorskip("rclpy", reason=NO_ROS)
    pytest.importorskip("ivm_ros.msg", reason=NO_ROS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {link}"


def test_every_page_is_in_the_readme():
    linked = {link.partition("#")[0] for link in LINK.findall((ROOT / "README.md").read_text())}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} <= linked


def test_every_mode_is_on_the_page_of_policies():
    rows = {row["Mode"]: row for row in table(DOCS / "policies.md", "Modes")}
    assert list(rows) == list(MODES)


def test_every_metric_is_on_the_page_of_datasets():
    assert {row["Key"] for row in table(DOCS / "datasets.md", "Measuring a model")} == set(
        Metrics().fractions()
    )


def test_every_launch_argument_is_on_the_page_of_robots():
    rows = table(DOCS / "robot.md", "Start")
    source = ast.parse((ROOT / "launch" / "grounding.launch.py").read_text())
    (names,) = (
        set(ast.literal_eval(node.value))
        for node in source.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "ARGUMENTS"
    )
    assert {name for row in rows for name in row["Argument"].split(", ")} == {*names, "params_file"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    write_image(tmp_path / "table.jpg", next(load_clip().frames()))
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(compile(block, str(page), "exec"), {})


@pytest.mark.parametrize("name", NODES)
def test_parameters(ros, name):
    from ivm_ros.nodes import camera_node, grounding_parameters

    parameters = {"grounding": grounding_parameters, "camera": camera_node}[name].PARAMETERS
    rows = table(NODES[name], "Parameters")
    assert [row["Name"] for row in rows] == [parameter.name for parameter in parameters]
    for row, parameter in zip(rows, parameters, strict=True):
        kinds = {bool: "bool", int: "int", float: "double", str: "string"}
        default = {"": "empty", True: "true", False: "false"}.get(parameter.default)
        if default is None or type(parameter.default) in (int, float):
            default = (
                f"{parameter.default:g}"
                if isinstance(parameter.default, (int, float))
                else str(parameter.default)
            )
        assert (row["Type"], row["Default"]) == (kinds[type(parameter.default)], default), parameter.name
        assert row["Changes"] == ("live" if parameter.live else "read-only"), parameter.name
        if parameter.minimum is not None:
            expected = f"{parameter.minimum:g} to {parameter.maximum:g}"
            assert row["Range"].removesuffix(", odd") == expected, parameter.name
            if row["Range"].endswith(", odd"):
                from ivm_ros.nodes.grounding_parameters import check_values

                values = {other.name: other.default for other in parameters}
                with pytest.raises(ValueError, match="odd"):
                    check_values({**values, parameter.name: 2})
        elif isinstance(parameter.default, bool):
            assert row["Range"] == "true, false", parameter.name
        elif parameter.choices:
            assert row["Range"] == ", ".join(parameter.choices), parameter.name


def test_fills_are_those_that_exist():
    (row,) = [row for row in table(NODES["grounding"], "Parameters") if row["Name"] == "display.fill"]
    assert row["Range"] == ", ".join([*NAMED_FILLS, "mean", "#rrggbb"])


# -- against live nodes ----------------------------------------------------------------------------

_STANDARD = re.compile(
    r"/(describe_parameters|get_parameter_types|get_parameters|list_parameters|set_parameters"
    r"|set_parameters_atomically|get_type_description)$"
)
_STANDARD_TOPICS = {"/rosout", "/parameter_events", "/clock"}


def resolved(name, node):
    return name.replace("~", f"/{node}") if name.startswith("~") else "/" + name.lstrip("/")


@pytest.fixture(scope="module")
def live(ros, graph):
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


def documented(name, title, column, optional=()):
    rows = table(NODES[name], title)
    return {resolved(row[column], name): row["Type"] for row in rows if row[column] not in optional}


@pytest.mark.parametrize("name", NODES)
def test_published_topics(live, name):
    from ivm_ros.nodes.detections import Detection2DArray

    optional = ("~/detections",) if Detection2DArray is None else ()
    expected = documented(name, "Published topics", "Topic", optional)
    live.client.until(
        lambda: endpoints(live.client, "publisher", name) == expected,
        f"{expected}; there is {endpoints(live.client, 'publisher', name)}",
    )


@pytest.mark.parametrize("name", NODES)
def test_subscribed_topics(live, name):
    expected = documented(name, "Subscribed topics", "Topic", ("image/compressed",))
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
            assert infos or row["Topic"] in ("~/detections", "image/compressed")
            for info in infos:
                assert info.qos_profile.reliability.name.lower().replace("_", " ") == row["Reliability"]
            durabilities = {info.qos_profile.durability.name.lower().replace("_", " ") for info in infos}
            both = {"volatile", "transient local"}
            if infos:
                assert durabilities == (both if row["Durability"] == "both" else {row["Durability"]})


def test_statuses(ros):
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

    live.client.listen("grounding/mask", Image)
    live.client.until(lambda: live.client.received("grounding/mask"), "a mask of the recorded clip")
    values = live.client.diagnostics(lambda status, values: "age_ms_p50" in values)
    live.client.forget()
    live.client.set_parameter("instruction", "")
    del values["message"], values["level"]  # added by the client
    assert set(values) == {row["Key"] for row in table(NODES["grounding"], "Diagnostics")}


def test_counters_are_all_in_diagnostics():
    from ivm_ros.stream import Counters

    keys = {row["Key"] for row in table(NODES["grounding"], "Diagnostics")}
    assert {counter.name for counter in fields(Counters)} <= keys


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


# -- the example of masking recordings -------------------------------------------------------------


def test_a_recording_is_masked_as_the_node_does_it(tmp_path):
    (tmp_path / "in").mkdir()
    frames = [next(islice(load_clip().frames(), index, None)) for index in (0, 60)]
    for index, frame in enumerate(frames):
        write_image(tmp_path / "in" / f"{index}.png", frame)
    script = DOCS / "examples" / "mask_recording.py"
    words = "pick up the red cup"
    subprocess.run([sys.executable, script, tmp_path / "in", words, tmp_path / "out"], check=True)
    grounder = ivm_ros.load("ivm-tiny")
    for index, frame in enumerate(frames):
        picture = read_image(tmp_path / "out" / f"{index:06d}.png")
        np.testing.assert_array_equal(picture, render(frame, grounder(frame, words), RenderSettings()))
