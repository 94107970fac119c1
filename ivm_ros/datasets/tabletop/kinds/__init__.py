"""How every kind of `vocabulary.KINDS` is built; builders draw proportions of real things, in metres."""

from __future__ import annotations

from ..assets import Builder
from .food import FOOD
from .tableware import TABLEWARE
from .tools import TOOLS
from .toys import TOYS

BUILDERS: dict[str, Builder] = {**TABLEWARE, **FOOD, **TOOLS, **TOYS}
