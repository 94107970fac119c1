"""The camera node on a real graph: every kind of source, what it publishes, and how it ends."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from sensor_msgs.msg import CameraInfo, CompressedImage, TimeReference
from sensor_msgs.msg import Image as ImageMessage

from ivm_ros.clip import load_clip
from ivm_ros.messages import decode_compressed, image_view, rgb_image

CAMERA = "ivm_ros.nodes.camera_node"
GRAYS = (40, 120, 200)


def picture(gray, height=24, width=32):
    """(H, W, 3) uint8 RGB of one gray with a red corner."""
    image = np.full((height, width, 3), gray, np.uint8)
    image[: height // 2, : width // 2] = (250, 10, 10)
    return image


def write_folder(path):
    path.mkdir()
    for index, gray in enumerate(GRAYS):
        cv2.imwrite(str(path / f"{index}.png"), cv2.cvtColor(picture(gray), cv2.COLOR_RGB2BGR))
    (path / "notes.txt").write_text("not a picture")
    return path


def write_video(path):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (32, 24))
    assert writer.isOpened()
    for gray in GRAYS:
        writer.write(cv2.cvtColor(picture(gray), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def write_bag(path, topics=("/camera",)):
    """Write a rosbag2 recording, MCAP, with one picture per gray and topic, 50 ms apart."""
    pytest.importorskip("rosbags", reason="needs the extra 'bags'")
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    kinds = store.types
    kind = "sensor_msgs/msg/Image"
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        for topic in topics:
            connection = bag.add_connection(topic, kind, typestore=store)
            for index, gray in enumerate(GRAYS):
                pixels = picture(gray)[..., ::-1]
                header = kinds["std_msgs/msg/Header"](
                    stamp=kinds["builtin_interfaces/msg/Time"](sec=1, nanosec=0), frame_id="old"
                )
                message = kinds[kind](
                    header=header, height=24, width=32, encoding="bgr8", is_bigendian=0, step=96,
                    data=np.ascontiguousarray(pixels).reshape(-1),
                )  # fmt: skip
                stamp = 1_000_000_000 + index * 50_000_000
                bag.write(connection, stamp, store.serialize_cdr(message, kind))
    return path


@pytest.fixture
def play(graph, client):
    """Start a camera in a namespace of its own; return its process and namespace."""
    started = []

    def play(source, **parameters):
        namespace = f"/camera_{len(_NAMES)}"
        _NAMES.append(namespace)
        started.append(graph.start(CAMERA, {"source": str(source), **parameters}, namespace))
        return started[-1], namespace

    yield play
    for node in started:
        node.end()


_NAMES: list[str] = []


def nanoseconds(time):
    return time.sec * 10**9 + time.nanosec


@pytest.mark.parametrize("write", [write_folder, write_video, write_bag])
def test_a_source_is_played_in_order_and_again(client, play, tmp_path, write):
    _, namespace = play(write(tmp_path / "source.mp4"))
    topic = f"{namespace}/image"
    client.listen(topic, ImageMessage)
    client.until(lambda: len(client.received(topic)) >= 2 * len(GRAYS) + 1, "two rounds")
    seen = [int(image_view(message)[-1, -1].mean()) for message in client.received(topic)]
    nearest = [min(range(3), key=lambda index: abs(GRAYS[index] - value)) for value in seen]
    steps = {(after - before) % 3 for before, after in itertools.pairwise(nearest)}
    assert steps == {1}
    red = rgb_image(client.received(topic)[0])[2, 2]
    assert red[0] > 200 and max(red[1:]) < 60  # not blue: the colours come in the right order


def test_the_clip_comes_with_its_camera_and_its_position(client, play):
    _, namespace = play("clip")
    kinds = {"image": ImageMessage, "camera_info": CameraInfo, "camera/position": TimeReference}
    topics = [f"{namespace}/{topic}" for topic in kinds]
    for topic, kind in zip(topics, kinds.values(), strict=True):
        client.listen(topic, kind)
    frame = client.until(lambda: next(client.together(topics), None), "a frame with all its topics")
    image, info, position = frame.values()
    clip = load_clip()
    assert (image.height, image.width) == (info.height, info.width) == clip.size
    assert (image.header.frame_id, image.encoding) == ("camera_optical_frame", "rgb8")
    assert list(info.k) == [clip.intrinsics.fx, 0, clip.intrinsics.cx, 0, clip.intrinsics.fy, clip.intrinsics.cy, 0, 0, 1]  # fmt: skip # noqa: E501
    index = round(nanoseconds(position.time_ref) * 1e-9 * clip.fps)
    assert 0 <= index < len(clip)
    truth = next(itertools.islice(clip.frames(), index, None))
    np.testing.assert_array_equal(rgb_image(image), truth)


def test_stamps_rise_and_positions_are_those_of_the_recording(client, play, tmp_path):
    _, namespace = play(write_bag(tmp_path / "bag"))
    topic = f"{namespace}/camera/position"
    client.listen(topic, TimeReference)
    client.until(lambda: len(client.received(topic)) >= 7, "two rounds")
    stamps = [nanoseconds(message.header.stamp) for message in client.received(topic)]
    assert stamps == sorted(set(stamps))
    positions = {nanoseconds(message.time_ref) for message in client.received(topic)}
    assert positions == {0, 50_000_000, 100_000_000}


@pytest.mark.parametrize(
    ("encoding", "channels"), [("rgb8", 3), ("bgr8", 3), ("rgba8", 4), ("bgra8", 4), ("mono8", 1)]
)
def test_the_encoding_can_be_chosen(client, play, tmp_path, encoding, channels):
    _, namespace = play(write_folder(tmp_path / "folder"), encoding=encoding, frame_id="wrist")
    client.listen(f"{namespace}/image", ImageMessage)
    message = client.wait(f"{namespace}/image")
    assert (message.encoding, message.step, message.header.frame_id) == (encoding, 32 * channels, "wrist")
    red = rgb_image(message)[2, 2]
    assert (red[0] > 200 and max(red[1:]) < 60) or encoding == "mono8"


def test_encoding_and_quality_change_live(client, play, tmp_path):
    _, namespace = play(write_folder(tmp_path / "folder"))
    client.listen(f"{namespace}/image", ImageMessage)
    client.wait(f"{namespace}/image", lambda message: message.encoding == "rgb8")
    assert client.set_parameter("encoding", "bgr8", f"{namespace}/camera").successful
    client.wait(f"{namespace}/image", lambda message: message.encoding == "bgr8")
    assert not client.set_parameter("encoding", "16UC1", f"{namespace}/camera").successful
    assert not client.set_parameter("jpeg_quality", 101, f"{namespace}/camera").successful
    assert "read-only" in client.set_parameter("source", "clip", f"{namespace}/camera").reason


def test_compressed_pictures_come_too(client, play, tmp_path):
    _, namespace = play(write_folder(tmp_path / "folder"))
    client.listen(f"{namespace}/image/compressed", CompressedImage)
    message = client.wait(f"{namespace}/image/compressed")
    decoded = decode_compressed(message)
    assert decoded.shape == (24, 32, 3)
    assert "jpeg" in message.format
    assert decoded[2, 2, 0] > 200 and decoded[2, 2, 2] < 80


def test_the_rate_is_kept(client, play, tmp_path):
    _, namespace = play(write_folder(tmp_path / "folder"), rate=200.0)
    client.listen(f"{namespace}/camera/position", TimeReference)
    client.until(lambda: len(client.received(f"{namespace}/camera/position")) > 3, "positions")
    positions = {nanoseconds(m.time_ref) for m in client.received(f"{namespace}/camera/position")}
    assert positions <= {0, 5_000_000, 10_000_000}


def test_one_picture_is_shown_at_its_rate_and_not_as_fast_as_the_machine_can(client, play, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    cv2.imwrite(str(folder / "only.png"), picture(90))
    _, namespace = play(folder, rate=5.0)
    topic = f"{namespace}/camera/position"
    client.listen(topic, TimeReference)
    client.until(lambda: len(client.received(topic)) >= 4, "positions")
    stamps = [nanoseconds(message.header.stamp) for message in client.received(topic)]
    assert (stamps[-1] - stamps[0]) / (len(stamps) - 1) > 0.15e9


@pytest.mark.parametrize("write", [write_folder, write_video, write_bag])
def test_without_a_loop_it_ends_after_the_last_picture(client, play, tmp_path, write):
    process, _ = play(write(tmp_path / "source.mp4"), loop=False)
    client.until(lambda: not process.running, "the end of the process")
    assert process.end() == 0
    assert "has ended" in process.log() and "Traceback" not in process.log()


def test_it_ends_calmly_when_it_is_interrupted(client, play):
    process, namespace = play("clip")
    client.listen(f"{namespace}/image", ImageMessage)
    client.wait(f"{namespace}/image")
    assert process.end() == 0
    assert not any(word in process.log() for word in ("Traceback", "rror", "WARN"))


def empty_folder(path):
    path.mkdir()
    return path


def text_file(path):
    path.write_text("not a video")
    return path


def broken_bag(path):
    path.with_suffix(".mcap").write_bytes(b"\x89MCAP0\r\n nothing")
    return path.with_suffix(".mcap")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path, "got '"),
        (lambda path: "", "expected 'clip', a webcam"),
        (empty_folder, "found none"),
        (text_file, "expected a video that OpenCV can read"),
        (broken_bag, "cannot read the bag"),
        (lambda path: write_bag(path, ("/left", "/right")), "found /left, /right; name it with bag_topic"),
    ],
    ids=["nothing there", "no name", "empty folder", "text file", "broken bag", "two topics"],
)
def test_a_source_that_cannot_be_opened_ends_with_the_reason(client, play, tmp_path, make, reason):
    process, _ = play(make(tmp_path / "source"))
    client.until(lambda: not process.running, "the end of the process")
    assert process.end() == 2
    lines = [line for line in process.log().splitlines() if line.startswith("cannot start: ")]
    assert len(lines) == 1 and reason in lines[0]
    assert "Traceback" not in process.log()


def test_a_topic_of_a_bag_is_chosen_by_name(client, play, tmp_path):
    _, namespace = play(write_bag(tmp_path / "bag", ("/left", "/right")), bag_topic="/right")
    client.listen(f"{namespace}/image", ImageMessage)
    assert client.wait(f"{namespace}/image").encoding == "rgb8"


def test_a_source_that_breaks_while_it_plays_ends_the_node_with_the_reason(client, play, tmp_path):
    folder = write_folder(tmp_path / "folder")
    (folder / "1.png").write_bytes(b"broken")
    process, _ = play(folder)
    client.until(lambda: not process.running, "the end of the process")
    assert process.end() == 1
    assert "expected an image, cannot read" in process.log() and "Traceback" not in process.log()


def test_an_empty_bag_ends_the_node_with_the_reason(client, play, tmp_path, monkeypatch):
    monkeypatch.setattr("test_camera_node.GRAYS", ())
    process, _ = play(write_bag(tmp_path / "bag"))
    client.until(lambda: not process.running, "the end of the process")
    assert process.end() == 1
    assert "no picture" in process.log() and "Traceback" not in process.log()
