"""Compressed images to arrays and back: what a header claims is checked before a decoder believes it.

A few bytes can claim a picture that takes all memory (a decompression bomb), and every decoder trusts them.
So the size is read here first; Pillow could do that as well, but is no dependency of the core, and three
headers are short. Only formats whose header is read here are decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from ivm_ros.grounding import MAX_IMAGE_SIDE, Image

MAX_IMAGE_PIXELS = 2**26
"""Most pixels of an image that is accepted, 8192x8192: 201 MB as RGB."""

_MAX_SEGMENTS = 1000  # of a JPEG, before its size; cameras write about ten
_MAX_SCANS = 100  # of a progressive JPEG: each is work for the whole picture and may be a few bytes
_PROGRESSIVE = 0xC2
_FRAMES = {0xC0, 0xC1, _PROGRESSIVE}  # markers of frame headers: baseline, extended, progressive
_OTHER_FRAMES = {*range(0xC3, 0xD0)} - {0xC4, 0xC8, 0xCC}  # lossless, hierarchical, arithmetic
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length behind them
_START_OF_SCAN, _END = 0xDA, 0xD9
_FILL = re.compile(rb"\xff+")
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
"""A camera's pixels stay where its calibration says they are, whatever EXIF says of up and down."""


class CompressedError(ValueError):
    """Bytes that are no compressed image that can be used; the text says what was expected and what came."""


def check_sides(width: int, height: int) -> None:
    """Raise `CompressedError` if an image of this size in pixels is empty or has too long a side."""
    if not (0 < width <= MAX_IMAGE_SIDE and 0 < height <= MAX_IMAGE_SIDE):
        raise CompressedError(
            f"expected an image with sides of 1 to {MAX_IMAGE_SIDE} pixels, got {width}x{height}"
        )


def check_pixels(width: int, height: int) -> None:
    """Raise `CompressedError` if an image of this size in pixels is more than is accepted."""
    if width * height > MAX_IMAGE_PIXELS:
        raise CompressedError(
            f"expected an image of at most {MAX_IMAGE_PIXELS} pixels, got {width}x{height} = "
            f"{width * height}; have the camera send a smaller one"
        )


def claimed_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels as the header of a JPEG, PNG or WebP says; nothing is decoded.

    Raises:
        CompressedError: the bytes are of another format, or end or break off before the size.
    """
    for begin, read in _FORMATS:
        if data.startswith(begin):
            try:
                return read(data)
            except (struct.error, IndexError) as error:
                raise CompressedError(
                    f"expected the size of a compressed image, got {len(data)} bytes that end before it"
                ) from error
    raise CompressedError(
        "expected a compressed image in JPEG, PNG or WebP, "
        f"got {len(data)} bytes that begin with {data[:12]!r}"
    )


def decode(data: bytes) -> Image:
    """Decode a JPEG, PNG or WebP to (H, W, 3) uint8 RGB; EXIF's orientation is ignored.

    16 bits become 8, gray becomes RGB, and transparency is left out.

    Raises:
        CompressedError: it is no such image, broken or cut off, or too large.
    """
    width, height = claimed_size(data)
    check_sides(width, height)
    check_pixels(width, height)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error as error:
        raise CompressedError(f"cannot decode {len(data)} bytes: {error.err}") from error
    if image is None:
        raise CompressedError(f"expected a whole compressed image, got {len(data)} bytes that are broken")
    if image.shape != (height, width, 3):
        raise CompressedError(f"expected {width}x{height} as the header says, got {image.shape} decoded")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def encode(pixels: np.ndarray, extension: str, options: tuple[int, ...] = ()) -> bytes:
    """Return (H, W), BGR (H, W, 3) or BGRA (H, W, 4) uint8 pixels as the bytes of an image file.

    Args:
        pixels: to compress.
        extension: such as ".png".
        options: pairs of OpenCV's IMWRITE_ codes and values.

    Raises:
        CompressedError: OpenCV cannot compress them.
    """
    try:
        done, data = cv2.imencode(extension, pixels, options)
    except cv2.error as error:
        raise CompressedError(f"cannot compress {pixels.shape} as {extension}: {error.err}") from error
    if not done:
        raise CompressedError(f"cannot compress {pixels.shape} as {extension}")
    return data.tobytes()


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, position in _segments(data):
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 3)
            scans = data.count(b"\xff\xda") if marker == _PROGRESSIVE else 1
            if scans > _MAX_SCANS:
                raise CompressedError(f"expected a JPEG of at most {_MAX_SCANS} scans, got {scans}")
            return width, height
        if marker in _OTHER_FRAMES:
            raise CompressedError(f"expected a baseline or progressive JPEG, got frame type {marker:#x}")
        if marker in (_START_OF_SCAN, _END):
            break
    raise CompressedError(
        f"expected a compressed image: a JPEG with its size in the first {_MAX_SEGMENTS} segments; got none"
    )


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield marker and position behind it, as libjpeg finds them: what stands between segments is skipped."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        fill = _FILL.search(data, position)
        if fill is None:
            return
        marker, position = data[fill.end()], fill.end() + 1
        if marker:
            yield marker, position
            if marker not in _ALONE:
                position += int.from_bytes(data[position : position + 2], "big")


def _png_size(data: bytes) -> tuple[int, int]:
    length, kind, width, height = struct.unpack_from(">I4sII", data, 8)
    if (length, kind) != (13, b"IHDR"):
        raise CompressedError(f"expected a PNG that begins with IHDR of 13 bytes, got {kind!r} of {length}")
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    kind, chunk = struct.unpack_from("<8s4x10s", data, 8)
    if kind == b"WEBPVP8X":
        return 1 + int.from_bytes(chunk[4:7], "little"), 1 + int.from_bytes(chunk[7:10], "little")
    if kind == b"WEBPVP8L" and chunk[0] == 0x2F:
        (bits,) = struct.unpack_from("<I", chunk, 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"WEBPVP8 " and chunk[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", chunk, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise CompressedError(f"expected a WebP, got RIFF with {kind!r}")


_FORMATS: tuple[tuple[bytes, Callable[[bytes], tuple[int, int]]], ...] = (
    (b"\xff\xd8", _jpeg_size),
    (b"\x89PNG\r\n\x1a\n", _png_size),
    (b"RIFF", _webp_size),
)
"""How a format begins, and what reads its size: the formats that are accepted."""
