"""What every tracker is (`Tracker`) and what it answers (`Carried`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from ivm_ros.grounding import Grounding, Image, Target

LOST_RULES = ("drop", "hold")
"""What becomes of a target that a tracker no longer trusts: left out, or left where it was last seen."""


@dataclass(frozen=True, eq=False)
class Carried:
    """Groundings as they stand on the newest frame that a tracker has seen.

    Attributes:
        groundings: one per instruction, in the order in which they were adopted, at the frame's size.
        trust: for each grounding one number in [0, 1] per target: how sure the tracker is that the mask still
            is on the target. 1 on the frame that the grounding was made on; 0 for one that is lost and held.
        lost: how many of the adopted targets are lost by now.
        key: number of the frame that the groundings were made on.

    Raises:
        ValueError: there is not one trust for each target.
    """

    groundings: tuple[Grounding, ...]
    trust: tuple[tuple[float, ...], ...]
    lost: int
    key: int

    def __post_init__(self) -> None:
        targets = [len(grounding.targets) for grounding in self.groundings]
        if targets != [len(trusts) for trusts in self.trust]:
            raise ValueError(f"expected one trust per target, {targets}; got {self.trust}")


class Tracker(ABC):
    """Follows what was grounded in one camera's pictures. Used by one thread.

    A model's answer comes late: frames have passed since the one that it was asked about. So the frame is
    remembered when the model is asked, and the answer is carried through the frames since when it is adopted.

    Attributes:
        lost_rule: of `LOST_RULES`; may be changed at any time.
    """

    name: str = "tracker"

    def __init__(self, lost_rule: str = "drop") -> None:
        self.lost_rule = lost_rule

    @abstractmethod
    def see(self, image: Image) -> int:
        """Take the camera's next (H, W, 3) uint8 RGB frame, carry everything onto it, and return its number.

        A frame of another size than the last one makes the tracker forget everything first.
        """

    @abstractmethod
    def remember(self) -> int:
        """Keep what `adopt` needs of the newest frame, instead of what was kept before; return its number."""

    @abstractmethod
    def adopt(self, number: int, groundings: Sequence[Grounding]) -> bool:
        """Follow these instead of what was followed before, from the frame that they were made on.

        Args:
            number: of the remembered frame.
            groundings: made on it.

        Returns:
            Whether they are followed; not if the frame is no longer known.
        """

    @abstractmethod
    def carried(self) -> Carried | None:
        """Return what is followed, as it stands on the newest frame; None if nothing was adopted."""

    @abstractmethod
    def forget(self) -> None:
        """Follow nothing, and forget all frames: the next one is of another instruction or another time."""

    def close(self) -> None:  # noqa: B027 - optional for trackers that hold nothing
        """Give back memory and devices; the tracker is not used afterwards."""


def remaining_existence(source: Grounding, targets: Sequence[Target]) -> float:
    """Return how sure it is that anything is there: less, as the best target that is left is less sure."""
    if len(targets) == len(source.targets):
        return source.existence
    best = source.targets[0].score
    return source.existence * (min(targets[0].score / best, 1.0) if targets and best > 0 else 0.0)
