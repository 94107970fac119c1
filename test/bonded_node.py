"""A lifecycle node for tests that has a bond while it is active, as the grounding node does."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ivm_ros.nodes.bond import Bond
from ivm_ros.nodes.run import run_node


class BondedNode(LifecycleNode):
    def __init__(self) -> None:
        super().__init__("grounding")
        self.bond = Bond(self)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.bond.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.bond.stop()
        return super().on_deactivate(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.bond.stop()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        self.bond.stop()
        super().destroy_node()


if __name__ == "__main__":
    raise SystemExit(run_node(BondedNode))
