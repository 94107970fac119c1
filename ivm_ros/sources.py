"""Where pictures come from when no camera driver runs: a webcam, a video, a folder, the recorded clip.

No ROS here; the camera node adds bags, stamps and topics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2

from ivm_ros.clip import Intrinsics, load_clip
from ivm_ros.grounding import Image

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"}
DEFAULT_RATE = 10.0
"""Frames a second of what has no rate of its own, such as a folder of images."""


class SourceError(ValueError):
    """A source that cannot be opened or read; the text says what was expected and what came."""


class SourceFrame(NamedTuple):
    """One picture: (H, W, 3) uint8 RGB, and its position in seconds since the source's beginning."""

    position: float
    image: Image


class Source(NamedTuple):
    """Something that gives pictures.

    Attributes:
        name: what people call it.
        play: starts from the beginning and yields the frames in order; raises SourceError.
        live: whether frames come at their own pace (a webcam) or must be timed by their position.
        intrinsics: of the camera, or None where unknown.
    """

    name: str
    play: Callable[[], Iterator[SourceFrame]]
    live: bool = False
    intrinsics: Intrinsics | None = None


def open_source(spec: str, rate: float = 0.0) -> Source:
    """Return the source that `spec` names.

    Args:
        spec: "clip" for the recorded clip, a webcam's number or /dev/video path, a video file, or a
            folder of images (played in the order of their names).
        rate: frames a second; 0 keeps the source's own.

    Raises:
        SourceError: there is no such source, or it holds no picture.
    """
    path = Path(spec)
    if spec == "clip":
        return _clip(rate)
    if spec.isdigit() or spec.startswith("/dev/video"):
        return _webcam(spec, rate)
    if spec and path.is_dir():
        return _folder(path, rate or DEFAULT_RATE)
    if path.is_file():
        return _video(path, rate)
    raise SourceError(
        f"expected 'clip', a webcam's number, or the path of a video, a folder or a bag, got {spec!r}"
    )


def _clip(rate: float) -> Source:
    clip = load_clip()
    fps = rate or clip.fps

    def play() -> Iterator[SourceFrame]:
        for index, image in enumerate(clip.frames()):
            yield SourceFrame(index / fps, image)

    return Source("clip", play, intrinsics=clip.intrinsics)


def _webcam(spec: str, rate: float) -> Source:
    def play() -> Iterator[SourceFrame]:
        capture = cv2.VideoCapture(int(spec) if spec.isdigit() else spec)
        try:
            if not capture.isOpened():
                raise SourceError(f"expected a webcam at {spec!r}, cannot open one")
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # stale pictures are worthless
            if rate:
                capture.set(cv2.CAP_PROP_FPS, rate)
            start = cv2.getTickCount()
            while True:
                good, picture = capture.read()
                if not good:
                    raise SourceError(f"webcam {spec!r} stopped giving pictures")
                position = (cv2.getTickCount() - start) / cv2.getTickFrequency()
                yield SourceFrame(position, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        finally:
            capture.release()

    return Source(f"webcam {spec}", play, live=True)


def _video(path: Path, rate: float) -> Source:
    probe = cv2.VideoCapture(str(path))
    fps = rate or probe.get(cv2.CAP_PROP_FPS)
    readable, _ = probe.read()
    probe.release()
    if not readable or not fps > 0:
        raise SourceError(f"expected a video that OpenCV can read, got {path}")

    def play() -> Iterator[SourceFrame]:
        capture = cv2.VideoCapture(str(path))
        try:
            index = 0
            while True:
                good, picture = capture.read()
                if not good:
                    return
                yield SourceFrame(index / fps, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
                index += 1
        finally:
            capture.release()

    return Source(path.name, play)


def _folder(path: Path, rate: float) -> Source:
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise SourceError(f"expected images ({', '.join(sorted(IMAGE_SUFFIXES))}) in {path}, found none")

    def play() -> Iterator[SourceFrame]:
        for index, file in enumerate(files):
            picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if picture is None:
                raise SourceError(f"expected an image, cannot read {file}")
            yield SourceFrame(index / rate, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    return Source(str(path), play)
