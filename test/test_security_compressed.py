"""Compressed images from anywhere: bombs, lies and rubbish are refused before anything is allocated."""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivm_ros.compressed import MAX_IMAGE_PIXELS, CompressedError, claimed_size, decode, encode
from ivm_ros.grounding import MAX_IMAGE_SIDE

QUALITY, PROGRESSIVE, LOSSLESS = cv2.IMWRITE_JPEG_QUALITY, cv2.IMWRITE_JPEG_PROGRESSIVE, 101
KINDS = {
    "jpeg": (".jpg", (QUALITY, 95)),
    "progressive jpeg": (".jpg", (QUALITY, 95, PROGRESSIVE, 1)),
    "png": (".png", ()),
    "webp": (".webp", (cv2.IMWRITE_WEBP_QUALITY, 95)),
    "lossless webp": (".webp", (cv2.IMWRITE_WEBP_QUALITY, LOSSLESS)),
}


def picture(height=24, width=36):
    """Return a BGR picture whose left half is one colour and whose right half another."""
    pixels = np.full((height, width, 3), (30, 60, 200), np.uint8)
    pixels[:, width // 2 :] = (120, 200, 40)
    return pixels


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows=b"", depth=8, color=2):
    """Return a PNG that claims a size; there need be no pixels."""
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def jpeg(width, height):
    """Return a JPEG that claims another size than it has."""
    data = bytearray(encode(picture(), ".jpg"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def webp(width, height, kind=b"VP8X"):
    """Return a WebP that claims a size."""
    flags = bytes(4)
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBP" + kind + struct.pack("<I", 10) + flags + size


def after_start(data, segments):
    """Return a JPEG with segments put behind its first two bytes."""
    return data[:2] + segments + data[2:]


@pytest.mark.parametrize("kind", KINDS)
def test_headers_say_what_the_decoder_finds(kind):
    extension, options = KINDS[kind]
    data = encode(picture(25, 37), extension, options)
    assert claimed_size(data) == (37, 25)
    image = decode(data)
    assert image.shape == (25, 37, 3) and image.dtype == np.uint8
    assert np.abs(image[3:-3, 3:12].astype(int) - (200, 60, 30)).max() < 12
    assert np.abs(image[3:-3, -12:-3].astype(int) - (40, 200, 120)).max() < 12


@pytest.mark.parametrize(
    ("pixels", "extension", "expected"),
    [
        (np.full((4, 6), 90, np.uint8), ".png", (90, 90, 90)),
        (np.full((4, 6), 90, np.uint8), ".jpg", (90, 90, 90)),
        (np.full((4, 6), 90 * 257, np.uint16), ".png", (90, 90, 90)),
        (np.full((4, 6, 3), (10 * 257, 90 * 257, 200 * 257), np.uint16), ".png", (200, 90, 10)),
        (np.full((4, 6, 4), (10, 90, 200, 128), np.uint8), ".png", (200, 90, 10)),
    ],
    ids=["gray png", "gray jpeg", "16-bit gray png", "16-bit png", "png with alpha"],
)
def test_other_depths_and_channels_become_rgb(pixels, extension, expected):
    image = decode(encode(pixels, extension))
    assert image.shape == (4, 6, 3)
    assert np.abs(image.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_turns_no_camera_image(orientation):
    """A mask and a calibration are in the sensor's pixels."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    plain = encode(picture(), ".jpg")
    turned = after_start(plain, b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
    upright = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert not np.array_equal(upright, cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_COLOR))
    assert np.array_equal(decode(turned), decode(plain))


@pytest.mark.parametrize("make", [png, jpeg, webp])
@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((8193, 8192), f"at most {MAX_IMAGE_PIXELS} pixels, got 8193x8192 = 67117056"),
        ((MAX_IMAGE_SIDE, MAX_IMAGE_SIDE), f"got {MAX_IMAGE_SIDE}x{MAX_IMAGE_SIDE}"),
        ((30000, 30000), f"sides of 1 to {MAX_IMAGE_SIDE} pixels, got 30000x30000"),
    ],
)
def test_bombs_are_refused_by_name(make, size, says):
    assert len(make(*size)) < 1000
    with pytest.raises(CompressedError) as caught:
        decode(make(*size))
    assert says in str(caught.value)


@pytest.mark.parametrize("data", [png(0, 5), png(5, 0), jpeg(0, 5), jpeg(5, 0), png(2**32 - 1, 2**32 - 1)])
def test_impossible_sizes_are_refused(data):
    with pytest.raises(CompressedError, match="sides of 1 to"):
        decode(data)


def test_a_bomb_is_refused_before_anything_is_allocated():
    """OpenCV alone takes 432 MB for the same bytes, or fails where there is less."""
    script = """
        import resource, sys
        import cv2, numpy as np
        from ivm_ros.compressed import CompressedError, decode

        bomb = sys.stdin.buffer.read()
        decode(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())  # whatever is made once
        (used,) = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")]
        limit = 1024 * used + 2**26
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            decode(bomb)
        except CompressedError as error:
            print("refused:", error)
        try:
            image = cv2.imdecode(np.frombuffer(bomb, np.uint8), cv2.IMREAD_COLOR)
            print("alone:", None if image is None else image.shape)
        except (cv2.error, MemoryError) as error:
            print("alone:", "memory" if "nsufficient memory" in str(error) else error)
    """
    bomb = png(12000, 12000, rows=bytes(36001))
    assert len(bomb) < 500
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], input=bomb, capture_output=True, check=True
    )
    refused, alone = done.stdout.decode().splitlines()
    assert refused.startswith("refused: expected an image of at most") and "12000x12000" in refused
    assert alone == "alone: memory"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_off_is_refused_wherever(kind):
    extension, options = KINDS[kind]
    noise = np.random.default_rng(1).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    data = encode(noise, extension, options)
    for end in [*range(0, 40), len(data) // 2, len(data) - 20, len(data) - 2]:
        with pytest.raises(CompressedError):
            decode(data[:end])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "got 0 bytes"),
        (b"not an image", "begin with b'not an image'"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", bytes(13)), "begins with IHDR"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(12)), "got b'IHDR' of 12"),
        (png(4, 4, depth=3), "broken"),
        (png(4, 4, color=1), "broken"),
        (png(4, 4), "broken"),
        (b"RIFF\x10\0\0\0AVI LIST" + bytes(20), "got RIFF with b'AVI LIST'"),
        (webp(4, 4, b"VP8 "), "got RIFF with"),
        (encode(picture(), ".bmp"), "in JPEG, PNG or WebP"),
        (encode(picture(), ".tiff"), "in JPEG, PNG or WebP"),
        (encode(picture(), ".jpg").replace(b"\xff\xc0", b"\xff\xc3"), "baseline or progressive"),
        (b"\xff\xd8\xff\xd9", "got none"),
        (b"\xff\xd8" + b"\xff" * 100_000, "end before it"),
        (b"\xff\xd8" + b"\xff\xfe\0\0" * 100_000, "in the first 1000 segments"),
    ],
    ids=range(15),
)
def test_rubbish_is_refused_with_a_reason(data, says):
    with pytest.raises(CompressedError) as caught:
        decode(data)
    assert says in str(caught.value)


def test_cameras_may_write_many_segments_but_not_any_number():
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"some"
    data = encode(picture(), ".jpg")
    assert decode(after_start(data, comment * 900)).shape == (24, 36, 3)
    with pytest.raises(CompressedError, match="first 1000 segments"):
        decode(after_start(data, comment * 5000))


def test_a_size_inside_a_comment_is_not_the_images():
    """EXIF holds a second JPEG, the thumbnail: segments are walked, not searched."""
    thumbnail = encode(picture(8, 8), ".jpg")
    comment = b"\xff\xfe" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    assert claimed_size(after_start(encode(picture(), ".jpg"), comment)) == (36, 24)


def test_a_progressive_jpeg_has_a_bounded_number_of_scans():
    extension, options = KINDS["progressive jpeg"]
    data = encode(picture(), extension, options)
    begin, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    bomb = data[:begin] + data[begin:end] * 5000 + data[end:]
    with pytest.raises(CompressedError, match="at most 100 scans, got 5"):
        decode(bomb)


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"RIFF\0\0\0\0WEBPVP8"]),
    rest=st.binary(max_size=120),
)
def test_random_bytes_raise_one_error_or_decode(start, rest):
    try:
        image = decode(start + rest)
    except CompressedError:
        return
    assert image.ndim == 3 and image.dtype == np.uint8


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), data=st.data())
def test_damaged_images_raise_one_error_or_decode_to_their_size(kind, data):
    extension, options = KINDS[kind]
    damaged = bytearray(encode(picture(), extension, options))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(damaged))
    except CompressedError:
        return
    assert image.shape[:2] == claimed_size(bytes(damaged))[::-1]


@pytest.mark.parametrize("pixels", [np.zeros((0, 0, 3), np.uint8), np.zeros((4, 4, 2), np.uint8)])
def test_what_cannot_be_compressed_says_so(pixels):
    with pytest.raises(CompressedError, match="cannot compress"):
        encode(pixels, ".jpg")
