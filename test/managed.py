"""What tests do with grounding nodes in namespaces of their own, which the fixture `start` starts."""

from __future__ import annotations

from fakes import red_square

FAKE = "fake_grounding_node"
PATH_TO = {  # transitions from the start to each state
    "unconfigured": [],
    "inactive": ["configure"],
    "active": ["configure", "activate"],
    "finalized": ["shutdown"],
}


def lead_to(client, node, state="active"):
    """Lead a node that waits for a manager to a state."""
    for transition in PATH_TO[state]:
        assert client.change_state(transition, node)


def health(client, node, matches=lambda status, values: True, meanwhile=lambda: None, camera=""):
    """Return the diagnostics of one node, or of one of its cameras."""
    name = f"{node.lstrip('/')}: grounding {camera}".rstrip()
    return client.diagnostics(
        lambda status, values: status.name == name and matches(status, values), meanwhile
    )


def grounds(client, node):
    """Return the answer of the node to a frame of its camera."""
    from sensor_msgs.msg import Image

    namespace = node.rpartition("/")[0]
    client.listen(f"{node}/mask", Image)
    return client.ask(lambda: client.image(red_square()), f"{node}/mask", camera=f"{namespace}/image")[1]


def set_to_work(client, node):
    """Have the node receive a few frames of its camera, and somebody wait for the answers."""
    from sensor_msgs.msg import Image

    image = f"{node.rpartition('/')[0]}/image"
    client.listen(f"{node}/mask", Image)
    health(
        client,
        node,
        lambda status, values: int(values["received"]) > int(values["unwanted"]),
        meanwhile=lambda: client.publish(image, client.image(red_square())),
    )
