"""Pictures are drawn in a message's own memory, and a node keeps the memory that it has given back."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from std_msgs.msg import Header

from ivm_ros.grounding import Grounding, Target
from ivm_ros.messages import image_message, image_view, picture_message
from ivm_ros.rendering import MODES, RenderSettings, render


@pytest.fixture
def scene():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    mask = np.zeros((40, 60), bool)
    mask[10:20, 30:45] = True
    return image, Grounding("the cup", mask.astype(np.float32), (Target.from_mask(mask, 0.9),), 0.9)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8"])
@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_a_message_has_the_picture_whoever_owns_its_memory(mode, crop, encoding, scene):
    picture = render(*scene, RenderSettings(mode=mode, crop=crop, dilate_kernel=3))
    message = picture_message(picture, encoding, Header())
    again = picture_message(picture.copy(), encoding, Header())
    assert (message.height, message.width, message.step) == (again.height, again.width, again.step)
    assert message.encoding == again.encoding
    assert message.data == again.data
    assert len(message.data) == message.step * message.height


def test_a_picture_on_a_fill_colour_is_not_copied(scene):
    picture = render(*scene, RenderSettings(mode="highlight"))
    message = picture_message(picture, "rgb8", Header())
    assert np.shares_memory(image_view(message), picture)


def test_a_part_of_a_picture_is_copied(scene):
    picture = render(*scene, RenderSettings(mode="highlight"))
    for part in (picture[2:30], picture[:, 5:], picture[::-1]):
        message = image_message(part, "rgb8", Header())
        assert not np.shares_memory(image_view(message), picture)
        assert np.array_equal(image_view(message), part)


FAULTS = """
import resource, sys
import numpy as np
from ivm_ros.nodes.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def frame():
    for array in [np.empty(3 << 20, np.uint8) for _ in range(3)]:
        array[:] = 1
frame()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    frame()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_kept_memory_is_not_handed_out_anew():
    """The system hands out memory by the page, with a fault each; kept memory has none."""
    faults = {}
    for what in ("default", "keep"):
        command = [sys.executable, "-c", FAULTS, what]
        faults[what] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert faults["keep"] < 1000  # of 50 frames of 2304 pages
    assert faults["keep"] < faults["default"] / 10
