"""Bad messages to the live node: each is dropped, counted and named, and the next good frame is answered."""

from __future__ import annotations

import array
import struct

import cv2
import numpy as np
import pytest
from fakes import red_square

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import String

pytestmark = pytest.mark.usefixtures("grounding")

NAN_DEPTH = np.full((12, 16), np.nan, np.float32)
BAD_IMAGES = {
    "zero size": ({"width": 0, "height": 0, "step": 0, "data": b""}, "sides of 1 to"),
    "zero height": ({"height": 0}, "sides of 1 to"),
    "no data": ({"data": b""}, "bytes of data, got 0"),
    "too little data": ({"data": b"\1" * 575}, "bytes of data, got 575"),
    "too much data": ({"data": b"\1" * 577}, "bytes of data, got 577"),
    "short step": ({"step": 47, "data": b"\1" * 47 * 12}, "a step of at least 48 bytes"),
    "zero step": ({"step": 0, "data": b""}, "a step of at least 48"),
    "unknown encoding": ({"encoding": "rgb9"}, "rgb9"),
    "no encoding": ({"encoding": ""}, "expected an encoding"),
    "huge claimed size": ({"width": 2**32 - 1, "height": 2**32 - 1}, "sides of 1 to 16384"),
    "large claimed size": ({"width": 16384, "height": 16384, "step": 49152}, "bytes of data, got 576"),
    "depth with NaN": (
        {"encoding": "32FC1", "step": 64, "data": NAN_DEPTH.tobytes()},
        "expected a colour or mono image, got depth",
    ),
}


@pytest.fixture
def watched(client, say):
    """Ground the red thing, and listen; return a function that says whether a good frame is answered."""
    say("the red thing")
    client.listen("grounding/mask", ImageMessage)
    return lambda: client.ask(lambda: client.image(red_square()), "grounding/mask")


def count(name, before, now):
    return int(now[name]) - int(before[name])


@pytest.mark.parametrize("bad", BAD_IMAGES)
def test_a_bad_image_is_dropped_counted_and_survived(client, grounding, watched, bad):
    change, reason = BAD_IMAGES[bad]
    watched()
    before = client.diagnostics()

    def send():
        image = client.image(red_square())
        for name, value in change.items():
            setattr(image, name, array.array("B", value) if name == "data" else value)
        client.publish("image", image)

    after = client.diagnostics(
        lambda status, values: count("invalid", before, values) and reason in values["last_problem"],
        meanwhile=send,
    )
    assert "frame dropped" in after["last_problem"]
    assert after["failed"] == before["failed"]
    assert watched()
    assert grounding.running and "Traceback" not in grounding.log()


def test_a_warning_shows_that_frames_are_dropped(client, watched):
    image = client.image(red_square())
    image.encoding = "rgb9"
    values = client.diagnostics(
        lambda status, values: "rgb9" in status.message, meanwhile=lambda: client.publish("image", image)
    )
    assert values["level"] == "1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x" * 10_000, "at most 1000"), ("?!", "in words"), ("\ufffd" * 5, "in words"), ("red \ufffd", "UTF-8")],
    ids=["10,000 characters", "no word", "no letter", "replacement character"],
)
def test_a_bad_instruction_is_refused_and_the_old_one_stays(client, grounding, watched, text, reason):
    after = client.diagnostics(
        lambda status, values: (
            "instruction refused" in values["last_problem"] and reason in values["last_problem"]
        ),
        meanwhile=lambda: client.publish("instruction", String(data=text)),
    )
    assert after["instruction"] == "the red thing"
    assert watched()
    assert grounding.running


def test_an_empty_instruction_pauses(client, watched):
    watched()
    client.diagnostics(
        lambda status, values: values["instruction"] == "" and status.message == "no instruction",
        meanwhile=lambda: (
            client.publish("instruction", String(data=" \n ")),
            client.publish("image", client.image(red_square())),
        ),
    )


def cdr_string(text: bytes) -> bytes:
    """Return a std_msgs/String as it travels: CDR, little-endian."""
    return b"\0\1\0\0" + struct.pack("<I", len(text) + 1) + text + b"\0"


def test_this_is_how_a_string_travels():
    assert serialize_message(String(data="red")) == cdr_string(b"red")


def test_an_instruction_that_is_not_utf_8_is_refused(client, grounding, watched):
    publisher = client.publisher("instruction", String)
    after = client.diagnostics(
        lambda status, values: "UTF-8" in values["last_problem"],
        meanwhile=lambda: publisher.publish(cdr_string(b"the r\xe9d th\xffng")),
    )
    assert after["instruction"] == "the red thing"
    assert watched()
    assert grounding.running and "Traceback" not in grounding.log()


@pytest.mark.parametrize(
    ("topic", "kind"), [("image", ImageMessage), ("instruction", String)], ids=["image", "instruction"]
)
def test_bytes_that_are_no_message_are_survived(client, grounding, watched, topic, kind):
    """A string whose length points far beyond its end; the middleware itself refuses it."""
    publisher = client.publisher(topic, kind)
    client.until(publisher.get_subscription_count, "a listener")
    for _ in range(20):
        publisher.publish(b"\0\1\0\0" + b"\xff" * 40)
    assert watched()
    assert grounding.running


def test_a_camera_that_stops_is_told(client, watched, configure):
    configure("camera_timeout", 0.5)
    watched()
    values = client.diagnostics(lambda status, values: status.message.startswith("no camera image for"))
    assert values["level"] == "1"
    client.diagnostics(
        lambda status, values: status.message == "grounding",
        meanwhile=lambda: client.publish("image", client.image(red_square())),
    )


@pytest.mark.parametrize("mood", ["explode", "garbage"])
def test_a_model_that_fails_is_counted_and_survived(client, grounding, watched, say, mood):
    before = client.diagnostics()
    say(mood)
    after = client.diagnostics(
        lambda status, values: count("failed", before, values) > 0 and "grounding failed" in status.message,
        meanwhile=lambda: client.publish("image", client.image(red_square())),
    )
    assert after["level"] == "2"
    say("the red thing")
    assert watched()
    assert grounding.running


COMPRESSED = {
    "empty": b"",
    "garbage": b"\xff\xd8 this is no picture",
    "half a picture": cv2.imencode(".jpg", red_square(480, 640))[1].tobytes()[:200],
    "a picture of nothing": b"P6 0 0 255\n",
    "a huge picture": b"P6 100000 100000 255\n" + b"\1" * 100,
}


@pytest.fixture(scope="module")
def small(graph):
    """A node that takes compressed images, in the namespace `small`."""
    parameters = {"model": "color", "image_transport": "compressed", "instruction": "the red thing"}
    node = graph.start("fake_grounding_node", parameters, "/small")
    graph.client.until(lambda: graph.client.state("/small/grounding") == "active", "the active state")
    return node


@pytest.mark.parametrize("bad", COMPRESSED)
def test_a_bad_compressed_image_is_dropped_counted_and_survived(client, small, bad):
    client.listen("small/grounding/mask", ImageMessage)

    def health(matches, meanwhile=lambda: None):
        return client.diagnostics(
            lambda status, values: status.name.startswith("small") and matches(values), meanwhile
        )

    def compressed(data):
        return CompressedImage(header=client.header(), format="jpeg", data=array.array("B", data))

    def good():
        return compressed(cv2.imencode(".png", cv2.cvtColor(red_square(), cv2.COLOR_RGB2BGR))[1].tobytes())

    client.ask(good, "small/grounding/mask", camera="small/image/compressed")
    before = health(lambda values: True)
    after = health(
        lambda values: count("invalid", before, values) > 0,
        meanwhile=lambda: client.publish("small/image/compressed", compressed(COMPRESSED[bad])),
    )
    assert "frame dropped" in after["last_problem"]
    _, mask = client.ask(good, "small/grounding/mask", camera="small/image/compressed")
    assert max(mask.data) == 255
    assert small.running and "Traceback" not in small.log()
