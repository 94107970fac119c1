"""ROS messages become arrays and instructions, and groundings become ROS messages.

Plain encodings are views of the message's own memory (no copy). This is the lowest room that knows ROS.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.compressed import CompressedError, check_pixels, check_sides, decode, encode
from ivm_ros.grounding import Heatmap, Image, Mask
from ivm_ros.rare_encodings import EncodingError, rare_converter


class MessageError(ValueError):
    """A message that cannot be used; the text says what was expected and what came."""


class _Encoding(NamedTuple):
    """How the pixels of one encoding lie in memory, and how they become RGB and come from RGB."""

    dtype: type[np.generic]
    channels: int
    to_rgb: int | None = None  # OpenCV's conversion code; None where the pixels are RGB already
    from_rgb: int | None = None
    is_color: bool = True  # false for depth, which no instruction can be grounded in


ENCODINGS: dict[str, _Encoding] = {
    "rgb8": _Encoding(np.uint8, 3),
    "bgr8": _Encoding(np.uint8, 3, cv2.COLOR_BGR2RGB, cv2.COLOR_RGB2BGR),
    "rgba8": _Encoding(np.uint8, 4, cv2.COLOR_RGBA2RGB, cv2.COLOR_RGB2RGBA),
    "bgra8": _Encoding(np.uint8, 4, cv2.COLOR_BGRA2RGB, cv2.COLOR_RGB2BGRA),
    "mono8": _Encoding(np.uint8, 1, cv2.COLOR_GRAY2RGB, cv2.COLOR_RGB2GRAY),
    "16UC1": _Encoding(np.uint16, 1, is_color=False),
    "32FC1": _Encoding(np.float32, 1, is_color=False),
}
"""Encodings that are read as views. 16UC1 is depth in mm, 32FC1 depth in m (REP 118) or a heatmap."""


def _check_layout(message: ImageMessage) -> None:
    """Refuse sizes that are too large or contradict each other, before anything is allocated."""
    try:
        check_sides(message.width, message.height)
        if len(message.data) != message.step * message.height:
            raise MessageError(
                f"expected step x height = {message.step} x {message.height} = "
                f"{message.step * message.height} bytes of data, got {len(message.data)}"
            )
        check_pixels(message.width, message.height)  # last: so many bytes have been sent in vain
    except CompressedError as error:
        raise MessageError(str(error)) from None


def image_view(message: ImageMessage) -> np.ndarray:
    """Return the pixels of an Image in a plain encoding, without a copy.

    Args:
        message: sensor_msgs/Image in one of `ENCODINGS`; padding at the end of rows (`step`) is honoured.

    Returns:
        (H, W) or (H, W, C) view of the encoding's dtype in the channel order of the message;
        a copy only where the byte order is not this machine's.

    Raises:
        MessageError: the encoding is not plain, or size, step and data length contradict each other.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise MessageError(f"expected an encoding of {', '.join(ENCODINGS)}, got {message.encoding!r}")
    _check_layout(message)
    item = np.dtype(encoding.dtype)
    pixel = item.itemsize * encoding.channels
    if message.step < message.width * pixel:
        raise MessageError(
            f"expected a step of at least {message.width * pixel} bytes for {message.width} pixels "
            f"of {message.encoding}, got {message.step}"
        )
    shape: tuple[int, ...] = (message.height, message.width, encoding.channels)
    strides: tuple[int, ...] = (message.step, pixel, item.itemsize)
    if encoding.channels == 1:
        shape, strides = shape[:2], strides[:2]
    view: np.ndarray = np.ndarray(shape, item, buffer=memoryview(message.data), strides=strides)
    if item.itemsize > 1 and bool(message.is_bigendian) != (sys.byteorder == "big"):
        return view.byteswap()
    return view


def check_color_image(message: ImageMessage) -> None:
    """Raise `MessageError` if `rgb_image` cannot work on this message; cheap enough for a callback."""
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        _check_layout(message)
        _rare_converter(message.encoding)
    elif not encoding.is_color:
        raise MessageError(f"expected a colour or mono image, got depth ({message.encoding})")
    else:
        image_view(message)


def rgb_image(message: ImageMessage) -> Image:
    """Return an Image as (H, W, 3) uint8 RGB: a view for rgb8, else converted.

    Raises:
        MessageError: the message is inconsistent, holds depth, or needs a library that is not installed.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        return _rare_rgb_image(message)
    check_color_image(message)
    view = image_view(message)
    return view if encoding.to_rgb is None else cv2.cvtColor(view, encoding.to_rgb)


def _rare_converter(encoding: str) -> Callable[[Any], Image]:
    try:
        return rare_converter(encoding, ENCODINGS)
    except EncodingError as error:
        raise MessageError(str(error)) from error


def _rare_rgb_image(message: ImageMessage) -> Image:
    convert = _rare_converter(message.encoding)
    _check_layout(message)
    try:
        return convert(message)
    except EncodingError as error:
        raise MessageError(str(error)) from error


def decode_compressed(message: CompressedImage) -> Image:
    """Decode a CompressedImage (JPEG, PNG or WebP) to (H, W, 3) uint8 RGB.

    Raises:
        MessageError: there is no data, it is not such an image or claims to be a huge one, or holds depth.
    """
    layout = ENCODINGS.get(message.format.partition(";")[0].strip())
    if layout is not None and not layout.is_color:
        raise MessageError(f"expected a colour or mono image, got depth ({message.format})")
    try:
        return decode(bytes(memoryview(message.data)))
    except CompressedError as error:
        raise MessageError(f"{error} (format {message.format!r})") from error


def image_message(pixels: np.ndarray, encoding: str, header: Header) -> ImageMessage:
    """Make an Image of (H, W) or (H, W, C) pixels that are in `encoding` already.

    Copies them once; not at all where all of an array('B') is their memory, as of pictures on a fill colour.
    """
    pixels = np.ascontiguousarray(pixels)
    message = ImageMessage(header=header, encoding=encoding)
    message.height, message.width = pixels.shape[:2]
    message.step = pixels.nbytes // pixels.shape[0]  # not strides: they mean nothing for a single row
    message.is_bigendian = int(sys.byteorder == "big")
    data = _bytes(pixels)
    if hasattr(message, "_data"):
        # What the property does with an array('B') where fields are checked; else, since Jazzy, it copies it.
        message._data = data
    else:
        message.data = data
    return message


def _bytes(pixels: np.ndarray) -> array.array[int]:
    """Return contiguous pixels as an array('B'): the one that is their memory, or a copy."""
    owner: Any = pixels
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview) and isinstance(owner.obj, array.array):
        memory = owner.obj
        if memory.typecode == "B" and len(memory) == pixels.nbytes:
            return memory
    data = array.array("B")
    data.frombytes(pixels.data.cast("B"))
    return data


def picture_message(picture: Image, encoding: str, header: Header) -> ImageMessage:
    """Make an Image of an RGB or RGBA picture in the encoding that the camera uses.

    Args:
        picture: (H, W, 3) uint8 RGB, or (H, W, 4) uint8 RGBA from the alpha modes.
        encoding: the camera's. Where it is not a plain colour encoding, rgb8 takes its place; a picture
            with alpha becomes bgra8 for bgr8 and bgra8, else rgba8.
        header: the camera's: same stamp, same frame.
    """
    if picture.shape[2] == 4:
        if encoding in ("bgr8", "bgra8"):
            return image_message(cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA), "bgra8", header)
        return image_message(picture, "rgba8", header)
    layout = ENCODINGS.get(encoding)
    if layout is None or not layout.is_color:
        return image_message(picture, "rgb8", header)
    pixels = picture if layout.from_rgb is None else cv2.cvtColor(picture, layout.from_rgb)
    return image_message(pixels, encoding, header)


def compressed_picture_message(
    picture: Image, encoding: str, header: Header, quality: int = 90
) -> CompressedImage:
    """Make a CompressedImage of an RGB or RGBA picture, as image_transport's plugin `compressed` does.

    Args:
        picture: (H, W, 3) uint8 RGB becomes a JPEG; (H, W, 4) uint8 RGBA a PNG, for JPEG has no alpha.
        encoding: the camera's; who decompresses gets what `picture_message` would have sent.
        header: the camera's.
        quality: of the JPEG, 1 to 100.
    """
    if picture.shape[2] == 4:
        name = "bgra8" if encoding in ("bgr8", "bgra8") else "rgba8"
        bgra = cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA)
        return _compressed_message(bgra, ".png", (), f"{name}; png compressed bgra8", header)
    layout = ENCODINGS.get(encoding)
    name = encoding if layout is not None and layout.is_color else "rgb8"
    code, stored = (cv2.COLOR_RGB2GRAY, "mono8") if name == "mono8" else (cv2.COLOR_RGB2BGR, "bgr8")
    options = (cv2.IMWRITE_JPEG_QUALITY, quality)
    pixels = cv2.cvtColor(picture, code)
    return _compressed_message(pixels, ".jpg", options, f"{name}; jpeg compressed {stored}", header)


def compressed_mask_message(mask: Mask, header: Header) -> CompressedImage:
    """Make a CompressedImage of an (H, W) bool mask: a one-bit PNG, which is 0 and 255 again."""
    options = (cv2.IMWRITE_PNG_BILEVEL, 1)  # twice as fast as 8 bits, and half the size
    return _compressed_message(mask.view(np.uint8), ".png", options, "mono8; png compressed ", header)


def _compressed_message(
    pixels: np.ndarray, extension: str, options: tuple[int, ...], described: str, header: Header
) -> CompressedImage:
    message = CompressedImage(header=header, format=described)
    message.data = array.array("B", encode(pixels, extension, options))
    return message


def mask_message(mask: Mask, header: Header) -> ImageMessage:
    """Make a mono8 Image with 255 where the (H, W) bool mask is true, else 0."""
    return image_message(mask.view(np.uint8) * np.uint8(255), "mono8", header)


def heatmap_message(heatmap: Heatmap, header: Header) -> ImageMessage:
    """Make a 32FC1 Image of an (H, W) float32 heatmap in [0, 1]."""
    return image_message(heatmap, "32FC1", header)


def stamp_seconds(stamp: Any) -> float:
    """Return a builtin_interfaces/Time as seconds."""
    return float(stamp.sec) + 1e-9 * float(stamp.nanosec)
