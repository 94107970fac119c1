"""The grounding node's parameters on a real graph: live changes, refusals with their reason, descriptors."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import COLORS, red_square

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from sensor_msgs.msg import Image as ImageMessage

from ivm_ros.messages import image_view
from ivm_ros.msg import Grounding
from ivm_ros.nodes.grounding_parameters import PARAMETERS
from ivm_ros.rendering import MODES

pytestmark = pytest.mark.usefixtures("grounding")


@pytest.mark.parametrize("mode", MODES)
def test_every_display_mode_can_be_chosen_live(client, say, configure, mode):
    say("the red thing")
    configure("display.mode", mode)
    configure("display.dilate_kernel", 1)
    cluttered = red_square() + np.arange(3, dtype=np.uint8) * np.arange(16, dtype=np.uint8)[:, None]
    cluttered[2:6, 3:7] = COLORS["red"]
    client.listen("grounding/masked_image", ImageMessage)
    frame, message = client.ask(lambda: client.image(cluttered), "grounding/masked_image")
    assert (message.width, message.height) == (16, 12)
    assert message.encoding == ("rgba8" if "alpha" in mode else "rgb8")
    assert not np.array_equal(image_view(message), image_view(frame))


def test_the_fill_and_the_crop_are_seen_in_the_next_picture(client, say, configure):
    say("the red thing")
    for name, value in {
        "display.fill": "#102030",
        "display.dilate_rate": 0.0,
        "display.dilate_kernel": 1,
    }.items():
        configure(name, value)
    client.listen("grounding/masked_image", ImageMessage)
    client.ask(
        lambda: client.image(red_square()),
        "grounding/masked_image",
        lambda message: (image_view(message)[-1, -1] == (0x10, 0x20, 0x30)).all(),
    )
    configure("display.crop", True)
    _, message = client.ask(
        lambda: client.image(red_square()), "grounding/masked_image", lambda message: message.width < 16
    )
    assert (image_view(message) == (255, 0, 0)).all(axis=2).sum() == 16


def test_masks_of_targets_can_be_left_out(client, say, configure):
    say("the red thing")
    configure("publish_target_masks", False)
    client.listen("grounding/grounding", Grounding)
    _, message = client.ask(lambda: client.image(red_square()), "grounding/grounding")
    (target,) = message.targets
    assert (target.mask.width, target.mask.height, len(target.mask.data)) == (0, 0, 0)


def test_the_rate_is_limited(client, say, configure):
    say("the red thing")
    configure("max_rate", 0.01)
    client.listen("grounding/mask", ImageMessage)
    before = client.diagnostics()
    after = client.diagnostics(
        lambda status, values: int(values["received"]) > int(before["received"]) + 5,
        meanwhile=lambda: client.publish("image", client.image(red_square())),
    )
    assert int(after["grounded"]) <= int(before["grounded"]) + 1
    configure("max_rate", 0.0)
    client.ask(lambda: client.image(red_square()), "grounding/mask")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("display.threshold", 1.01, "out of range"),
        ("display.threshold", -0.01, "out of range"),
        ("display.threshold", float("nan"), "out of range"),
        ("display.threshold", 2, "display.threshold: expected 0 to 1"),
        ("display.threshold", "0.5", "display.threshold: expected float"),
        ("display.threshold", True, "display.threshold: expected float"),
        ("display.dilate_kernel", 1000, "out of range"),
        ("display.dilate_kernel", 4, "odd"),
        ("display.mode", "sparkle", "expected one of highlight"),
        ("display.fill", "plaid", "plaid"),
        ("display.not_found", "", "expected one of pass_through"),
        ("instruction", "\n?!", "expected an instruction in words"),
        ("instruction", "x" * 10_000, "at most 1000"),
        ("instruction", 5, "Wrong parameter type, expected"),
        ("max_rate", -1.0, "out of range"),
        ("camera_timeout", 0.0, "out of range"),
    ],
)
def test_a_bad_value_is_refused_with_the_reason(client, name, value, reason):
    before = client.parameter(name)
    result = client.set_parameter(name, value)
    assert not result.successful
    assert reason in result.reason
    assert client.parameter(name) == before


@pytest.mark.parametrize("parameter", [p for p in PARAMETERS if not p.live], ids=lambda p: p.name)
def test_what_needs_a_new_start_is_read_only(client, parameter):
    result = client.set_parameter(parameter.name, parameter.default)
    assert not result.successful
    assert "read-only" in result.reason


def test_unknown_parameters_are_refused(client):
    result = client.set_parameter("display.sparkle", 1.0)
    assert not result.successful
    assert result.reason


def test_a_whole_number_does_for_a_float(client, configure):
    configure("display.threshold", 1)
    assert client.parameter("display.threshold") == 1


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_every_parameter_is_described(client, parameter):
    descriptor = client.descriptor(parameter.name)
    assert descriptor.description == parameter.description
    assert descriptor.read_only is not parameter.live
    (limits,) = (*descriptor.floating_point_range, *descriptor.integer_range) or (None,)
    if parameter.minimum is None:
        assert limits is None
    else:
        assert (limits.from_value, limits.to_value) == (parameter.minimum, parameter.maximum)
    assert all(choice in descriptor.additional_constraints for choice in parameter.choices)
