"""Everything goes wrong while a camera sends good frames; nothing crashes, leaks or is lost.

The short version runs with the suite. The long one, which also holds memory to 5 %, and tells how it goes:

    make test ARGS="test/test_faults.py --soak 600 -s -n 0"

A camera that does not reach its rate on a busy machine is told, and is no failure: what was sent counts.
"""

from __future__ import annotations

import statistics
import sys
from contextlib import ExitStack

import pytest
from managed import lead_to

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("ivm_ros.msg", reason="the interfaces are not generated: pip install -e .")

from faults import Chaos
from soak_processes import Camera, Listeners
from soak_record import ENOUGH, SAMPLE, Record, growth

FAKE, REAL = "fake_grounding_node", "ivm_ros.nodes.grounding_node"
SIZE, RATE = (640, 480), 30.0
ALMOST = 0.95  # of the rate: late frames are not made up for
GROWTH = 0.05  # of memory in use, as a share of all that the node has
SHOWN = 5  # each fifth sample
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


def table(name, camera, values, chaos, record, used):
    """Return the lines that tell how it went."""
    rows = {
        "seconds": f"{record.elapsed:.0f}",
        "frames sent": f"{camera.sent}, {camera.reached:.1f} a second",
        "images received": f"{values['received']}, with those of the faults; the node takes the newest only",
        "answered": f"{values['published']}, of which {chaos.listeners.answered} came to the listener",
        "not answered": ", ".join(
            f"{values[why]} {why}"
            for why in ("dropped", "unwanted", "early", "outdated", "invalid", "failed")
        ),
        "faults": f"{len(chaos.done)}: "
        + ", ".join(f"{chaos.done.count(kind)} {kind}" for kind in chaos.kinds),
    }
    if camera.reached < ALMOST * camera.rate:
        rows["busy machine"] = f"the camera did not reach {camera.rate:g} a second"
    if record.samples:
        grown = growth(used)
        judged = f"too few to judge, {ENOUGH} are needed" if grown is None else f"{grown:+.1f} MB by thirds"
        rows["memory in use"] = f"{judged}; after each fault: {' '.join(f'{each:.1f}' for each in used)}"
        sizes = " ".join(f"{size / 1e6:.1f}" for size in record.samples[::SHOWN])
        rows["memory"] = f"with what is kept, MB every {SHOWN * SAMPLE:g} s: {sizes}"
    return "\n".join([name, *(f"  {row:16}{told}" for row, told in rows.items())])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NODES)
def test_faults(client, graph, start, name, soak):
    module, topic, parameters = NODES[name]
    transport = "compressed" if topic.endswith("compressed") else "raw"
    process, node = start(module, instruction="the red thing", image_transport=transport, **parameters)
    lead_to(client, node)
    with ExitStack() as stack:
        camera = Camera(graph.environment, f"{node.rpartition('/')[0]}/{topic}", SIZE, RATE)
        stack.callback(camera.stop)
        listeners = Listeners(graph.environment, node)
        stack.callback(listeners.stop)
        client.processes |= {"camera": camera.pid, "listeners": listeners.pid}
        chaos = Chaos(
            client, node, process, camera, listeners, seed=0, model_process="model_python" in parameters
        )
        record = Record(
            process.pid,
            lambda: (
                f"{name}: {camera.sent} frames sent, {camera.reached:.1f} a second, "
                f"{listeners.answered} answered, {len(chaos.done)} faults"
            ),
        )
        stack.callback(record.stop)
        chaos.recovers("the start")
        if soak:
            chaos.use_everything()
            record.sample()
        begun, used = record.elapsed, []
        # every kind of fault once at least, and at most as long as was asked for
        while len(chaos.done) < len(chaos.kinds) or record.elapsed - begun < soak / len(NODES):
            chaos.one()
            if soak:
                used.append(float(chaos.values().get("memory_used_mb", 0.0)))
    values = chaos.values(lambda status, values: conserved(values, "tracker" in parameters))
    print(table(name, camera, values, chaos, record, used))
    assert "Traceback" not in process.log()
    grown = growth(used)
    if grown is not None:
        share = grown / (statistics.median(record.samples) / 1e6)
        assert share <= GROWTH, f"memory in use grew by {grown:.1f} MB, {share:.1%} of all"
    assert process.end() == 0
