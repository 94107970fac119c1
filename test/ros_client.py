"""A node for tests: it publishes, listens, calls services, and waits.

Nothing here sleeps for a fixed time: a test waits for what it expects, and fails when it does not come.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import rclpy
from cpu_times import CpuWatch
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from ivm_ros.messages import image_message

ACQUAINTANCE = 0.3  # seconds; DDS has no question for "do you know me?"
PATIENCE = 30.0  # seconds; far more than anything takes, on a machine that is busy with other things
AGAIN = 0.1  # seconds between two messages of a publisher that repeats itself


def _stamp(message: Any) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec


class Client:
    """A node in this process: publishes, listens, calls services, and waits.

    Args:
        domain: ROS domain.
    """

    def __init__(self, domain: int) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node("client", context=self._context)
        self._received: dict[str, list[Any]] = defaultdict(list)
        self._changed = threading.Condition()
        self._subscriptions: dict[str, Any] = {}
        self._publishers: dict[Any, Any] = {}
        self._clients: dict[str, Any] = {}
        self._stamps = itertools.count(1)
        self.processes = {"client": os.getpid()}  # of the graph; what they did is told when a wait runs out
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name="client", daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def destroy(self) -> None:
        self._executor.shutdown()
        self._thread.join(PATIENCE)
        self.node.destroy_node()
        self._context.try_shutdown()

    def on_executor(self, do: Callable[[], Any]) -> Any:
        """Do something on the thread that spins, and return its result.

        What is destroyed on another thread while that one waits for it has been seen to stop both for ever.
        """
        if threading.current_thread() is self._thread:
            return do()
        result: Future[Any] = Future()

        def run() -> None:
            try:
                result.set_result(do())
            except BaseException as error:
                result.set_exception(error)

        self._executor.create_task(run)
        return result.result(PATIENCE)

    # -- in ----------------------------------------------------------------------------------------

    def listen(self, topic: str, kind: Any, qos: QoSProfile | int = 100) -> None:
        """Keep everything that comes on `topic` from now on."""
        if topic not in self._subscriptions:

            def keep(message: Any) -> None:
                with self._changed:
                    self._received[topic].append(message)
                    self._changed.notify_all()

            make = partial(self.node.create_subscription, kind, topic, keep, qos)
            self._subscriptions[topic] = self.on_executor(make)

    def forget(self) -> None:
        """End all subscriptions and forget what they brought."""
        for subscription in self._subscriptions.values():
            self.on_executor(partial(self.node.destroy_subscription, subscription))
        self._subscriptions.clear()
        with self._changed:
            self._received.clear()

    def received(self, topic: str) -> list[Any]:
        """Return what has come on `topic` so far."""
        with self._changed:
            return list(self._received[topic])

    def wait(self, topic: str, matches: Callable[[Any], bool] = lambda message: True) -> Any:
        """Return the first message on `topic` that matches, waiting for it."""
        return self.until(lambda: next(filter(matches, self.received(topic)), None), f"on {topic}")

    def until(
        self, condition: Callable[[], Any], what: str = "", meanwhile: Callable[[], None] = lambda: None
    ) -> Any:
        """Return the first true value of `condition`; `meanwhile` is called again and again until then."""
        deadline = time.monotonic() + PATIENCE
        watch = None
        while not (value := condition()):
            assert time.monotonic() < deadline, (
                f"{what or condition} did not come; {self._summary()}; {watch}"
            )
            meanwhile()
            with self._changed:
                self._changed.wait(AGAIN)
            watch = watch or CpuWatch(self.processes)
        return value

    def _summary(self) -> str:
        """Return how many messages came on each topic, and how the last one begins."""
        with self._changed:
            seen = [
                f"{topic}: {len(messages)}, {str(messages[-1:])[:400]}"
                for topic, messages in self._received.items()
            ]
        return "received " + ("; ".join(seen) or "nothing")

    # -- out ---------------------------------------------------------------------------------------

    def publisher(self, topic: str, kind: Any, qos: QoSProfile | int = 10) -> Any:
        """Return the publisher of `topic`, made once per quality of service."""
        key = (topic, kind, str(qos))
        if key not in self._publishers:
            self._publishers[key] = self.on_executor(partial(self.node.create_publisher, kind, topic, qos))
        return self._publishers[key]

    def publish(self, topic: str, message: Any, qos: QoSProfile | int = 10) -> None:
        """Publish once, when somebody listens; who has only just found this publisher may still miss it."""
        publisher = self.publisher(topic, type(message), qos)
        self.until(publisher.get_subscription_count, f"a listener of {topic}")
        publisher.publish(message)

    def ask(
        self,
        make: Callable[[], Any],
        topic: str,
        matches: Callable[[Any], bool] = lambda message: True,
        camera: str = "image",
        qos: QoSProfile | int = 10,
    ) -> tuple[Any, Any]:
        """Publish fresh frames until one is answered on `topic`; return that frame and its answer."""
        frame, answers = self.ask_all(make, [topic], matches, camera, qos)
        return frame, answers[topic]

    def ask_all(
        self,
        make: Callable[[], Any],
        topics: Sequence[str],
        matches: Callable[[Any], bool] = lambda message: True,
        camera: str = "image",
        qos: QoSProfile | int = 10,
    ) -> tuple[Any, dict[str, Any]]:
        """Publish fresh frames until one is answered on all topics; `matches` judges the first one's."""
        sent: dict[tuple[int, int], Any] = {}

        def publish() -> None:
            frame = make()
            sent[_stamp(frame)] = frame
            self.publish(camera, frame, qos)

        def answers() -> dict[str, Any] | None:
            return next(
                (found for found in self.together(topics, matches) if _stamp(found[topics[0]]) in sent), None
            )

        found = self.until(answers, f"an answer on {', '.join(topics)}", meanwhile=publish)
        return sent[_stamp(found[topics[0]])], found

    def together(
        self, topics: Sequence[str], matches: Callable[[Any], bool] = lambda message: True
    ) -> Iterator[dict[str, Any]]:
        """Yield the messages of all topics that have one stamp; `matches` judges the first topic's."""
        by_stamp = {topic: {_stamp(message): message for message in self.received(topic)} for topic in topics}
        for message in filter(matches, self.received(topics[0])):
            if all(_stamp(message) in messages for messages in by_stamp.values()):
                rest = {topic: messages[_stamp(message)] for topic, messages in by_stamp.items()}
                yield {**rest, topics[0]: message}

    def stop_publishing(self) -> None:
        """Destroy all publishers, so that a transient-local one no longer speaks to newcomers."""
        for publisher in self._publishers.values():
            self.on_executor(partial(self.node.destroy_publisher, publisher))
        self._publishers.clear()

    def header(self, frame_id: str = "camera") -> Header:
        """Return a header with the time of now, and with nanoseconds that no other has."""
        header = Header(frame_id=frame_id, stamp=self.node.get_clock().now().to_msg())
        header.stamp.nanosec = header.stamp.nanosec // 1_000_000 * 1_000_000 + next(self._stamps) % 1_000_000
        return header

    def image(self, pixels: Any, encoding: str = "rgb8") -> Any:
        """Return an Image of pixels that are in `encoding`, stamped now."""
        return image_message(pixels, encoding, self.header())

    # -- services ----------------------------------------------------------------------------------

    def call(self, service: str, kind: Any, **fields: Any) -> Any:
        """Call a service and return its answer, waiting for both."""
        future = self.call_async(service, kind, **fields)
        self.until(future.done, f"the answer of {service}")
        return future.result()

    def call_async(self, service: str, kind: Any, **fields: Any) -> Any:
        """Call a service, waiting for it to be there; return the future of its answer."""
        proxy = self._clients.get(service)
        if proxy is None:
            make = partial(self.node.create_client, kind, service)
            proxy = self._clients[service] = self.on_executor(make)
            self.until(proxy.service_is_ready, f"service {service}")
            # Ready is what this side sees; a server that has not found this client loses its first answer.
            time.sleep(ACQUAINTANCE)
        self.until(proxy.service_is_ready, f"service {service}")
        return proxy.call_async(kind.Request(**fields))

    def state(self, node: str = "/grounding") -> str:
        """Return the lifecycle state."""
        return self.call(f"{node}/get_state", GetState).current_state.label

    def change_state(self, label: str, node: str = "/grounding") -> bool:
        """Ask for a lifecycle transition; return whether it succeeded."""
        request = ChangeState.Request()
        request.transition.label = label
        return self.call(f"{node}/change_state", ChangeState, transition=request.transition).success

    def set_parameter(self, name: str, value: Any, node: str = "/grounding") -> Any:
        """Set one parameter; return `successful` and `reason`."""
        parameter = Parameter(name, value=value).to_parameter_msg()
        return self.call(f"{node}/set_parameters", SetParameters, parameters=[parameter]).results[0]

    def parameter(self, name: str, node: str = "/grounding") -> Any:
        """Return the value of one parameter."""
        (value,) = self.call(f"{node}/get_parameters", GetParameters, names=[name]).values
        return rclpy.parameter.parameter_value_to_python(value)

    def descriptor(self, name: str, node: str = "/grounding") -> Any:
        """Return the descriptor of one parameter."""
        return self.call(f"{node}/describe_parameters", DescribeParameters, names=[name]).descriptors[0]

    # -- health ------------------------------------------------------------------------------------

    def diagnostics(
        self,
        matches: Callable[[Any, dict[str, str]], bool] = lambda status, values: True,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> dict[str, str]:
        """Return the values of the first new /diagnostics that match, with `message` and `level`."""
        self.listen("/diagnostics", DiagnosticArray)
        seen = len(self.received("/diagnostics"))

        def found() -> dict[str, str] | None:
            for array in self.received("/diagnostics")[seen:]:
                for status in array.status:
                    values = {pair.key: pair.value for pair in status.values}
                    if matches(status, values):
                        return {**values, "message": status.message, "level": str(ord(status.level))}
            return None

        return self.until(found, "these diagnostics", meanwhile)
