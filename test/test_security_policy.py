"""SROS2's policy allows the nodes exactly what they use: compared with live nodes and with their pages."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from pages import DOCS, NODES, table, tables
from pages import section as section_of

POLICY = DOCS / "sros2" / "policy.xml"
KINDS = {"topics": ("topic", {"publish", "subscribe"}), "services": ("service", {"reply", "request"})}
SOMETIMES = {
    "/clock",  # with use_sim_time
    "/bond",  # where the package bond is installed
    "/image/compressed",  # one of it and /image
    "/grounding/detections",  # where vision_msgs is installed
    "/grounding/get_type_description",  # of Jazzy and later
    "/camera/get_type_description",
}


def resolved(name, ns, node):
    """Return a name as ROS expands it, for nodes in the root namespace."""
    assert ns == "/"
    return f"/{node}{name[1:]}" if name.startswith("~") else "/" + name.lstrip("/")


def allowed(node):
    """Return what a node may do: publish, subscribe, reply, request -> set of full names."""
    (profile,) = ElementTree.parse(POLICY).iterfind(f"enclaves/enclave/profiles/profile[@node='{node}']")
    result = {verb: set() for _, verbs in KINDS.values() for verb in verbs}
    for group in profile:
        for verb, rule in group.attrib.items():
            assert rule == "ALLOW"
            result[verb] |= {resolved(entry.text, profile.get("ns"), node) for entry in group}
    return result


def documented(node, title, column):
    return {resolved(row[column], "/", node) for row in table(NODES[node], title)}


def test_the_policy_has_the_form_that_sros2_reads():
    """What its schema of version 0.2.0 asks for, as far as it is used here."""
    policy = ElementTree.parse(POLICY).getroot()
    assert (policy.tag, policy.attrib) == ("policy", {"version": "0.2.0"})
    (enclaves,) = policy
    assert enclaves.tag == "enclaves"
    assert [enclave.get("path") for enclave in enclaves] == [f"/ivm_ros/{node}" for node in NODES]
    for enclave in enclaves:
        (profiles,) = enclave
        (profile,) = profiles
        assert (enclave.tag, profiles.tag, profile.tag) == ("enclave", "profiles", "profile")
        assert set(profile.attrib) == {"ns", "node"}
        for group in profile:
            tag, verbs = KINDS[group.tag]
            assert group.attrib and set(group.attrib) <= verbs
            assert len(group) and {entry.tag for entry in group} == {tag}
            assert all(entry.text and entry.text == entry.text.strip() and not len(entry) for entry in group)


@pytest.mark.parametrize("node", NODES)
def test_nothing_is_allowed_twice_or_by_a_wildcard(node):
    (profile,) = ElementTree.parse(POLICY).iterfind(f"enclaves/enclave/profiles/profile[@node='{node}']")
    given = [(verb, entry.text) for group in profile for verb in group.attrib for entry in group]
    assert len(given) == len(set(given))
    assert not [name for _, name in given if "*" in name or "?" in name]


@pytest.mark.parametrize("node", NODES)
def test_what_the_pages_name_is_allowed(node):
    may = allowed(node)
    assert documented(node, "Published topics", "Topic") <= may["publish"]
    assert documented(node, "Subscribed topics", "Topic") <= may["subscribe"]
    if node == "grounding":
        rows = tables(section_of(NODES[node], "Services"))[0]
        assert {resolved(row["Service"], "/", node) for row in rows} <= may["reply"]
    assert not may["request"]


@pytest.fixture(scope="module")
def live(graph):
    pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")
    graph.start("fake_grounding_node", {"model": "color"})
    graph.start("ivm_ros.nodes.camera_node", {"rate": 5.0})
    graph.client.until(lambda: graph.client.state() == "active", "an active node")
    graph.client.until(lambda: set(NODES) <= set(graph.client.node.get_node_names()), "both nodes")
    return graph.client


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize(
    ("verb", "what"), [("publish", "publisher"), ("subscribe", "subscriber"), ("reply", "service")]
)
def test_the_live_nodes_use_what_is_allowed_and_nothing_else(live, node, verb, what):
    read = getattr(live.node, f"get_{what}_names_and_types_by_node")
    may = allowed(node)[verb]
    live.until(
        lambda: may - SOMETIMES <= {name for name, _ in read(node, "/")} <= may,
        f"{sorted(may)}; there is {sorted(name for name, _ in read(node, '/'))}",
    )
