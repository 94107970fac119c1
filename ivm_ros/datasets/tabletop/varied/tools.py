"""Cutlery, tools and stationery in several designs of each kind."""

from __future__ import annotations

from ivm_ros.datasets.tabletop.assets import Builder
from ivm_ros.datasets.tabletop.varied.tools_books import BOOKS
from ivm_ros.datasets.tabletop.varied.tools_forks import FORKS
from ivm_ros.datasets.tabletop.varied.tools_hammers import HAMMERS
from ivm_ros.datasets.tabletop.varied.tools_knives import KNIVES
from ivm_ros.datasets.tabletop.varied.tools_nuts import NUTS
from ivm_ros.datasets.tabletop.varied.tools_pens import PENS
from ivm_ros.datasets.tabletop.varied.tools_screwdrivers import SCREWDRIVERS
from ivm_ros.datasets.tabletop.varied.tools_spoons import SPOONS

TOOLS: dict[str, tuple[Builder, ...]] = {
    "spoon": SPOONS,
    "fork": FORKS,
    "knife": KNIVES,
    "pen": PENS,
    "screwdriver": SCREWDRIVERS,
    "hammer": HAMMERS,
    "nut": NUTS,
    "book": BOOKS,
}
