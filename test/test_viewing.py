"""The layouts for Foxglove and RViz: they can be read, and show topics and fields that there are."""

from __future__ import annotations

import json
import re

import pytest
from pages import DOCS, NODES, ROOT, table

PAGE = DOCS / "viewing.md"
PATH = re.compile(r"(?P<topic>/[\w/]+)(?:\{(?P<filter>\w+)==0\})?(?P<fields>(?:\.\w+(?:\[\d+\])?)*)$")


def resolved(name):
    return f"/grounding{name[1:]}" if name.startswith("~") else "/" + name.lstrip("/")


def known(title):
    """Return topic -> type, of a table of the grounding node's page."""
    return {resolved(row["Topic"]): row["Type"] for row in table(NODES["grounding"], title)}


def on_the_page(column):
    return {resolved(row["Topic"]) for row in table(PAGE, "Topics that they show") if row[column] != "no"}


@pytest.fixture(scope="module")
def layout():
    return json.loads((ROOT / "config" / "foxglove_layout.json").read_text())


@pytest.fixture(scope="module")
def rviz():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / "config" / "grounding.rviz").read_text())


def fields(kind):
    return kind.get_fields_and_field_types()


def leaves(node):
    """Return the panels of a layout's tree, left to right."""
    if isinstance(node, str):
        return [node]
    assert node["direction"] in ("row", "column") and 0 < node["splitPercentage"] < 100
    return leaves(node["first"]) + leaves(node["second"])


def paths(layout):
    """Return every message path of a panel that has any."""
    found = []
    for panel in layout["configById"].values():
        found += [line["value"] for line in panel.get("paths", [])]
        found += [panel[key] for key in ("topicPath",) if key in panel]
    return found


def test_foxgloves_tree_has_every_panel_once(layout):
    assert sorted(leaves(layout["layout"])) == sorted(layout["configById"])
    kinds = {name.partition("!")[0] for name in layout["configById"]}
    assert kinds == {"Image", "Plot", "Table", "DiagnosticSummary", "Publish"}


def test_foxglove_shows_topics_that_there_are(layout):
    published, subscribed = known("Published topics"), known("Subscribed topics")
    shown = set()
    for name, panel in layout["configById"].items():
        if name.startswith("Image!"):
            topic = panel["imageMode"]["imageTopic"]
            assert re.fullmatch("sensor_msgs/msg/(Compressed)?Image", {**published, **subscribed}[topic])
            shown.add(topic)
        if name.startswith("DiagnosticSummary!"):
            assert published[panel["topicToRender"]] == "diagnostic_msgs/msg/DiagnosticArray"
            shown.add(panel["topicToRender"])
        if name.startswith("Publish!"):
            assert subscribed[panel["topicName"]] == panel["datatype"]
            assert set(json.loads(panel["value"])) == {"data"}
            shown.add(panel["topicName"])
        assert all(line["enabled"] for line in panel.get("paths", [])), "else it draws nothing"
    for path in paths(layout):
        assert published[PATH.match(path)["topic"]] == "ivm_ros/msg/Grounding"
        shown.add(PATH.match(path)["topic"])
    assert shown == on_the_page("Foxglove")


def test_foxglove_plots_fields_that_there_are(layout):
    from_here = pytest.importorskip(
        "ivm_ros.msg", reason="the interfaces are not generated: pip install -e ."
    )
    plotted = set()
    for path in paths(layout):
        match = PATH.match(path)
        assert match["filter"] in fields(from_here.Grounding)
        kind = from_here.Grounding
        for field in re.findall(r"\.(\w+)", match["fields"]):
            assert field in fields(kind), path
            type_name = fields(kind)[field]
            inner = re.search(r"ivm_ros/(\w+)", type_name)
            kind = getattr(from_here, inner.group(1)) if inner else None
        plotted.add(match["fields"])
    assert {".age", ".grounded_age"} <= plotted
    assert {f".timings.{stage}" for stage in fields(from_here.Timings)} <= plotted


def test_rviz_shows_topics_that_there_are(rviz):
    topics = {**known("Published topics"), **known("Subscribed topics")}
    displays = rviz["Visualization Manager"]["Displays"]
    assert {display["Class"] for display in displays} == {"rviz_default_plugins/Image"}
    shown = {display["Topic"]["Value"] for display in displays}
    assert all(topics[topic] == "sensor_msgs/msg/Image" for topic in shown)
    assert shown == on_the_page("RViz")
    names = {display["Name"] for display in displays}
    assert names <= set(rviz["Window Geometry"])


def test_rviz_asks_for_no_more_than_the_topics_give(rviz):
    """A reliable reader hears nothing of a best-effort writer, and many cameras are that."""
    reliable = {resolved(row["Topic"]) for row in table(NODES["grounding"], "Published topics")}
    for display in rviz["Visualization Manager"]["Displays"]:
        topic = display["Topic"]
        expected = "Reliable" if topic["Value"] in reliable else "Best Effort"
        assert (topic["Reliability Policy"], topic["Durability Policy"]) == (expected, "Volatile")
