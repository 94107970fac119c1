"""InstanceVG's memory as computed without allocating it, against what a process on this machine's CPU takes.

python benchmarks/instancevg_memory.py float32 bfloat16

Each precision gets a process of its own, which builds the published base size from constant tensors (no file
is needed, and what the weights are changes no size), then encodes a picture of 640x480 and grounds two
instructions in it, with every query a target. Measured is the resident memory that Linux reports, without
that of Python and its libraries before; the peak is the kernel's own.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ivm_ros.bench.random_instancevg import INSTRUCTIONS
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import PRECISIONS, build
from ivm_ros.models.instancevg.grounder import InstanceVgGrounder
from ivm_ros.models.instancevg.memory import empty_instancevg, memory_needs
from ivm_ros.models.instancevg.reading import Rules
from ivm_ros.models.instancevg.small import small_words
from ivm_ros.models.instancevg.text import Tokenizer

SIZES = {
    "base": InstanceVgConfig.base,
    "large": InstanceVgConfig.large,
    "small": InstanceVgConfig.small,
}


def main(
    precisions: Annotated[list[str], typer.Argument(help=f"Of {', '.join(PRECISIONS)}.")],
    size: Annotated[str, typer.Option(help=f"Of {', '.join(SIZES)}.")] = "base",
    threads: Annotated[int, typer.Option(min=1, help="Of torch.")] = 1,
) -> None:
    """Print computed and measured bytes of each precision."""
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "65536")  # glibc gives back at once what torch frees
    needs = {need.precision: need for need in memory_needs(SIZES[size]())}
    table = Table(title=f"InstanceVG, {size}: GB computed / measured")
    for column in ("", "weights", "total", "more than computed"):
        table.add_column(column, justify="right")
    for name in precisions:
        need = needs[name]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            weights, peak = pool.apply(measure, (name, size, threads))
        computed = sum(need.weights.values())
        table.add_row(
            name,
            f"{computed / 1e9:.3f} / {weights / 1e9:.3f}",
            f"{need.total / 1e9:.3f} / {peak / 1e9:.3f}",
            f"{peak / need.total - 1:+.1%}",
        )
    Console(width=100).print(table)


def measure(name: str, size: str, threads: int) -> tuple[int, int]:
    """Build and run one precision in this process; return the bytes of its weights, and the most at once."""
    import torch

    torch.set_num_threads(threads)
    _run(InstanceVgConfig.small(), name)  # libraries that are loaded with the first use count as Python's
    gc.collect()
    before = _memory("VmRSS")
    weights = _run(SIZES[size](), name) - before
    return weights, _memory("VmHWM") - before


def _run(config: InstanceVgConfig, name: str) -> int:
    """Build a network and ground with it; return the process's bytes in between."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        pieces = Path(folder) / "words.spm"
        pieces.write_bytes(small_words(128, INSTRUCTIONS))
        tokenizer = Tokenizer(pieces, config)
    state = {}
    for key, tensor in empty_instancevg(config).state_dict().items():
        lower = key.startswith("backbone.") and tensor.is_floating_point()
        state[key] = torch.full(tensor.shape, 0.01, dtype=PRECISIONS[name] if lower else tensor.dtype)
    model = build(config, state, PRECISIONS[name], torch.device("cpu"))
    del state
    built = _memory("VmRSS")
    grounder = InstanceVgGrounder(model, tokenizer, Rules(score_threshold=0.01), targets="all")
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    Path("/proc/self/clear_refs").write_text("5")  # the kernel's peak begins anew
    features = grounder.encode(image)
    for words in INSTRUCTIONS[:2]:
        grounder.ground(features, words)
    return built


def _memory(name: str) -> int:
    """Return a value in bytes of what Linux says of this process."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


if __name__ == "__main__":
    typer.run(main)
