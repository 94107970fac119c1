"""Everything goes wrong while a camera sends good frames; nothing crashes, leaks or is lost.

The short version runs with the suite. The long one, which also holds memory to 5 %:

    make test ARGS="test/test_faults.py --soak 600 -s"
"""

from __future__ import annotations

import json
import sys
import time

import pytest
from managed import lead_to

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from faults import Camera, Chaos, resident_bytes

FAKE, REAL = "fake_grounding_node", "ivm_ros.nodes.grounding_node"
SIZE, RATE = (640, 480), 30.0
GROWTH = 0.05
NODES = {
    "model-in-the-node": (FAKE, "image", {}),
    "tracker-and-compressed-camera": (FAKE, "image/compressed", {"tracker": "flow"}),
    "model-in-its-own-process": (REAL, "image", {"tracker": "flow", "model_python": sys.executable}),
}


def conserved(values, tracker):
    """Return whether every frame that came is counted as one thing that became of it."""
    counted = {name: int(value) for name, value in values.items() if value.isdigit()}
    known = sum(counted[name] for name in ("published", "dropped", "unwanted", "invalid", "early"))
    rest = counted["received"] - known
    other = counted["failed"] + counted["outdated"]
    return 0 <= rest <= other if tracker else rest == other


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NODES)
def test_faults(client, start, name, soak, record_property):
    module, topic, parameters = NODES[name]
    transport = "compressed" if topic.endswith("compressed") else "raw"
    process, node = start(module, instruction="the red thing", image_transport=transport, **parameters)
    lead_to(client, node)
    camera = Camera(client, f"{node.rpartition('/')[0]}/{topic}", SIZE, RATE)
    try:
        chaos = Chaos(client, node, process, camera, seed=0, model_process="model_python" in parameters)
        chaos.recovers("the start")
        if soak:
            chaos.use_everything()
        memory = []
        begun = time.monotonic()
        # every kind of fault once at least, and at most as long as was asked for
        while len(chaos.done) < len(chaos.kinds) or time.monotonic() - begun < soak / len(NODES):
            chaos.one()
            memory.append((round(time.monotonic() - begun, 1), resident_bytes(process.pid)))
    finally:
        camera.stop()
    values = chaos.values(lambda status, values: conserved(values, "tracker" in parameters))
    assert "Traceback" not in process.log()
    report = {
        "node": name,
        "seconds": memory[-1][0],
        "frames": int(values["received"]),
        "answered": int(values["published"]),
        "faults": {kind: chaos.done.count(kind) for kind in chaos.kinds},
        "memory_mb": [round(size / 1e6, 1) for _, size in memory],
    }
    print(json.dumps(report))
    if soak:
        third = len(memory) // 3
        early, late = (max(size for _, size in part) for part in (memory[:third], memory[-third:]))
        assert late <= early * (1 + GROWTH), report["memory_mb"]
    assert process.end() == 0
