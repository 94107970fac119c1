"""The grounding node on a real graph: what comes out of a camera and an instruction, and when."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fakes import COLORS, red_square

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import String

from ivm_ros.messages import image_view
from ivm_ros.msg import Grounding

pytestmark = pytest.mark.usefixtures("grounding")

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PICTURES = ("masked_image", "mask", "heatmap", "overlay")
TOPICS = ["grounding/grounding", *(f"grounding/{topic}" for topic in PICTURES)]
FROM_RGB = {
    "rgb8": None,
    "bgr8": cv2.COLOR_RGB2BGR,
    "rgba8": cv2.COLOR_RGB2RGBA,
    "bgra8": cv2.COLOR_RGB2BGRA,
    "mono8": cv2.COLOR_RGB2GRAY,
}


@pytest.mark.parametrize("encoding", FROM_RGB)
def test_every_topic_answers_the_frame_it_was_made_of(client, say, encoding):
    say("the red thing" if encoding != "mono8" else "nothing that is there")
    client.listen("grounding/grounding", Grounding)
    for topic in PICTURES:
        client.listen(f"grounding/{topic}", ImageMessage)
    code = FROM_RGB[encoding]
    pixels = red_square() if code is None else cv2.cvtColor(red_square(), code)
    frame, answers = client.ask_all(lambda: client.image(pixels, encoding), TOPICS)
    for topic in PICTURES:
        message = answers[f"grounding/{topic}"]
        expected = {"mask": "mono8", "heatmap": "32FC1"}.get(topic, encoding)
        assert message.header == frame.header
        assert (message.width, message.height, message.encoding) == (16, 12, expected)
    message = answers["grounding/grounding"]
    assert message.header == frame.header
    assert (message.image_width, message.image_height, message.model) == (16, 12, "color")
    assert 0 <= message.age < 30
    assert message.found is (encoding != "mono8")


def test_the_target_is_where_it_is(client, say):
    say("pick up the red thing")
    client.listen("grounding/grounding", Grounding)
    for topic in PICTURES:
        client.listen(f"grounding/{topic}", ImageMessage)
    _, answers = client.ask_all(lambda: client.image(red_square()), TOPICS)
    message = answers["grounding/grounding"]
    (target,) = message.targets
    assert (target.x_min, target.y_min, target.x_max, target.y_max) == (3, 2, 7, 6)
    assert (target.mask_x, target.mask_y) == (3, 2)
    assert (image_view(target.mask) == 255).all() and image_view(target.mask).shape == (4, 4)
    assert target.score == pytest.approx(0.9)
    assert 3 <= target.point_x < 7 and 2 <= target.point_y < 6
    assert message.existence == pytest.approx(0.9)
    red = (red_square() == COLORS["red"]).all(axis=2)
    np.testing.assert_array_equal(image_view(answers["grounding/mask"]), np.where(red, 255, 0))
    np.testing.assert_array_equal(image_view(answers["grounding/heatmap"]), red.astype(np.float32))
    picture = image_view(answers["grounding/masked_image"])
    np.testing.assert_array_equal(picture[red], red_square()[red])
    assert not np.array_equal(picture, red_square())


def test_each_instruction_gets_a_grounding_of_its_own(client, say):
    say("the red thing", "the blue thing")
    client.listen("grounding/grounding", Grounding)
    frame, _ = client.ask(
        lambda: client.image(red_square()), "grounding/grounding", lambda m: m.instruction_index == 1
    )
    both = [m for m in client.received("grounding/grounding") if m.header == frame.header]
    assert [(m.instruction, m.instruction_index, m.instruction_count, m.found) for m in both] == [
        ("the red thing", 0, 2, True),
        ("the blue thing", 1, 2, False),
    ]


@pytest.mark.parametrize("qos", [BEST_EFFORT, 10], ids=["best effort", "reliable"])
def test_any_camera_is_heard(client, say, qos):
    say("the red thing")
    client.listen("grounding/grounding", Grounding)
    assert client.ask(lambda: client.image(red_square()), "grounding/grounding", qos=qos)[1].found


@pytest.mark.parametrize("qos", [1, LATCHED], ids=["volatile", "transient local"])
def test_an_instruction_comes_by_topic(client, say, grounding, qos):
    client.listen("grounding/grounding", Grounding)

    def speak_and_show():
        client.publish("instruction", String(data="the red thing\nthe green thing"), qos)
        return client.image(red_square())

    _, message = client.ask(
        speak_and_show, "grounding/grounding", lambda message: message.instruction == "the green thing"
    )
    assert (message.instruction_index, message.instruction_count, message.found) == (1, 2, False)
    client.stop_publishing()
    assert "incompatible QoS" not in grounding.log()


def test_a_new_value_of_the_parameter_wins_over_the_topic_even_if_it_is_the_old_one(client, say):
    say("the red thing")
    client.diagnostics(
        lambda status, values: values["instruction"] == "the blue thing",
        meanwhile=lambda: client.publish("instruction", String(data="the blue thing")),
    )
    say("the red thing")
    client.diagnostics(lambda status, values: values["instruction"] == "the red thing")


@pytest.mark.parametrize("rule", ["pass_through", "blank", "hold"])
def test_what_is_shown_when_nothing_is_found(client, say, configure, rule):
    configure("display.not_found", rule)
    client.listen("grounding/masked_image", ImageMessage)
    client.listen("grounding/mask", ImageMessage)
    say("the red thing")
    _, before = client.ask(
        lambda: client.image(red_square()), "grounding/mask", lambda message: max(message.data) == 255
    )
    gone = red_square()
    gone[2:6, 3:7] = 90
    _, answers = client.ask_all(
        lambda: client.image(gone),
        ["grounding/mask", "grounding/masked_image"],
        lambda message: max(message.data) == 0,
    )
    picture = image_view(answers["grounding/masked_image"])
    if rule == "hold":  # the place of the last target stays visible, the rest stays hidden
        held = image_view(before) == 255
        np.testing.assert_array_equal(picture[held], gone[held])
        assert not np.array_equal(picture, gone)
    else:
        np.testing.assert_array_equal(picture, gone if rule == "pass_through" else np.full_like(gone, 255))


def test_without_listeners_the_model_rests(client, say):
    say("the red thing")
    before = client.diagnostics()
    after = client.diagnostics(
        lambda status, values: int(values["unwanted"]) > int(before["unwanted"]),
        meanwhile=lambda: client.publish("image", client.image(red_square())),
    )
    assert after["grounded"] == before["grounded"]


def test_without_an_instruction_the_model_rests(client, say):
    say()
    client.listen("grounding/mask", ImageMessage)
    before = client.diagnostics(lambda status, values: values["instruction"] == "")
    after = client.diagnostics(
        lambda status, values: int(values["unwanted"]) > int(before["unwanted"]),
        meanwhile=lambda: client.publish("image", client.image(red_square())),
    )
    assert after["grounded"] == before["grounded"]
    assert after["message"] == "no instruction"


def test_age_and_health_are_in_diagnostics(client, say):
    say("the red thing")
    client.listen("grounding/mask", ImageMessage)
    client.ask(lambda: client.image(red_square()), "grounding/mask")
    values = client.diagnostics(lambda status, values: float(values["groundings_per_second"]) > 0)
    assert 0 <= float(values["age_ms_p50"]) <= float(values["age_ms_p95"])
    assert values["model"] == "color"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, lambda age: np.isnan(age)), (-5, lambda age: age > 1e9), (2**31 - 1, lambda age: age < 0)],
    ids=["unset", "before 1970", "in the future"],
)
def test_a_strange_stamp_is_answered_with_a_strange_age(client, say, seconds, expected):
    say("the red thing")
    client.listen("grounding/grounding", Grounding)
    client.listen("grounding/overlay", ImageMessage)

    def image():
        image = client.image(red_square())
        image.header.stamp.sec, image.header.stamp.nanosec = seconds, 0
        return image

    _, answers = client.ask_all(image, ["grounding/grounding", "grounding/overlay"])
    assert expected(answers["grounding/grounding"].age)


def test_compressed_images_are_grounded_too(graph, client):
    parameters = {"model": "color", "image_transport": "compressed", "instruction": "the red thing"}
    graph.start("fake_grounding_node", parameters, namespace="/small")
    client.listen("small/grounding/masked_image", ImageMessage)
    client.listen("small/grounding/grounding", Grounding)

    def compressed():
        _, data = cv2.imencode(".png", cv2.cvtColor(red_square(), cv2.COLOR_RGB2BGR))
        return CompressedImage(header=client.header(), format="png", data=data.tobytes())

    topics = ["small/grounding/grounding", "small/grounding/masked_image"]
    _, answers = client.ask_all(compressed, topics, camera="small/image/compressed")
    message, picture = answers.values()
    assert message.found
    assert (picture.encoding, picture.width, picture.height) == ("rgb8", 16, 12)


def test_quality_of_service_can_be_overridden(graph, client):
    overrides = {
        "qos_overrides./strict/image.subscription.reliability": "reliable",
        "qos_overrides./strict/grounding/mask.publisher.depth": 7,
    }
    graph.start("fake_grounding_node", {"model": "color", **overrides}, namespace="/strict")
    node = client.node

    def reliability(endpoints):
        return {str(endpoint.qos_profile.reliability.name) for endpoint in endpoints}

    client.until(lambda: node.get_subscriptions_info_by_topic("/strict/image"), "the subscription")
    assert reliability(node.get_subscriptions_info_by_topic("/strict/image")) == {"RELIABLE"}
    client.until(lambda: node.get_subscriptions_info_by_topic("/image"), "the other node's")
    assert reliability(node.get_subscriptions_info_by_topic("/image")) == {"BEST_EFFORT"}
    assert client.parameter("qos_overrides./strict/grounding/mask.publisher.depth", "/strict/grounding") == 7
