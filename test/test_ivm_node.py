"""IVM in the grounding node, at a small size, on a real graph."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")
pytest.importorskip("transformers", reason="needs the extra transformers")

from sensor_msgs.msg import Image as ImageMessage

import ivm_ros
from ivm_ros.messages import image_view
from ivm_ros.models.ivm.small import write_small
from ivm_ros.msg import Grounding

NODE = "ivm_ros.nodes.grounding_node"
WORDS = ("pick up the red cup", "the blue bowl")
PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ivm")
    write_small(folder)
    return folder


@pytest.fixture(scope="module")
def node(graph, folder):
    parameters = {
        "model": "ivm",
        "checkpoint": str(folder),
        "device": "cpu",
        "model_options": "precision=float32 threshold=0.3",
        "instruction": "\n".join(WORDS),
    }
    node = graph.start(NODE, parameters)
    graph.client.until(lambda: graph.client.state() == "active", node.log())
    return node


@pytest.mark.usefixtures("node")
def test_several_instructions_on_one_frame_are_each_answered(client, folder):
    client.listen("grounding/grounding", Grounding)
    client.listen("grounding/heatmap", ImageMessage)
    topics = ["grounding/grounding", "grounding/heatmap"]
    frame, answers = client.ask_all(
        lambda: client.image(PICTURE), topics, lambda message: message.instruction_index == 1
    )
    groundings = [g for g in client.received("grounding/grounding") if g.header == frame.header]
    assert tuple(grounding.instruction for grounding in groundings) == WORDS
    assert {grounding.model for grounding in groundings} == {"ivm"}
    assert len({grounding.timings.encoded for grounding in groundings}) == 1  # one picture, encoded once
    grounder = ivm_ros.load("ivm", checkpoint=folder, device="cpu", threshold=0.3)
    expected = np.maximum.reduce(grounder.look(grounder.encode(PICTURE), WORDS))
    np.testing.assert_allclose(image_view(answers["grounding/heatmap"]), expected, atol=1e-4)
    assert all(grounding.found for grounding in groundings)  # the threshold of the option counts


def test_a_checkpoint_that_is_missing_is_said_and_the_node_lives(graph, client):
    graph.start(NODE, {"model": "ivm", "checkpoint": "/nowhere"}, "/without")
    status = client.diagnostics(
        lambda status, values: status.name == "without/grounding: grounding" and "/nowhere" in status.message
    )
    assert status
    assert client.state("/without/grounding") == "unconfigured"
