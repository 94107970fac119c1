"""The node `camera`: plays a webcam, a video, a folder, a bag or the recorded clip as a camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.task import Future
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, TimeReference
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from ivm_ros.grounding import Image
from ivm_ros.messages import compressed_picture_message, picture_message
from ivm_ros.nodes.bag_source import is_bag, open_bag
from ivm_ros.nodes.parameters import Parameter, Parameters
from ivm_ros.nodes.run import run_node
from ivm_ros.sources import DEFAULT_RATE, Source, SourceError, SourceFrame, open_source

_LAST_WORDS = Duration(seconds=1)  # for the last frames to reach reliable listeners

PARAMETERS = (
    Parameter(
        "source", "clip", "clip, a webcam's number, or the path of a video, a folder of images or a bag."
    ),
    Parameter("bag_topic", "", "Image topic to play of a bag; empty takes its only one."),
    Parameter("rate", 0.0, "Frames a second; 0 keeps the source's own.", minimum=0.0, maximum=1000.0),
    Parameter("loop", True, "Begin again at the end; false ends the node there."),
    Parameter("frame_id", "camera_optical_frame", "Frame of the images, z forward (REP 103).", live=True),
    Parameter(
        "encoding",
        "rgb8",
        "Encoding of `image`.",
        live=True,
        choices=("rgb8", "bgr8", "rgba8", "bgra8", "mono8"),
    ),
    Parameter("jpeg_quality", 90, "Quality of `image/compressed`.", live=True, minimum=1, maximum=100),
)


class CameraNode(Node):
    """Publishes pictures with their camera_info; `docs/camera_node.md` lists its interface."""

    def __init__(self) -> None:
        super().__init__("camera")
        self.parameters = Parameters(self, PARAMETERS)
        self._source = self._open(self.parameters["source"])
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        overridable = QoSOverridingOptions.with_default_policies()
        self._image = self.create_publisher(ImageMessage, "image", qos, qos_overriding_options=overridable)
        self._compressed = self.create_publisher(
            CompressedImage,
            self.resolve_topic_name("image") + "/compressed",
            qos,
            qos_overriding_options=overridable,
        )
        self._info = self.create_publisher(CameraInfo, "camera_info", qos, qos_overriding_options=overridable)
        self._position = self.create_publisher(TimeReference, "~/position", QoSProfile(depth=100))
        self._stop = threading.Event()
        self.ended: Future = Future()  # of the exit status; run_node waits for it
        self._player = threading.Thread(target=self._play, name="player", daemon=True)
        self._player.start()

    def _open(self, spec: str) -> Source:
        rate = self.parameters["rate"]
        return open_bag(spec, self.parameters["bag_topic"], rate) if is_bag(spec) else open_source(spec, rate)

    def _play(self) -> None:
        """Publish until the source ends or the node does; on a thread, for reading a source blocks."""
        try:
            self.get_logger().info(f"playing {self._source.name}")
            for due, frame in self._frames():
                if not self._source.live and self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                if self._stop.is_set():
                    return
                self._publish(frame)
            for publisher in self.publishers:
                publisher.wait_for_all_acked(_LAST_WORDS)
            self.get_logger().info(f"{self._source.name} has ended")
            self.ended.set_result(0)
        except Exception as error:  # whatever a driver, a file or a decoder can go wrong with
            if not self.context.ok():
                return  # interrupted: what fails now fails for that
            self.get_logger().error(f"{error}; the camera stops")
            self.ended.set_result(1)

    def _frames(self) -> Iterator[tuple[float, SourceFrame]]:
        """Yield every frame with the `time.monotonic()` at which it is due, round after round."""
        begin = time.monotonic()
        period = 1.0 / (self.parameters["rate"] or DEFAULT_RATE)  # until two frames show the source's own
        while True:
            last: float | None = None
            for frame in self._source.play():
                if last is not None and frame.position > last:
                    period = frame.position - last
                last = frame.position
                yield begin + last, frame
            if last is None:
                raise SourceError(f"expected pictures in {self._source.name}, there is no picture")
            if not self.parameters["loop"]:
                return
            begin += last + period

    def _publish(self, frame: SourceFrame) -> None:
        header = Header(frame_id=self.parameters["frame_id"])
        header.stamp = self.get_clock().now().to_msg()
        position = TimeReference(header=header, source=self._source.name)
        position.time_ref = Time(nanoseconds=round(frame.position * 1e9)).to_msg()
        self._position.publish(position)
        self._info.publish(self._camera_info(frame.image, header))
        if self._image.get_subscription_count():
            self._image.publish(picture_message(frame.image, self.parameters["encoding"], header))
        if self._compressed.get_subscription_count():
            encoding, quality = self.parameters["encoding"], self.parameters["jpeg_quality"]
            self._compressed.publish(compressed_picture_message(frame.image, encoding, header, quality))

    def _camera_info(self, image: Image, header: Header) -> CameraInfo:
        """Return the calibration; all zeros where it is unknown, which ROS reads as uncalibrated."""
        info = CameraInfo(header=header, height=image.shape[0], width=image.shape[1])
        pinhole = self._source.intrinsics
        if pinhole is not None:
            info.distortion_model = "plumb_bob"
            info.d = [0.0] * 5
            info.k = [pinhole.fx, 0.0, pinhole.cx, 0.0, pinhole.fy, pinhole.cy, 0.0, 0.0, 1.0]
            info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
            info.p = [pinhole.fx, 0.0, pinhole.cx, 0.0, 0.0, pinhole.fy, pinhole.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        return info

    def destroy_node(self) -> None:
        """Stop the player, then the node."""
        if hasattr(self, "_player"):  # Kilted also destroys a node whose __init__ has refused a parameter
            self._stop.set()
            self._player.join(2.0)
        super().destroy_node()


def main(args: list[str] | None = None) -> int:
    """Run the node until the source ends or it is interrupted."""
    return run_node(CameraNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
