"""Streams as users have them: several cameras, compressed ones, loops, changes of size, traces."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import red_square
from managed import health, lead_to

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_client import Client
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from ivm_ros.messages import decode_compressed, image_view, rgb_image
from ivm_ros.msg import Grounding
from ivm_ros.srv import Ground, SetInstruction


def namespace(node):
    return node.rpartition("/")[0]


def ask(client, node, topics=("mask",), camera="", image=red_square, matches=lambda message: True, **how):
    """Publish fresh frames of a camera until one is answered on all topics; return the answers."""
    below = f"{camera}/" if camera else ""
    names = [f"{node}/{below}{topic}" for topic in topics]
    for topic, name in zip(topics, names, strict=True):
        kind = (
            CompressedImage if topic.endswith("compressed") else Grounding if topic == "grounding" else Image
        )
        client.listen(name, kind)
    sent, found = client.ask_all(
        lambda: client.image(image()), names, matches, f"{namespace(node)}/{below}image", **how
    )
    return sent, dict(zip(topics, found.values(), strict=True))


def test_several_cameras_share_one_model(client, start):
    _, node = start(cameras="front wrist", instruction="the red thing")
    lead_to(client, node)
    for camera in ("front", "wrist"):
        _, found = ask(client, node, ("grounding", "mask"), camera)
        assert found["grounding"].camera == camera
        assert max(found["mask"].data) == 255
        assert int(health(client, node, camera=camera)["published"]) >= 1


def test_a_camera_has_instructions_of_its_own(client, start):
    _, node = start(cameras="front wrist", instruction="the red thing")
    lead_to(client, node)
    answer = client.call(f"{node}/set_instruction", SetInstruction, instructions=["blue"], camera="wrist")
    assert answer.status == answer.SUCCESS
    _, wrist = ask(
        client, node, ("grounding",), "wrist", matches=lambda message: message.instruction == "blue"
    )
    _, front = ask(client, node, ("grounding",), "front")
    assert (wrist["grounding"].found, front["grounding"].found) == (False, True)
    client.publish(f"{namespace(node)}/wrist/instruction", String(data="green"), 1)
    ask(client, node, ("grounding",), "wrist", matches=lambda message: message.instruction == "green")
    client.publish(f"{namespace(node)}/instruction", String(data="the red one"), 1)
    for camera in ("front", "wrist"):
        ask(client, node, ("grounding",), camera, matches=lambda m: m.instruction == "the red one")
    answer = client.call(f"{node}/set_instruction", SetInstruction, instructions=["blue"], camera="rear")
    assert answer.status == answer.INVALID_CAMERA and "front, wrist" in answer.reason


def test_a_service_call_may_name_a_camera(client, start):
    _, node = start(cameras="front wrist")
    lead_to(client, node)
    image = client.image(red_square())
    for camera, found in (("wrist", True), ("", True)):
        answer = client.call(f"{node}/ground", Ground, instruction="red", image=image, camera=camera)
        assert (answer.status, answer.grounding.found) == (answer.SUCCESS, found)
        assert answer.grounding.camera == (camera or "front")
    answer = client.call(f"{node}/ground", Ground, instruction="red", image=image, camera="rear")
    assert answer.status == answer.INVALID_CAMERA


def test_pictures_come_compressed_as_well(client, start):
    _, node = start(instruction="the red thing")
    lead_to(client, node)
    topics = ("masked_image", "masked_image/compressed", "mask", "mask/compressed", "overlay/compressed")
    sent, found = ask(
        client, node, topics, image=lambda: cv2.resize(red_square(), None, fx=8, fy=8, interpolation=0)
    )
    assert found["masked_image/compressed"].format == "rgb8; jpeg compressed bgr8"
    assert found["mask/compressed"].format.startswith("mono8; png compressed")
    mask = decode_compressed(found["mask/compressed"])[..., 0]
    np.testing.assert_array_equal(mask, image_view(found["mask"]))
    raw, compressed = rgb_image(found["masked_image"]), decode_compressed(found["masked_image/compressed"])
    assert np.abs(raw.astype(int) - compressed).mean() < 5
    assert all(message.header == sent.header for message in found.values())


@pytest.mark.parametrize(
    ("reliability", "durability"),
    [*itertools.product(("RELIABLE", "BEST_EFFORT"), ("VOLATILE", "TRANSIENT_LOCAL"))],
)
def test_cameras_and_listeners_of_every_quality_of_service(client, start, reliability, durability):
    space = f"/{reliability.lower()}_{durability.lower()}"
    override = f"qos_overrides.{space}/grounding/mask.publisher.durability"
    _, node = start(namespace=space, instruction="the red thing", **{override: "transient_local"})
    lead_to(client, node)
    qos = QoSProfile(
        depth=1, reliability=ReliabilityPolicy[reliability], durability=DurabilityPolicy[durability]
    )
    client.listen(f"{node}/mask", Image, qos)
    client.ask_all(
        lambda: client.image(red_square()), [f"{node}/mask"], camera=f"{namespace(node)}/image", qos=qos
    )


def test_size_and_encoding_may_change_in_the_middle(client, start):
    # 25 MB in pieces, none of which is sent again, do not all arrive where the machine is busy
    reliable = {"qos_overrides./sizes/image.subscription.reliability": "reliable"}
    _, node = start(namespace="/sizes", instruction="the red thing", tracker="flow", **reliable)
    lead_to(client, node)
    for height, width in ((48, 64), (96, 128), (30, 31), (2160, 3840)):
        picture = cv2.resize(red_square(), (width, height), interpolation=cv2.INTER_NEAREST)
        _, found = ask(
            client,
            node,
            image=lambda picture=picture: picture,
            matches=lambda m, size=(height, width): (m.height, m.width) == size and max(m.data) == 255,
        )
        assert image_view(found["mask"]).shape == (height, width)
    assert health(client, node)["failed"] == "0"


def test_a_loop_of_a_recording_begins_anew(client, start):
    _, node = start(instruction="the red thing", tracker="flow")
    lead_to(client, node)
    client.listen(f"{node}/mask", Image)
    seconds = itertools.count(1000)

    def frame(second):
        message = client.image(cv2.resize(red_square(), (64, 48), interpolation=cv2.INTER_NEAREST))
        message.header.stamp.sec = second
        return message

    image = f"{namespace(node)}/image"
    client.until(
        lambda: client.received(f"{node}/mask"),
        "a mask",
        lambda: client.publish(image, frame(next(seconds))),
    )
    seconds = itertools.count(10)
    health(
        client,
        node,
        lambda status, values: int(values["restarts"]) >= 1,
        lambda: client.publish(image, frame(next(seconds))),
    )
    client.until(
        lambda: any(m.header.stamp.sec < 1000 for m in client.received(f"{node}/mask")),
        "a mask after the loop",
        lambda: client.publish(image, frame(next(seconds))),
    )


def test_every_frame_is_answered_while_a_slow_model_thinks(client, start):
    _, node = start(instruction="slow red", tracker="flow")
    lead_to(client, node)
    picture = cv2.resize(red_square(), (128, 96), interpolation=cv2.INTER_NEAREST)
    _, found = ask(
        client,
        node,
        ("grounding", "mask"),
        image=lambda: picture,
        matches=lambda message: message.tracked and message.grounded_age > message.age,
    )
    message = found["grounding"]
    assert message.found and message.targets[0].trust > 0.5
    assert (message.grounded_stamp.sec, message.grounded_stamp.nanosec) < (
        message.header.stamp.sec,
        message.header.stamp.nanosec,
    )
    assert message.timings.grounded > 1.0 > message.age
    health(
        client,
        node,
        lambda status, values: int(values["published"]) > int(values["grounded"]),
        lambda: client.publish(f"{namespace(node)}/image", client.image(picture)),
    )


def test_a_trace_says_what_was_done_when(client, start, tmp_path):
    _, node = start(instruction="the red thing", trace_folder=str(tmp_path / "new"))
    lead_to(client, node)
    ask(client, node, ("mask", "grounding"))
    answer = client.call(f"{node}/save_trace", Trigger)
    assert answer.success, answer.message
    events = json.loads(Path(answer.message.partition(":")[0]).read_text())["traceEvents"]
    assert {"decode", "encode", "ground", "mask", "publish"} <= {event["name"] for event in events}
    assert {event["args"]["name"] for event in events if event["ph"] == "M"} == {"camera", "model"}
    assert client.set_parameter("trace_folder", "/proc/none", node).successful
    answer = client.call(f"{node}/save_trace", Trigger)
    assert not answer.success and "/proc/none" in answer.message


def test_a_slow_listener_slows_nobody_else(graph, client, start):
    _, node = start(instruction="the red thing")
    lead_to(client, node)
    other = Client(graph.domain)
    got = []

    def listen_slowly(message):
        got.append(message)
        time.sleep(0.5)

    try:
        other.node.create_subscription(Image, f"{node}/mask", listen_slowly, QoSProfile(depth=1))
        client.listen(f"{node}/mask", Image)
        image = f"{namespace(node)}/image"
        client.until(
            lambda: len(got) >= 3 and len(client.received(f"{node}/mask")) > 4 * len(got),
            "many masks for the quick listener while the slow one has a few",
            lambda: [
                client.publish(image, client.image(red_square())) or time.sleep(0.02) for _ in range(10)
            ],
        )
    finally:
        other.destroy()


@pytest.mark.parametrize("cameras", ["front front", "a__b", "über", "1st", "front/left"])
def test_names_of_cameras_are_checked(client, start, cameras):
    process, _ = start(cameras=cameras)
    client.until(lambda: not process.running, "the end of the process")
    assert process.end() == 2
    assert "cameras: expected different names" in process.log()
