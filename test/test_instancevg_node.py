"""InstanceVG in the grounding node, at a small size, on a real graph: targets that agree, existence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")
pytest.importorskip("sentencepiece", reason="needs the extra instancevg")

from sensor_msgs.msg import Image as ImageMessage

import ivm_ros
from ivm_ros.checkpoints import read_state_dict, write_state_dict
from ivm_ros.messages import image_view
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.small import write_small
from ivm_ros.msg import Grounding

NODE = "ivm_ros.nodes.grounding_node"
WORDS = ("the two cups on the left", "the blue bowl")
PICTURE = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
LOW = 0.05  # a score that random weights reach


def write_sure(folder, there):
    """Write small weights that are sure that there is a target, or that there is none."""
    config = InstanceVgConfig.small(layers=1, queries=3)
    write_small(folder, replace(config, head=replace(config.head, decoder_layers=1)))
    path = folder / "model.safetensors"
    state = {name: tensor.clone() for name, tensor in read_state_dict(path).items()}
    bias = state["head.existence.layers.2.bias"]
    bias.copy_(bias.new_tensor([5.0, -5.0] if there else [-5.0, 5.0]))
    write_state_dict(state, path, {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instancevg")
    write_sure(folder, there=True)
    return folder


def ask(graph, client, folder, namespace, options):
    """Start a node, send the picture; return what it says to each text, and its mask and heatmap."""
    parameters = {
        "model": "instancevg",
        "checkpoint": str(folder),
        "device": "cpu",
        "model_options": options,
        "instruction": "\n".join(WORDS),
    }
    node = graph.start(NODE, parameters, namespace)
    client.until(lambda: client.state(f"{namespace}/grounding") == "active", node.log())
    topics = [f"{namespace}/grounding/{name}" for name in ("grounding", "mask", "heatmap")]
    for topic, kind in zip(topics, (Grounding, ImageMessage, ImageMessage), strict=True):
        client.listen(topic, kind)
    frame, answers = client.ask_all(
        lambda: client.image(PICTURE), topics, lambda said: said.instruction_index == 1, f"{namespace}/image"
    )
    said = [message for message in client.received(topics[0]) if message.header == frame.header]
    return said, *(image_view(answers[topic]) for topic in topics[1:])


def whole(target):
    """Return the (H, W) mask of a target's message."""
    mask = np.zeros(PICTURE.shape[:2], bool)
    part = image_view(target.mask) > 0
    mask[target.mask_y : target.mask_y + part.shape[0], target.mask_x : target.mask_x + part.shape[1]] = part
    return mask


def check_agreement(said, mask):
    """Every target's box, point and mask agree; the published mask is all of them."""
    union = np.zeros_like(mask, bool)
    for target in (target for message in said for target in message.targets):
        own = whole(target)
        ys, xs = np.nonzero(own)
        assert own[int(target.point_y), int(target.point_x)]
        assert target.x_min <= target.point_x < target.x_max and target.y_min <= target.point_y < target.y_max
        assert xs.min() + 1 > target.x_min and xs.max() < target.x_max
        assert ys.min() + 1 > target.y_min and ys.max() < target.y_max
        union |= own
    assert np.array_equal(mask > 0, union)


def check_same(said, grounder):
    """What was said is what the model says by itself."""
    expected = grounder.ground_many(grounder.encode(PICTURE), WORDS)
    assert tuple(message.instruction for message in said) == WORDS
    for message, grounding in zip(said, expected, strict=True):
        assert message.existence == pytest.approx(grounding.existence, abs=1e-4)
        assert len(message.targets) == len(grounding.targets)
        for target, theirs in zip(message.targets, grounding.targets, strict=True):
            box = target.x_min, target.y_min, target.x_max, target.y_max
            assert box == pytest.approx(theirs.box, abs=1e-2)
            assert target.score == pytest.approx(theirs.score, abs=1e-4)
    return expected


def test_several_targets_of_several_instructions_agree_with_themselves(graph, client, folder):
    said, mask, heatmap = ask(graph, client, folder, "/sure", f"precision=float32 score_threshold={LOW}")
    assert {message.model for message in said} == {"instancevg"}
    assert len({message.timings.encoded for message in said}) == 1  # one picture, encoded once
    assert all(message.found and len(message.targets) > 1 for message in said)
    assert all(message.existence > 0.99 for message in said)
    check_agreement(said, mask)
    alone = ivm_ros.load("instancevg", checkpoint=folder, device="cpu", score_threshold=LOW)
    expected = check_same(said, alone)
    hottest = np.maximum.reduce([grounding.heatmap for grounding in expected])
    np.testing.assert_allclose(heatmap, hottest, atol=1e-4)


def test_nothing_is_said_where_nothing_is(graph, client, tmp_path):
    write_sure(tmp_path, there=False)
    said, mask, heatmap = ask(graph, client, tmp_path, "/empty", f"score_threshold={LOW}")
    assert len(said) == len(WORDS)
    assert not any(message.found or message.targets for message in said)
    assert all(message.existence < 0.01 for message in said)
    assert not mask.any() and not heatmap.any()


def test_onnx_runtime_answers_in_the_node(graph, client, folder, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    from ivm_ros.models.registry import export

    export("instancevg", folder, tmp_path / "graphs")
    options = f"engine=onnx score_threshold={LOW}"
    said, mask, _ = ask(graph, client, tmp_path / "graphs", "/graphs", options)
    check_agreement(said, mask)
    check_same(said, ivm_ros.load("instancevg", checkpoint=folder, device="cpu", score_threshold=LOW))


def test_weights_without_an_engine_for_them_are_said_and_the_node_lives(graph, client, folder):
    parameters = {"model": "instancevg", "checkpoint": str(folder), "model_options": "engine=onnx"}
    graph.start(NODE, parameters, "/without")
    status = client.diagnostics(
        lambda status, values: (
            status.name == "without/grounding: grounding" and "ivm-ros export" in status.message
        )
    )
    assert status
    assert client.state("/without/grounding") == "unconfigured"
