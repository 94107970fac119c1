"""Injects faults into a grounding node that is at work, one after the other, and waits until each is noticed.

Good frames go on at the rate of the camera meanwhile. A fault is over when it has shown in /diagnostics, or
in the answer of a service, and a good frame is answered again.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import deque
from functools import partial
from typing import Any

import cv2
import numpy as np
from fakes import red_square
from managed import health
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from ivm_ros.messages import compressed_picture_message, image_message, picture_message
from ivm_ros.msg import Grounding
from ivm_ros.rendering import MODES
from ivm_ros.srv import Ground

BYTES_PER_PAGE = os.sysconf("SC_PAGE_SIZE")
FRAME_TOPICS = ("masked_image", "mask", "heatmap", "overlay")


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * BYTES_PER_PAGE


class Camera:
    """Publishes good frames at a rate, on a thread, until it is stopped.

    Args:
        client: publishes.
        topic: of the images; those of ".../compressed" are.
        size: (width, height) in pixels.
        rate: frames a second.
    """

    def __init__(self, client: Any, topic: str, size: tuple[int, int], rate: float) -> None:
        self.client, self.topic, self.period = client, topic, 1.0 / rate
        self.pictures = [self._picture(size, step) for step in range(16)]
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _picture(size: tuple[int, int], step: int) -> np.ndarray:
        picture = cv2.resize(red_square(), size, interpolation=cv2.INTER_NEAREST)
        return np.roll(picture, min(step, 16 - step), axis=1)

    def frame(self) -> Any:
        """Return the next good frame, stamped now."""
        picture = self.pictures[self.sent % len(self.pictures)]
        self.sent += 1
        if self.topic.endswith("compressed"):
            return compressed_picture_message(picture, "rgb8", self.client.header())
        return image_message(picture, "rgb8", self.client.header())

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self.client.publisher(self.topic, type(message := self.frame()), 1).publish(message)
            due = max(due + self.period, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()


class Chaos:
    """Faults for one node.

    Args:
        client: of the graph.
        node: its full name.
        process: that it runs in.
        camera: that it listens to.
        seed: of all chance.
        model_process: its model has a process of its own, which may be killed.
    """

    def __init__(self, client: Any, node: str, process: Any, camera: Camera, seed: int, model_process: bool):
        self.client, self.node, self.process, self.camera = client, node, process, camera
        self.random = random.Random(seed)
        self.namespace = node.rpartition("/")[0]
        self.answered: deque[int] = deque(maxlen=100)
        self.done: list[str] = []
        self._listen("mask", Image, lambda message: self.answered.append(_stamp(message)))
        self.kinds = {
            "broken images": self.broken_images,
            "a flood of instructions": self.flood,
            "changes of parameters": self.parameters,
            "listeners that come and go": self.listeners,
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
        assert self.process.running, f"it did not survive {name}:\n{self.process.log()}"
        self.done.append(name)
        return name

    def use_everything(self) -> None:
        """Have the node use as much memory as it ever will: every mode, on the largest images, all topics."""
        made = [self._listen(topic, Image, lambda message: None) for topic in FRAME_TOPICS]
        made.append(self._listen("masked_image/compressed", CompressedImage, lambda message: None))
        for mode in MODES:
            assert self.client.set_parameter("display.mode", mode, self.node).successful
            for _ in range(3):
                self.sizes()
                self.recovers(f"large images, {mode}")
        assert self.client.set_parameter("display.mode", "highlight", self.node).successful
        for subscription in made:
            self.client.on_executor(partial(self.client.node.destroy_subscription, subscription))
        self.transitions()  # a node that has been cleaned up has given back what it kept

    def recovers(self, after: str) -> None:
        """Wait until frames that are sent from now on are answered."""
        start = time.time_ns()
        self.client.until(
            lambda: any(stamp > start for stamp in list(self.answered)),
            f"an answer after {after}: {self.process.log()[-2000:]}",
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
            whole = self.camera.frame().data.tobytes()
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

    def listeners(self) -> None:
        for _ in range(10):
            made = [
                self._listen(topic, Image, lambda message: None)
                for topic in self.random.sample(FRAME_TOPICS, self.random.randint(1, 4))
            ]
            made.append(self._listen("grounding", Grounding, lambda message: None))
            made.append(self._listen("masked_image/compressed", CompressedImage, lambda message: None))
            time.sleep(self.random.uniform(0.0, 0.2))
            for subscription in made:
                self.client.on_executor(partial(self.client.node.destroy_subscription, subscription))

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
            message = self.camera.frame()
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

    def _listen(self, topic: str, kind: Any, callback: Any) -> Any:
        make = self.client.node.create_subscription
        return self.client.on_executor(
            partial(make, kind, f"{self.node}/{topic}", callback, QoSProfile(depth=5))
        )


def _stamp(message: Any) -> int:
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
