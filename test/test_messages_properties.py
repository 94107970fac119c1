"""Properties of message conversion: whatever a message says, it is read as it is or refused by one error."""

from __future__ import annotations

import array
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="needs ROS 2's Python packages")

from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.compressed import MAX_IMAGE_PIXELS
from ivm_ros.messages import (
    ENCODINGS,
    MessageError,
    check_color_image,
    compressed_mask_message,
    compressed_picture_message,
    decode_compressed,
    heatmap_message,
    image_message,
    image_view,
    mask_message,
    picture_message,
    rgb_image,
)

COLORS = [name for name, encoding in ENCODINGS.items() if encoding.is_color]
RARE = ["bayer_rggb8", "bayer_gbrg16", "yuv422", "yuv422_yuy2", "nv12", "mono16", "rgb16", "bgra16"]
SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(1, 24)
BROAD = settings(max_examples=300, deadline=None)
DEEP = settings(max_examples=80, deadline=None)


def pixels_of(encoding, height, width, seed):
    layout = ENCODINGS[encoding]
    item = np.dtype(layout.dtype)
    random = np.random.default_rng(seed)
    raw = random.integers(0, 256, height * width * layout.channels * item.itemsize).astype(np.uint8)
    return raw.view(item).reshape((height, width, layout.channels)[: 2 if layout.channels == 1 else 3])


def padded(pixels, encoding, padding, foreign=False):
    """Return a message of pixels, byte by byte, perhaps in the other byte order."""
    turned = pixels.byteswap() if foreign else pixels
    rows = [row.tobytes() + b"\xee" * padding for row in turned]
    message = ImageMessage(
        encoding=encoding, height=pixels.shape[0], width=pixels.shape[1], step=len(rows[0])
    )
    message.is_bigendian = int((sys.byteorder == "big") != foreign)
    message.data = array.array("B", b"".join(rows))
    return message


@BROAD
@given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    height=SIDES,
    width=SIDES,
    padding=st.integers(0, 9),
    foreign=st.booleans(),
    seed=SEEDS,
)
def test_plain_images_are_read_bit_by_bit(encoding, height, width, padding, foreign, seed):
    pixels = pixels_of(encoding, height, width, seed)
    view = image_view(padded(pixels, encoding, padding, foreign))
    assert view.dtype == pixels.dtype and view.shape == pixels.shape
    assert view.tobytes() == pixels.tobytes()  # bytes, for NaN is not equal to itself


@BROAD
@given(encoding=st.sampled_from(sorted(ENCODINGS)), height=SIDES, width=SIDES, seed=SEEDS)
def test_what_is_made_is_what_is_read(encoding, height, width, seed):
    pixels = pixels_of(encoding, height, width, seed)
    message = image_message(pixels, encoding, Header(frame_id="camera"))
    assert message.step * message.height == len(message.data)
    assert image_view(message).tobytes() == pixels.tobytes()
    assert (message.encoding, message.header.frame_id) == (encoding, "camera")


@DEEP
@given(camera=st.sampled_from(COLORS), height=SIDES, width=SIDES, seed=SEEDS)
def test_pictures_come_back_as_they_were(camera, height, width, seed):
    picture = pixels_of("rgb8", height, width, seed)
    message = picture_message(picture, camera, Header())
    assert message.encoding == camera
    check_color_image(message)
    image = rgb_image(message)
    if camera == "mono8":
        assert (image[..., 0] == image[..., 2]).all() and image.shape == picture.shape
    else:
        assert np.array_equal(image, picture)


@DEEP
@given(height=SIDES, width=SIDES, seed=SEEDS)
def test_masks_and_heatmaps_come_back_as_they_were(height, width, seed):
    random = np.random.default_rng(seed)
    mask, heatmap = random.random((height, width)) > 0.5, random.random((height, width), np.float32)
    assert np.array_equal(image_view(mask_message(mask, Header())), np.where(mask, 255, 0))
    assert np.array_equal(image_view(heatmap_message(heatmap, Header())), heatmap)
    packed = decode_compressed(compressed_mask_message(mask, Header()))
    assert np.array_equal(packed, np.where(mask, 255, 0)[..., None].repeat(3, 2))


@BROAD
@given(
    encoding=st.sampled_from([*ENCODINGS, *RARE, "", "8UC3", "nonsense"]),
    height=st.sampled_from([0, 1, 2, 3, 16384, 16385, 2**31, 2**32 - 1]) | SIDES,
    width=st.sampled_from([0, 1, 2, 3, 16384, 16385, 2**31, 2**32 - 1]) | SIDES,
    step=st.sampled_from([0, 1, 2**16, 2**32 - 1]) | st.integers(0, 120),
    length=st.none() | st.integers(0, 600),
    bigendian=st.sampled_from([0, 1, 2, 255]),
)
def test_no_header_is_believed(encoding, height, width, step, length, bigendian):
    """`length` None: exactly what step and height say, where that is little enough to send."""
    message = ImageMessage(encoding=encoding, height=height, width=width, step=step, is_bigendian=bigendian)
    fitting = step * height if step * height < 10_000 else 0
    message.data = array.array("B", bytes(fitting if length is None else length))
    for read in (image_view, check_color_image, rgb_image):
        try:
            result = read(message)
        except MessageError:
            continue
        if result is not None:
            assert result.shape[:2] == (height, width)
            assert len(message.data) == step * height


@BROAD
@given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    height=SIDES,
    width=SIDES,
    change=st.sampled_from(["width", "height", "step", "data"]),
    by=st.integers(1, 40),
)
def test_one_wrong_number_is_refused(encoding, height, width, change, by):
    """More rows, wider rows or fewer bytes than there are: a view of them would read another's memory."""
    message = image_message(pixels_of(encoding, height, width, 0), encoding, Header())
    if change == "data":
        message.data = message.data[: max(0, len(message.data) - by)]
    else:
        setattr(message, change, getattr(message, change) + by)
    with pytest.raises(MessageError):
        image_view(message)


@DEEP
@given(
    camera=st.sampled_from([*COLORS, "bayer_rggb8"]),
    height=st.integers(16, 64),
    width=st.integers(16, 64),
    alpha=st.booleans(),
    color=st.tuples(*[st.integers(0, 255)] * 3),
)
def test_compressed_pictures_come_back_nearly(camera, height, width, alpha, color):
    picture = np.full((height, width, 4 if alpha else 3), (*color, 77)[: 4 if alpha else 3], np.uint8)
    message = compressed_picture_message(picture, camera, Header(), 95)
    name, _, how = message.format.partition("; ")
    plain = picture_message(picture, camera, Header())
    assert name == plain.encoding  # so that who decompresses gets what the raw topic has
    assert how == (
        "png compressed bgra8" if alpha else f"jpeg compressed {'mono' if name == 'mono8' else 'bgr'}8"
    )
    difference = decode_compressed(message).astype(int) - rgb_image(plain)
    assert np.abs(difference).max() <= (0 if alpha else 8)


@BROAD
@given(format=st.text(max_size=30), data=st.binary(max_size=200))
def test_random_compressed_messages_raise_one_error(format, data):
    message = CompressedImage(format=format, data=array.array("B", data))
    with pytest.raises(MessageError):
        decode_compressed(message)


@pytest.mark.parametrize("format", ["16UC1; png compressed ", "32FC1; compressedDepth", "16UC1"])
def test_compressed_depth_is_no_picture(format):
    mask = compressed_mask_message(np.ones((4, 4), bool), Header())
    with pytest.raises(MessageError, match="got depth"):
        decode_compressed(CompressedImage(format=format, data=mask.data))


def test_a_raw_image_has_a_bounded_number_of_pixels():
    """With `step` 0 a message can claim any size and have no bytes: none of its sides is too long."""
    message = ImageMessage(encoding="yuv422", height=16384, width=16384, step=0)
    with pytest.raises(MessageError, match=f"at most {MAX_IMAGE_PIXELS} pixels"):
        rgb_image(message)


@pytest.mark.parametrize(("encoding", "pixel"), [("bayer_rggb8", 1), ("mono16", 2), ("yuv422", 2)])
def test_rare_encodings_honour_step_too(encoding, pixel):
    pytest.importorskip("rosbags.image", reason="needs the extra [bags]")
    rows = np.random.default_rng(1).integers(0, 256, (6, 8 * pixel)).astype(np.uint8)
    plain = ImageMessage(encoding=encoding, height=6, width=8, step=8 * pixel)
    plain.data = array.array("B", rows.tobytes())
    wide = ImageMessage(encoding=encoding, height=6, width=8, step=8 * pixel + 3)
    wide.data = array.array("B", b"".join(row.tobytes() + b"\xee" * 3 for row in rows))
    assert np.array_equal(rgb_image(wide), rgb_image(plain))
    narrow = ImageMessage(encoding=encoding, height=6, width=8, step=7, data=array.array("B", bytes(42)))
    with pytest.raises(MessageError, match=f"step of at least {8 * pixel}"):
        rgb_image(narrow)
