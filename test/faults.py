"""Injects faults into a grounding node that is at work, one after the other, and waits until each is noticed.

Good frames go on at the rate of the camera meanwhile. A fault is over when it has shown in /diagnostics, or
in the answer of a service, and a good frame is answered again.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import cv2
import numpy as np
from fakes import red_square
from managed import health
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image
from soak_camera import good_frame
from soak_processes import Camera, Listeners
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from ivm_ros.messages import compressed_picture_message, image_message, picture_message
from ivm_ros.rendering import MODES
from ivm_ros.srv import Ground

FRAME_TOPICS = ("masked_image", "mask", "heatmap", "overlay")


class Chaos:
    """Faults for one node.

    Args:
        client: of the graph.
        node: its full name.
        process: that it runs in.
        camera: that it listens to.
        listeners: to the node.
        seed: of all chance.
        model_process: its model has a process of its own, which may be killed.
    """

    def __init__(
        self,
        client: Any,
        node: str,
        process: Any,
        camera: Camera,
        listeners: Listeners,
        seed: int,
        model_process: bool,
    ) -> None:
        self.client, self.node, self.process = client, node, process
        self.camera, self.listeners = camera, listeners
        self.random = random.Random(seed)
        self.namespace = node.rpartition("/")[0]
        self.done: list[str] = []
        self.kinds = {
            "broken images": self.broken_images,
            "a flood of instructions": self.flood,
            "changes of parameters": self.parameters,
            "listeners that come and go": self.come_and_go,
            "calls in the middle of transitions": self.transitions,
            "other sizes": self.sizes,
            "a jump in time": self.jump,
        }
        if model_process:
            self.kinds["a killed model"] = self.kill_model
        else:
            self.kinds["a failing model"] = self.failing_model

    def one(self) -> str:
        """Inject one fault, wait until it is noticed and good frames are answered again; return its name."""
        if len(self.done) % len(self.kinds) == 0:
            self.order = self.random.sample(list(self.kinds), len(self.kinds))
        name = self.order[len(self.done) % len(self.kinds)]
        self.kinds[name]()
        self.recovers(name)
        self.done.append(name)
        return name

    def use_everything(self) -> None:
        """Have the node use as much memory as it ever will: every mode, on the largest images, all topics.

        After each, all that it has is made anew, between what stays: what the C library keeps is in more
        pieces each time, up to a bound, and that is no leak.
        """
        for mode in MODES:
            self._hear(*FRAME_TOPICS, "masked_image/compressed")
            assert self.client.set_parameter("display.mode", mode, self.node).successful
            for _ in range(3):
                self.sizes()
                self.recovers(f"large images, {mode}")
            self.transitions()
            self._hear()
        assert self.client.set_parameter("display.mode", "highlight", self.node).successful
        for _ in self.kinds:
            self.one()

    def recovers(self, after: str) -> None:
        """Wait until frames that are sent from now on are answered."""
        start = time.time_ns()
        self.client.until(
            lambda: self.listeners.newest > start or not self._all_run(),
            f"an answer after {after}: {self.process.log()[-2000:]}",
        )
        assert self._all_run(), (
            f"the node, the camera or the listeners ended after {after}:\n{self.process.log()}"
        )

    def values(
        self, matches: Any = lambda status, values: True, meanwhile: Any = lambda: None
    ) -> dict[str, str]:
        """Return the node's diagnostics that match."""
        found = health(self.client, self.node, matches, meanwhile)
        self.client.forget()  # or everything that ever came is kept
        return found

    def count(self, name: str) -> int:
        """Return a counter of the node."""
        return int(self.values()[name])

    # -- faults ----------------------------------------------------------------------------------------

    def broken_images(self) -> None:
        before = self.count("invalid")
        header = Header(frame_id="broken")
        bad = [
            Image(header=header, width=100_000, height=100_000, step=300_000, encoding="rgb8"),
            Image(header=header, width=4, height=4, step=12, encoding="rgb8", data=bytes(10)),
            Image(header=header, width=4, height=4, step=1, encoding="rgb8", data=bytes(4)),
            Image(header=header, width=4, height=4, step=12, encoding="sparkle", data=bytes(48)),
            Image(header=header, width=4, height=4, step=8, encoding="16UC1", data=bytes(32)),
            Image(header=header),
        ]
        if self.camera.topic.endswith("compressed"):
            bomb = cv2.imencode(".png", np.zeros((9000, 9000), np.uint8))[1].tobytes()
            whole = self._good_frame().data.tobytes()
            bad = [
                CompressedImage(header=header, format="png", data=bomb),
                CompressedImage(header=header, format="jpeg", data=whole[: len(whole) // 3]),
                CompressedImage(header=header, format="jpeg", data=self.random.randbytes(1000)),
                CompressedImage(header=header, format="jpeg"),
            ]
        self.values(
            lambda status, values: int(values["invalid"]) >= before + len(bad),
            lambda: self.client.publish(self.camera.topic, self.random.choice(bad), 1),
        )

    def flood(self) -> None:
        before = self.count("instructions_refused")
        words = ["the red thing", "?!", "x" * 2000, "red\n" * 3, "", "the blue thing\n!!"]
        topic = f"{self.namespace}/instruction"

        def send() -> None:
            for _ in range(50):
                self.client.publish(topic, String(data=self.random.choice(words)), 1)

        self.values(lambda status, values: int(values["instructions_refused"]) > before, send)
        self._say("the red thing")

    def parameters(self) -> None:
        changes = [
            ("display.mode", self.random.choice(["blur", "alpha", "dim", "soft_highlight"])),
            ("display.fill", "plaid"),
            ("display.threshold", self.random.uniform(-1, 2)),
            ("max_rate", self.random.choice([0.0, 5.0, -3.0, 20.0])),
            ("display.not_found", self.random.choice(["hold", "blank", "pass_through"])),
            ("model", "another"),
            ("publish_target_masks", self.random.random() < 0.5),
            ("jpeg_quality", self.random.randint(-10, 110)),
            ("grounding_rate", self.random.choice([0.0, 2.0])),
        ]
        self.random.shuffle(changes)
        answers = [
            self.client.call_async(
                f"{self.node}/set_parameters",
                SetParameters,
                parameters=[Parameter(name, value=value).to_parameter_msg()],
            )
            for name, value in changes
        ]
        self.client.until(lambda: all(answer.done() for answer in answers), "the answers to all changes")
        refused = [r.reason for answer in answers for r in answer.result().results if not r.successful]
        assert any("plaid" in reason for reason in refused)
        for name, value in (("max_rate", 0.0), ("display.mode", "highlight"), ("grounding_rate", 0.0)):
            assert self.client.set_parameter(name, value, self.node).successful

    def come_and_go(self) -> None:
        for _ in range(10):
            topics = self.random.sample(FRAME_TOPICS, self.random.randint(1, 4))
            self._hear(*topics, "grounding", "masked_image/compressed")
            time.sleep(self.random.uniform(0.0, 0.2))
        self._hear()

    def transitions(self) -> None:
        image = image_message(red_square(), "rgb8", self.client.header())
        calls = []
        for transition in ("deactivate", "activate", "deactivate", "cleanup", "configure", "activate"):
            calls += [
                self.client.call_async(
                    f"{self.node}/ground", Ground, instruction="red", image=image, timeout=5.0
                )
                for _ in range(2)
            ]
            assert self.client.change_state(transition, self.node), self.process.log()
            calls.append(self.client.call_async(f"{self.node}/save_trace", Trigger))
        self.client.until(lambda: all(call.done() for call in calls), "the answers to all calls")
        statuses = [call.result().status for call in calls if hasattr(call.result(), "status")]
        assert set(statuses) <= {Ground.Response.SUCCESS, Ground.Response.INACTIVE}, statuses

    def sizes(self) -> None:
        for width, height, encoding in ((31, 7, "bgr8"), (1920, 1080, "rgb8"), (200, 300, "mono8")):
            picture = np.full((height, width, 3), 90, np.uint8)
            make = compressed_picture_message if self.camera.topic.endswith("compressed") else picture_message
            message = make(picture, encoding, self.client.header())
            for _ in range(3):
                self.client.publish(self.camera.topic, message, 1)

    def jump(self) -> None:
        before = self.count("restarts")

        def back() -> None:
            message = self._good_frame()
            message.header.stamp.sec -= 100
            self.client.publish(self.camera.topic, message, 1)

        self.values(lambda status, values: int(values["restarts"]) > before, back)

    def failing_model(self) -> None:
        before = self.count("failed")
        self._say(self.random.choice(["explode", "garbage", "hunger", "nan"]))
        self.values(lambda status, values: int(values["failed"]) > before and status.level == b"\x02")
        self._say("the red thing")

    def kill_model(self) -> None:
        values = self.values(lambda status, values: values["model_process"] == "ready")
        os.kill(int(values["model_process_id"]), signal.SIGKILL)
        restarts = int(values["model_process_restarts"])
        self.values(
            lambda status, values: (
                values["model_process"] == "ready" and int(values["model_process_restarts"]) > restarts
            )
        )

    # -- tools -----------------------------------------------------------------------------------------

    def _say(self, words: str) -> None:
        assert self.client.set_parameter("instruction", words, self.node).successful

    def _hear(self, *topics: str) -> None:
        self.listeners.hear(topics)
        self.client.until(lambda: self.listeners.obeyed or not self._all_run(), f"listeners of {topics}")

    def _all_run(self) -> bool:
        return self.process.running and self.camera.running and self.listeners.running

    def _good_frame(self) -> Any:
        return good_frame(self.camera.topic, self.camera.size, self.client.header())
