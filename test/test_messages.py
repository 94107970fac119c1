"""ROS messages <-> arrays: views without copies, and a clear answer to every broken message."""

from __future__ import annotations

import array
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's Python packages")

from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.messages import (
    ENCODINGS,
    MessageError,
    check_color_image,
    decode_compressed,
    heatmap_message,
    image_view,
    mask_message,
    picture_message,
    rgb_image,
    stamp_seconds,
)

PLAIN = [name for name, encoding in ENCODINGS.items() if encoding.is_color]


def message(pixels: np.ndarray, encoding: str, padding: int = 0) -> ImageMessage:
    """Build a message byte by byte, with `padding` bytes after each row."""
    rows = [row.tobytes() + b"\xee" * padding for row in pixels]
    result = ImageMessage(encoding=encoding, height=pixels.shape[0], width=pixels.shape[1], step=len(rows[0]))
    result.data = array.array("B", b"".join(rows))
    result.is_bigendian = int(sys.byteorder == "big")
    return result


def pixels_of(encoding: str, height: int = 3, width: int = 5) -> np.ndarray:
    layout = ENCODINGS[encoding]
    shape = (height, width, layout.channels) if layout.channels > 1 else (height, width)
    values = np.random.default_rng(1).integers(0, 255, shape)
    return values.astype(layout.dtype)


@pytest.mark.parametrize("padding", [0, 4, 7])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_views_honour_step_and_share_memory(encoding, padding):
    pixels = pixels_of(encoding)
    source = message(pixels, encoding, padding)
    view = image_view(source)
    assert np.array_equal(view, pixels)
    assert view.dtype == pixels.dtype
    assert np.shares_memory(view, np.frombuffer(source.data, np.uint8))


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_foreign_byte_order_is_turned(encoding):
    pixels = pixels_of(encoding)
    source = message(pixels.byteswap(), encoding)
    source.is_bigendian = int(sys.byteorder != "big")
    assert np.array_equal(image_view(source), pixels)


@pytest.mark.parametrize(
    ("encoding", "pixel", "rgb"),
    [
        ("rgb8", (10, 20, 30), (10, 20, 30)),
        ("bgr8", (10, 20, 30), (30, 20, 10)),
        ("rgba8", (10, 20, 30, 40), (10, 20, 30)),
        ("bgra8", (10, 20, 30, 40), (30, 20, 10)),
        ("mono8", (10,), (10, 10, 10)),
    ],
)
def test_every_color_encoding_becomes_rgb(encoding, pixel, rgb):
    pixels = np.tile(np.array(pixel, np.uint8), (2, 3, 1))
    source = message(pixels[..., 0] if len(pixel) == 1 else pixels, encoding)
    image = rgb_image(source)
    assert image.shape == (2, 3, 3)
    assert (image == rgb).all()


def broken(**changes) -> ImageMessage:
    result = message(pixels_of("rgb8"), "rgb8")
    for name, value in changes.items():
        setattr(result, name, value)
    return result


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 0}, "0x3"),
        ({"height": 0}, "5x0"),
        ({"height": 0, "width": 0, "step": 0, "data": array.array("B")}, "0x0"),
        ({"width": 100000, "height": 100000}, "100000x100000"),
        ({"step": 14}, "step x height"),
        ({"step": 14, "data": array.array("B", bytes(42))}, "step of at least 15"),
        ({"step": 0, "data": array.array("B")}, "step of at least 15"),
        ({"data": array.array("B", bytes(44))}, "got 44"),
        ({"data": array.array("B", bytes(46))}, "got 46"),
        ({"encoding": ""}, "got ''"),
        ({"encoding": "klingon8"}, "klingon8"),
        ({"encoding": "32FC1", "step": 20, "data": array.array("B", bytes(60))}, "depth"),
    ],
)
def test_broken_messages_say_what_is_wrong(changes, says):
    for function in (check_color_image, rgb_image):
        with pytest.raises(MessageError, match="expected") as caught:
            function(broken(**changes))
        assert says in str(caught.value)


def test_rare_encodings_go_to_a_library():
    pytest.importorskip("rosbags.image", reason="needs the extra [bags]")
    bayer = message(np.full((4, 4), 77, np.uint8), "bayer_rggb8")
    check_color_image(bayer)
    assert rgb_image(bayer).shape == (4, 4, 3)
    assert (rgb_image(bayer) == 77).all()


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_compressed_images_are_decoded_to_rgb(extension):
    image = np.zeros((8, 12, 3), np.uint8)
    image[:] = (200, 30, 60)
    data = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    decoded = decode_compressed(CompressedImage(format=extension[1:], data=array.array("B", data)))
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).max() < 12


@pytest.mark.parametrize("data", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0 cut short"])
def test_what_is_no_compressed_image_is_refused(data):
    with pytest.raises(MessageError, match=r"compressed|decode"):
        decode_compressed(CompressedImage(format="jpeg", data=array.array("B", data)))


@pytest.mark.parametrize("encoding", PLAIN)
def test_pictures_keep_the_camera_encoding(encoding):
    picture = np.tile(np.array((10, 200, 30), np.uint8), (2, 3, 1))
    result = picture_message(picture, encoding, Header(frame_id="camera"))
    assert (result.encoding, result.height, result.width) == (encoding, 2, 3)
    assert result.header.frame_id == "camera"
    if encoding != "mono8":
        assert (rgb_image(result) == picture).all()


@pytest.mark.parametrize(
    ("camera", "expected"), [("bgr8", "bgra8"), ("bgra8", "bgra8"), ("rgb8", "rgba8"), ("mono8", "rgba8")]
)
def test_pictures_with_alpha_keep_the_channel_order(camera, expected):
    picture = np.tile(np.array((10, 200, 30, 40), np.uint8), (2, 3, 1))
    result = picture_message(picture, camera, Header())
    assert result.encoding == expected
    assert (rgb_image(result) == picture[..., :3]).all()
    assert (image_view(result)[..., 3] == 40).all()


def test_pictures_of_rare_encodings_become_rgb8():
    assert picture_message(np.zeros((2, 2, 3), np.uint8), "bayer_rggb8", Header()).encoding == "rgb8"


def test_masks_are_0_and_255_and_heatmaps_float():
    mask = np.array([[True, False], [False, True]])
    assert image_view(mask_message(mask, Header())).tolist() == [[255, 0], [0, 255]]
    heatmap = np.array([[0.25, 1.0]], np.float32)
    result = heatmap_message(heatmap, Header())
    assert result.encoding == "32FC1"
    assert np.array_equal(image_view(result), heatmap)


def test_stamps_are_seconds():
    header = Header()
    header.stamp.sec, header.stamp.nanosec = 3, 500_000_000
    assert stamp_seconds(header.stamp) == 3.5
