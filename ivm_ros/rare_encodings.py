"""Images in rare encodings (Bayer, YUV, 16 bits) to RGB, by rosbags-image or cv_bridge, whichever there is.

Knows of a sensor_msgs/Image what its fields are, and imports no ROS.
"""

from __future__ import annotations

import array
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ivm_ros.grounding import Image


class EncodingError(ValueError):
    """An encoding that nothing here can convert, or an image that is not as its encoding wants it."""


def rare_converter(encoding: str, plain: Iterable[str]) -> Callable[[Any], Image]:
    """Return what turns a sensor_msgs/Image of an encoding into (H, W, 3) uint8 RGB.

    The function returned raises `EncodingError` where the image contradicts its encoding.

    Args:
        encoding: of the image.
        plain: encodings that need no library, for the error.

    Raises:
        EncodingError: no library is installed, or it does not know the encoding.
    """
    try:
        from rosbags.image import message_to_cvimage  # the extra [bags]
        from rosbags.image.image import ENCODINGMAP
    except ImportError:
        try:
            from cv_bridge import CvBridge
        except ImportError as error:
            raise EncodingError(
                f"expected an encoding of {', '.join(plain)}, got {encoding!r}; for others install "
                "the extra 'ivm-ros[bags]', or cv_bridge on a robot"
            ) from error
        return lambda message: _checked(message, lambda: CvBridge().imgmsg_to_cv2(message, "rgb8"))
    if encoding not in ENCODINGMAP:
        raise EncodingError(f"expected an encoding of {', '.join((*plain, *ENCODINGMAP))}, got {encoding!r}")
    bits, _, _, channels = ENCODINGMAP[encoding]
    pixel = channels * bits // 8
    return lambda message: _checked(message, lambda: message_to_cvimage(_unpadded(message, pixel), "rgb8"))


def _checked(message: Any, convert: Callable[[], Any]) -> Image:
    try:
        image = convert()
    except EncodingError:
        raise
    except Exception as error:  # the libraries raise whatever they meet
        raise EncodingError(f"cannot convert {message.encoding!r} to RGB: {error}") from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise EncodingError(f"cannot convert {message.encoding!r} to RGB: got {image.shape} of {image.dtype}")
    if image.shape[:2] != (message.height, message.width):  # as of colours shared by an odd number of rows
        raise EncodingError(
            f"cannot convert {message.encoding!r} of {message.width}x{message.height} to RGB: "
            f"got {image.shape[1]}x{image.shape[0]}"
        )
    return np.ascontiguousarray(image)


def _unpadded(message: Any, pixel: int) -> Any:
    """Return the message without the padding at the end of its rows, which rosbags-image would show."""
    row = message.width * pixel
    if message.step < row:
        raise EncodingError(
            f"expected a step of at least {row} bytes for {message.width} pixels "
            f"of {message.encoding}, got {message.step}"
        )
    if message.step == row:
        return message
    rows = np.frombuffer(memoryview(message.data), np.uint8).reshape(message.height, message.step)
    packed = type(message)(encoding=message.encoding, height=message.height, width=message.width, step=row)
    packed.is_bigendian = message.is_bigendian
    packed.data = array.array("B", rows[:, :row].tobytes())
    return packed
