"""`ivm-ros doctor --memory`: which model runs where, in which precision."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import ivm_ros
from ivm_ros.models.memory import GPU_RESERVE, RESERVE, MemoryNeed, first_fitting
from ivm_ros.models.registry import memory_needs

MACHINES = {"8 GB Orin": 8, "16 GB": 16, "32 GB": 32, "64 GB": 64}
"""Columns of the table, in GB; models share all of these with the system."""

_WIDTH = 100


class Machine(NamedTuple):
    """Where models run on this machine: bytes in all, and of them those left to others."""

    name: str
    memory: int
    reserve: int


def this_machine() -> Machine:
    """Return the first GPU that torch can use; without one, what the CPU has."""
    import torch

    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        return Machine(gpu.name, gpu.total_memory, RESERVE if gpu.is_integrated else GPU_RESERVE)
    return Machine("this CPU", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), RESERVE)


def fit_here(needs: Sequence[MemoryNeed]) -> str:
    """Say in a few words which precision a model can have on this machine."""
    machine = this_machine()
    where = f"{machine.name}, {gigabytes(machine.memory)} GB"
    need = first_fitting(needs, machine.memory, machine.reserve)
    if need is None:
        least = min(needs, key=lambda need: need.total)
        left = gigabytes(machine.reserve)
        return f"too large for {where}: {least.precision} needs {gigabytes(least.total)} GB beside {left} GB"
    extra = f" with pip install 'ivm-ros[{need.extra}]'" if need.extra else ""
    return f"precision={need.precision}{extra} fits {where}: it needs {gigabytes(need.total)} GB"


def print_memory() -> int:
    """Print a table for each model whose needs are known; return 0."""
    console = Console(width=_WIDTH, highlight=False)
    for entry in ivm_ros.available():
        with console.status(f"adding up {entry.name}"):
            needs = memory_needs(entry.name)
        if not needs:
            continue
        console.print(f"[bold]{entry.name}[/]: what runs where, in GB", _table(needs))
        for line in _legend(needs):
            console.print(line, markup=False)
    return 0


def gigabytes(size: int) -> str:
    """Return bytes as 10^9 bytes, with one digit behind the point."""
    return f"{size / 1e9:.1f}" if size >= 5e7 else "<0.1"


def _table(needs: Sequence[MemoryNeed]) -> Table:
    table = Table("precision", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), collapse_padding=True)
    parts = list(needs[0].weights)
    for column in (*parts, "weights", "working", "total", *MACHINES):
        table.add_column(column, justify="right", no_wrap=True)
    for need in needs:
        sizes = [*need.weights.values(), sum(need.weights.values()), need.working, need.total]
        fits = ("yes" if need.fits(memory * 10**9) else "-" for memory in MACHINES.values())
        table.add_row(need.precision, *map(gigabytes, sizes), *fits)
    return table


def _legend(needs: Sequence[MemoryNeed]) -> list[str]:
    kept = dict.fromkeys(gigabytes(need.kept) for need in (needs[-1], needs[0]))
    places: dict[str, list[str]] = {}
    for need in needs:
        places.setdefault(need.checked or "not measured", []).append(need.precision)
    checks = " ".join(f"{', '.join(names)}: {place}." for place, names in places.items())
    return [
        "weights: all before it. working: the most at once beside them, while a picture is encoded and "
        f"grounded; {' to '.join(kept)} of it stay as long as the picture.",
        f"yes: there is room beside {gigabytes(RESERVE)} GB for system, camera, Python and CUDA (assumed).",
        f"All numbers are computed, from the tensors' shapes. The totals as measured: {checks}",
        f"Here: {fit_here(needs)}.",
    ]
