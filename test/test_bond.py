"""The bond with a lifecycle manager: its states on a clock that is turned by hand, then a real graph.

The manager of the second half is this test's client: it does what Nav2's does, in its order.
"""

from __future__ import annotations

import threading
import uuid

import pytest

from ivm_ros.nodes.bond_states import CONNECT_TIMEOUT, BondState, BondStates


class HandClock:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def states(clock):
    return BondStates(clock)


def test_it_beats_while_it_waits_and_gives_up_in_the_end(states, clock):
    assert states.state is BondState.WAITING and states.beats()
    clock.seconds += CONNECT_TIMEOUT - 0.01
    assert states.beats()
    clock.seconds += 0.02
    assert states.state is BondState.BROKEN and not states.beats()


def test_a_manager_that_comes_too_late_is_told_that_nobody_is_there(states, clock):
    clock.seconds += CONNECT_TIMEOUT
    assert not states.hear(True)
    assert states.state is BondState.BROKEN and not states.beats()
    assert states.hear(False)


def test_it_is_formed_by_the_first_word_and_outlasts_any_silence(states, clock):
    assert not states.hear(True)
    assert states.state is BondState.FORMED
    clock.seconds += 3600
    assert states.state is BondState.FORMED and states.beats()


@pytest.mark.parametrize("words", [[], [True], [True, True]])
def test_a_goodbye_is_answered_each_time_it_comes(states, words):
    for active in words:
        states.hear(active)
    assert states.hear(False)
    assert states.state is BondState.BROKEN and not states.beats()
    assert states.hear(False)
    assert not states.hear(True), "who has left does not come back under the same bond"
    assert not states.beats()


def test_who_leaves_says_so_once_and_does_not_answer_the_others_goodbye(states):
    states.hear(True)
    assert states.leave()
    assert states.state is BondState.LEFT and not states.beats()
    assert not states.hear(False)
    assert not states.hear(True)
    assert not states.leave()
    assert states.state is BondState.LEFT


def test_who_was_left_need_not_say_goodbye(states):
    states.hear(False)
    assert not states.leave()
    assert states.state is BondState.BROKEN


def test_a_broken_wait_needs_no_goodbye(states, clock):
    clock.seconds += CONNECT_TIMEOUT
    assert not states.leave()


def test_one_of_many_threads_says_goodbye(states):
    said = []
    threads = [threading.Thread(target=lambda: said.append(states.leave())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states.state is BondState.LEFT and any(said)


# -- on a graph ------------------------------------------------------------------------------------

CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP, SHUTDOWN = 1, 3, 4, 2, 5  # lifecycle_msgs/msg/Transition
UNCONFIGURED, INACTIVE, ACTIVE, FINALIZED = 1, 2, 3, 4  # lifecycle_msgs/msg/State


class Manager:
    """Nav2's lifecycle manager as the node sees it: transitions by id, then the state, then a bond."""

    def __init__(self, client, name="/grounding"):
        from bond.msg import Status

        self._client, self._name, self._status = client, name, Status
        self._instance = str(uuid.uuid4())
        client.listen("bond", Status)

    def change(self, transition, goal):
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState, GetState

        done = self._client.call(
            f"{self._name}/change_state", ChangeState, transition=Transition(id=transition)
        ).success
        state = self._client.call(f"{self._name}/get_state", GetState).current_state.id
        return done and state == goal

    def say(self, active, bond_id="grounding"):
        message = self._status(id=bond_id, instance_id=self._instance, active=active)
        message.heartbeat_timeout, message.heartbeat_period = 4.0, 0.25
        self._client.publish("bond", message)

    def heard(self, active):
        """Return how often the node has said that; what the manager itself said comes back here too."""
        return [
            message
            for message in self._client.received("bond")
            if message.instance_id != self._instance and message.active == active
        ]


def start(graph, namespace="/"):
    return graph.start("fake_grounding_node", {"model": "color", "autostart": False}, namespace)


@pytest.fixture(scope="module")
def node(graph):
    pytest.importorskip("bond.msg", reason="needs the package bond, which PyPI does not have")
    return start(graph)


@pytest.fixture
def manager(node, client):
    manager = Manager(client)
    assert manager.change(CONFIGURE, INACTIVE)
    yield manager
    state = client.state()
    if state == "active":
        assert manager.change(DEACTIVATE, INACTIVE)
    assert manager.change(CLEANUP, UNCONFIGURED)


def formed(node, before):
    return node.log()[before:].count("holds a bond with this node")


def test_nothing_is_said_before_activation(manager, client):
    assert client.node.count_publishers("bond") <= 1  # the manager's own, of an earlier test
    assert not manager.heard(True)


def test_a_manager_brings_the_node_up_and_down(manager, node, client):
    before = len(node.log())
    assert manager.change(ACTIVATE, ACTIVE)
    client.until(lambda: manager.heard(True), "the node's first word")
    first = manager.heard(True)[0]
    assert (first.id, first.heartbeat_timeout, first.heartbeat_period) == ("grounding", 4.0, 0.25)
    assert uuid.UUID(first.instance_id)
    client.until(lambda: formed(node, before), "a bond", meanwhile=lambda: manager.say(True))
    beats = len(manager.heard(True))
    client.until(lambda: len(manager.heard(True)) > beats + 3, "heartbeats")
    assert not manager.heard(False)
    assert manager.change(DEACTIVATE, INACTIVE)
    client.until(lambda: manager.heard(False), "a goodbye")
    assert {message.instance_id for message in manager.heard(False)} == {first.instance_id}


def test_every_activation_is_a_new_bond(manager, client):
    instances = set()
    for count in (1, 2):
        assert manager.change(ACTIVATE, ACTIVE)
        client.until(
            lambda count=count: len({message.instance_id for message in manager.heard(True)}) == count,
            "a bond of its own",
        )
        assert manager.change(DEACTIVATE, INACTIVE)
        instances |= {message.instance_id for message in manager.heard(True)}
    assert len(instances) == 2


def test_a_manager_that_lets_go_is_answered_and_the_node_stays_active(manager, node, client):
    before = len(node.log())
    assert manager.change(ACTIVATE, ACTIVE)
    client.until(lambda: formed(node, before), "a bond", meanwhile=lambda: manager.say(True))
    client.until(lambda: manager.heard(False), "an answer", meanwhile=lambda: manager.say(False))
    assert client.state() == "active"
    assert "has let go of its bond" in node.log()[before:]


def test_bonds_of_other_nodes_are_not_this_ones(manager, node, client):
    before = len(node.log())
    assert manager.change(ACTIVATE, ACTIVE)
    for _ in range(3):
        manager.say(True, "planner")
        manager.say(False, "planner")
    client.until(lambda: len(manager.heard(True)) > 3, "heartbeats that go on")
    assert not manager.heard(False) and not formed(node, before)


def test_a_bond_stays_in_its_namespace_and_ends_with_its_node(manager, client, graph):
    """SIGINT ends ROS before the node: the manager then misses heartbeats, and there is no goodbye."""
    from bond.msg import Status

    other = start(graph, "/arm")
    client.listen("arm/bond", Status)
    assert client.change_state("configure", "/arm/grounding")
    assert client.change_state("activate", "/arm/grounding")
    client.until(lambda: len(client.received("arm/bond")) > 1, "heartbeats")
    assert not manager.heard(True)
    assert client.change_state("shutdown", "/arm/grounding")
    client.until(lambda: not client.received("arm/bond")[-1].active, "a goodbye")
    assert other.end() == 0


def test_a_node_with_a_bond_ends_calmly(client, graph, node):
    other = start(graph, "/leg")
    assert client.change_state("configure", "/leg/grounding")
    assert client.change_state("activate", "/leg/grounding")
    assert other.end() == 0
    assert "Traceback" not in other.log()
