"""InstanceVG in the grounding node, at a small size, on a real graph."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")
pytest.importorskip("sentencepiece", reason="needs the extra instancevg")

import ivm_ros
from ivm_ros.models.instancevg.small import write_small
from ivm_ros.msg import Grounding

NODE = "ivm_ros.nodes.grounding_node"
WORDS = ("pick up the red cup", "the blue bowl")
PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
LOW = 0.05  # a score that random weights reach


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instancevg")
    write_small(folder)
    return folder


@pytest.fixture(scope="module")
def node(graph, folder):
    parameters = {
        "model": "instancevg",
        "checkpoint": str(folder),
        "device": "cpu",
        "model_options": f"score_threshold={LOW} smooth_masks=true",
        "instruction": "\n".join(WORDS),
    }
    node = graph.start(NODE, parameters)
    graph.client.until(lambda: graph.client.state() == "active", node.log())
    return node


@pytest.mark.usefixtures("node")
def test_several_targets_of_several_instructions_are_published_as_grounded(client, folder):
    client.listen("grounding/grounding", Grounding)
    frame, _ = client.ask_all(
        lambda: client.image(PICTURE),
        ["grounding/grounding"],
        lambda message: message.instruction_index == 1,
    )
    published = [g for g in client.received("grounding/grounding") if g.header == frame.header]
    assert tuple(grounding.instruction for grounding in published) == WORDS
    grounder = ivm_ros.load("instancevg", checkpoint=folder, device="cpu", score_threshold=LOW)
    expected = grounder.ground_many(grounder.encode(PICTURE), WORDS)
    for theirs, ours in zip(published, expected, strict=True):
        assert theirs.model == "instancevg" and theirs.found
        assert theirs.existence == pytest.approx(ours.existence, abs=1e-4)
        assert len(theirs.targets) == len(ours.targets) > 1
        scores = [target.score for target in theirs.targets]
        assert scores == pytest.approx([target.score for target in ours.targets], abs=1e-4)
