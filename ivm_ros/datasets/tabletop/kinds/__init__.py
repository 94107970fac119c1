"""How every kind of `vocabulary.KINDS` is built; builders draw proportions of real things, in metres."""

from __future__ import annotations

from ivm_ros.datasets.tabletop.assets import Builder
from ivm_ros.datasets.tabletop.kinds.food import FOOD
from ivm_ros.datasets.tabletop.kinds.tableware import TABLEWARE
from ivm_ros.datasets.tabletop.kinds.tools import TOOLS
from ivm_ros.datasets.tabletop.kinds.toys import TOYS

BUILDERS: dict[str, Builder] = {**TABLEWARE, **FOOD, **TOOLS, **TOYS}
