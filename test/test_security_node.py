"""The live node under abuse by topic and service: it refuses by name, counts, and goes on."""

from __future__ import annotations

import pytest
from fakes import red_square

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from sensor_msgs.msg import Image
from std_msgs.msg import String

from ivm_ros.grounding import MAX_INSTRUCTIONS
from ivm_ros.srv import Ground, SetInstruction


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("the cup\n" * (MAX_INSTRUCTIONS + 1), "at most 32 instructions"),
        ("\x1b[2J the red thing", "without control characters"),
        ("red " * 500, "at most 1000 characters"),
    ],
    ids=["too many", "control characters", "too long"],
)
def test_abusive_instructions_are_refused_and_the_stream_goes_on(client, grounding, say, text, says):
    say("the red thing")
    client.publish("instruction", String(data=text))
    values = client.diagnostics(lambda _, values: says in values["last_problem"])
    assert int(values["instructions_refused"]) > 0
    answer = client.call(
        "/grounding/set_instruction", SetInstruction, instructions=[line for line in text.split("\n") if line]
    )
    assert answer.status == SetInstruction.Response.INVALID_INSTRUCTION and says in answer.reason
    assert not client.set_parameter("instruction", text).successful
    client.listen("grounding/mask", Image)
    client.ask(lambda: client.image(red_square()), "grounding/mask")
    assert client.parameter("instruction") == "the red thing"


def test_a_request_that_claims_a_huge_image_is_refused(client, grounding):
    image = Image(encoding="yuv422", height=16384, width=16384, step=0)
    answer = client.call("/grounding/ground", Ground, instruction="the red thing", image=image)
    assert answer.status == Ground.Response.INVALID_IMAGE
    assert "at most 67108864 pixels" in answer.reason or "install" in answer.reason


def test_a_bomb_among_compressed_images_is_dropped_by_name(client, graph):
    from sensor_msgs.msg import CompressedImage
    from test_security_compressed import png

    from ivm_ros.messages import compressed_picture_message

    parameters = {"model": "color", "image_transport": "compressed", "instruction": "the red thing"}
    node = graph.start("fake_grounding_node", parameters, namespace="/packed")
    client.until(lambda: client.state("/packed/grounding") == "active", node.log())
    client.listen("packed/grounding/mask", Image)
    bomb = CompressedImage(format="png", data=png(30000, 30000))
    client.until(
        lambda: "got 30000x30000" in node.log(),
        "a reason in the log",
        meanwhile=lambda: client.publish("packed/image/compressed", bomb),
    )
    client.ask(
        lambda: compressed_picture_message(red_square(), "rgb8", client.header()),
        "packed/grounding/mask",
        camera="packed/image/compressed",
    )
    assert node.running
