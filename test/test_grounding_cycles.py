"""A manager that leads the node through its life a hundred times finds its memory where it was."""

from __future__ import annotations

import pytest
from managed import FAKE, grounds
from soak_record import resident_bytes

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

REAL = "ivm_ros.nodes.grounding_node"
SETTLING = 10  # cycles until everything has been loaded once that stays loaded
GROWTH = 0.05


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("module", "cycles"), [(FAKE, 100), (REAL, 25)], ids=["fake-model", "ivm-tiny"])
def test_cycles(client, start, module, cycles):
    process, node = start(module, instruction="the red thing")
    memory = []
    for cycle in range(cycles):
        for transition in ("configure", "activate"):
            assert client.change_state(transition, node), process.log()
        if cycle % SETTLING == SETTLING - 1:  # and with work in between
            assert grounds(client, node)
            client.forget()
        for transition in ("deactivate", "cleanup"):
            assert client.change_state(transition, node), process.log()
        memory.append(resident_bytes(process.pid))
    settled, end = max(memory[:SETTLING]), max(memory[-SETTLING:])
    assert end <= settled * (1 + GROWTH), [round(size / 1e6, 1) for size in memory]
    assert client.state(node) == "unconfigured"
    assert process.end() == 0
    assert "Traceback" not in process.log()
