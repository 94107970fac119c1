"""Which model a command uses: what --model, --checkpoint, --device and --option say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

import ivm_ros
from ivm_ros.grounding import Grounder
from ivm_ros.models.options import parse_options


@dataclass(frozen=True)
class ModelChoice:
    """A model that is not loaded yet.

    Attributes:
        name: of the registry.
        checkpoint: its weights; None for those that ship with it.
        device: as torch names it, or "auto".
        options: its own, each as NAME=VALUE.
    """

    name: str
    checkpoint: Path | None
    device: str
    options: Sequence[str] = ()

    def load(self) -> Grounder:
        """Load it, and say so where somebody looks; raises what `ivm_ros.load` raises."""
        with Console(stderr=True).status(f"loading {self.name}"):
            return ivm_ros.load(
                self.name, checkpoint=self.checkpoint, device=self.device, **parse_options(self.options)
            )

    def parameters(self) -> dict[str, str]:
        """Return the grounding node's parameters for it."""
        parse_options(self.options)
        return {
            "model": self.name,
            "checkpoint": str(self.checkpoint or ""),
            "device": self.device,
            "model_options": " ".join(self.options),
        }
