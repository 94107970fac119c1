"""Pictures from a rosbag2 or MCAP recording, read without ROS's own bag libraries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ivm_ros.messages import decode_compressed, rgb_image
from ivm_ros.sources import Source, SourceError, SourceFrame

_DECODERS: dict[str, Any] = {
    "sensor_msgs/msg/Image": rgb_image,
    "sensor_msgs/msg/CompressedImage": decode_compressed,
}


def is_bag(spec: str) -> bool:
    """Return whether `spec` is the path of a rosbag2 folder, an .mcap or a .db3 file."""
    path = Path(spec)
    return (path / "metadata.yaml").is_file() or (path.suffix in (".mcap", ".db3") and path.is_file())


def open_bag(spec: str, topic: str = "", rate: float = 0.0) -> Source:
    """Return the images of one topic of a bag.

    Args:
        spec: the bag's path.
        topic: the topic to play; empty takes the bag's only image topic.
        rate: frames a second; 0 keeps the times of the recording.

    Raises:
        SourceError: the bag cannot be read, or has no such topic, or several where none was named.
    """
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise SourceError("bags need the extra: pip install 'ivm-ros[bags]'") from error

    def reader() -> Any:
        return AnyReader([Path(spec)], default_typestore=get_typestore(Stores.ROS2_JAZZY))

    try:
        with reader() as bag:
            topics = [c.topic for c in bag.connections if c.msgtype in _DECODERS and topic in ("", c.topic)]
    except Exception as error:  # rosbags raises a type of its own per storage format
        raise SourceError(f"cannot read the bag {spec}: {error}") from error
    if len(set(topics)) != 1:
        found = ", ".join(sorted(set(topics))) or "none"
        raise SourceError(
            f"expected one image topic {topic!r} in {spec}, found {found}; name it with bag_topic"
        )

    def play() -> Iterator[SourceFrame]:
        with reader() as bag:
            connections = [c for c in bag.connections if c.topic == topics[0]]
            start: int | None = None
            for index, (connection, stamp, data) in enumerate(bag.messages(connections)):
                start = stamp if start is None else start
                image = _DECODERS[connection.msgtype](bag.deserialize(data, connection.msgtype))
                yield SourceFrame(index / rate if rate else (stamp - start) * 1e-9, image)

    return Source(f"{spec} {topics[0]}", play)
